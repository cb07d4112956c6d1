using System.Runtime.InteropServices;
using MassDpo.Kafka.Client;

namespace MassDpo.Kafka.Development;

/// <summary>
/// librdkafka's mock cluster on loopback, for development and tests: brokers in this process's memory, on ports that the system chooses. It keeps the newest
/// 5 MiB of a partition and forgets what came before; topics cannot be created or described by request, though one that is asked for comes into being.
/// </summary>
public sealed partial class MockBroker : IDisposable
{
    /// <summary>A topic that is always there. It tells others what this is: requests that it cannot answer it leaves without an answer.</summary>
    public const string Mark = "massdpo.mock-cluster";

    private const int Producer = 0;
    private const int ErrorLength = 512;

    // Of Linux: SIG_SETMASK, and the size of sigset_t.
    private const int SetMask = 2;
    private const int SignalSetBytes = 128;

    private readonly nint _client;
    private nint _cluster;

    /// <param name="brokers">how many</param>
    /// <exception cref="InvalidOperationException">librdkafka refuses</exception>
    public MockBroker(int brokers = 1)
    {
        var error = Marshal.AllocHGlobal(ErrorLength);
        try
        {
            var configuration = NewConfiguration();
            // It would warn that no server is named, which nobody here wants.
            SetLog(configuration, 0);
            _client = New(Producer, configuration, error, ErrorLength);
            if (_client == 0)
                throw new InvalidOperationException($"no mock cluster: {Marshal.PtrToStringUTF8(error)}");
        }
        finally
        {
            Marshal.FreeHGlobal(error);
        }
        _cluster = WithoutSignals(() => NewCluster(_client, brokers));
        if (_cluster == 0)
        {
            Destroy(_client);
            throw new InvalidOperationException("no mock cluster: librdkafka could not open its ports on loopback");
        }
        Bootstrap = Marshal.PtrToStringUTF8(Bootstraps(_cluster))!;
        CreateTopic(Mark, 1);
    }

    /// <summary>Its servers, <c>host:port</c> with commas between.</summary>
    public string Bootstrap { get; }

    /// <exception cref="InvalidOperationException">it exists, or the number is not possible</exception>
    public void CreateTopic(string name, int partitions)
    {
        var error = CreateTopic(_cluster, name, partitions, 1);
        if (error != 0)
            throw new InvalidOperationException($"topic '{name}' with {partitions} partitions: {Marshal.PtrToStringUTF8(ErrorText(error))}");
    }

    /// <summary>Lets every question about a topic be answered with an error; <see cref="Confluent.Kafka.ErrorCode.NoError"/> ends that.</summary>
    public void SetTopicError(string name, Confluent.Kafka.ErrorCode error) => SetTopicError(_cluster, name, (int)error);

    /// <summary>Takes a broker down: its connections are cut and refused until <see cref="Start"/>. What it holds stays.</summary>
    /// <param name="broker">counted from 1</param>
    public void Stop(int broker = 1) => SetDown(_cluster, broker);

    /// <summary>Brings a broker back.</summary>
    public void Start(int broker = 1) => SetUp(_cluster, broker);

    public void Dispose()
    {
        if (_cluster == 0)
            return;
        DestroyCluster(_cluster);
        _cluster = 0;
        Destroy(_client);
    }

    // The cluster's thread takes a signal that comes to it while it waits, such as SIGCONT, for an error and ends. It has the mask of the thread that makes it.
    private static nint WithoutSignals(Func<nint> make)
    {
        var (all, before) = (Marshal.AllocHGlobal(SignalSetBytes), Marshal.AllocHGlobal(SignalSetBytes));
        try
        {
            _ = FillSignals(all);
            _ = SetSignals(SetMask, all, before);
            try
            {
                return make();
            }
            finally
            {
                _ = SetSignals(SetMask, before, 0);
            }
        }
        finally
        {
            Marshal.FreeHGlobal(all);
            Marshal.FreeHGlobal(before);
        }
    }

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static partial int FillSignals(nint set);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    private static partial int SetSignals(int how, nint set, nint before);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_conf_new")]
    private static partial nint NewConfiguration();

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_conf_set_log_cb")]
    private static partial void SetLog(nint configuration, nint callback);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_new")]
    private static partial nint New(int type, nint configuration, nint error, nuint errorLength);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_destroy")]
    private static partial void Destroy(nint client);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_err2str")]
    private static partial nint ErrorText(int error);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_cluster_new")]
    private static partial nint NewCluster(nint client, int brokers);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_cluster_destroy")]
    private static partial void DestroyCluster(nint cluster);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_cluster_bootstraps")]
    private static partial nint Bootstraps(nint cluster);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_topic_create", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int CreateTopic(nint cluster, string topic, int partitions, int replicas);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_topic_set_error", StringMarshalling = StringMarshalling.Utf8)]
    private static partial void SetTopicError(nint cluster, string topic, int error);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_broker_set_down")]
    private static partial int SetDown(nint cluster, int broker);

    [LibraryImport(RdKafkaLibrary.Name, EntryPoint = "rd_kafka_mock_broker_set_up")]
    private static partial int SetUp(nint cluster, int broker);
}
