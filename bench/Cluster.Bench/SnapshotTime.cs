using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Nodes;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Links;
using MassDpo.Policy.Model;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using static System.FormattableString;

namespace MassDpo.Cluster.Bench;

/// <summary>
/// How long a policy of 10 MB takes from the learner's node to the last of 4 others: over the cluster's link, over Kafka's (librdkafka's mock cluster), and the bare bytes over sockets,
/// in turns in one process.
/// </summary>
internal static class SnapshotTime
{
    private const int Receivers = 4;
    private const int WarmUp = 5;
    private const int Partitions = 4;
    private const string Topic = "snapshots";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task RunAsync(int snapshots)
    {
        // As bench/Kafka.Bench has it.
        using var found = MadePolicy.Weights(MadePolicy.Config(vocabulary: 38_400, hidden: 64, positions: 16));
        var format = new PolicySnapshotFormat(found);
        using var bytes = new MemoryStream();
        format.Write(found, bytes);
        var nodes = new List<ClusterNode>();
        using var broker = new MockBroker();
        broker.CreateTopic(Topic, Partitions);
        var kafka = new KafkaLinkOptions(new KafkaOptions(broker.Bootstrap, [KeyValuePair.Create("fetch.wait.max.ms", "10")]), "bench", e => throw e, text => Console.Error.WriteLine($"note: {text}"));
        try
        {
            nodes.Add(await NodeAsync(Roles.Learner, null));
            while (nodes.Count <= Receivers)
                nodes.Add(await NodeAsync(Roles.Selector, nodes[0]));
            var cluster = nodes.ConvertAll(node => new AkkaSnapshotsLink(new Exchange(node.System, "learner"), "bench", format, text => Console.Error.WriteLine($"note: {text}"), e => Console.Error.WriteLine($"failed: {e}")));
            var topic = nodes.ConvertAll(_ => new KafkaSnapshotsLink(kafka, Topic, format));
            using var sockets = new Sockets(Receivers, bytes.ToArray());
            Machine.Print();
            Console.WriteLine(Invariant($"Snapshots of {found.Bytes / 1e6:F2} MB, {snapshots} over each in turns, from Publish until the last of {Receivers} has it, its hash checked; {Receivers + 1} nodes with an actor system each, frames as hocon/cluster.conf has them, over remoting on loopback; all in one process on {Environment.ProcessorCount} cores. Kafka: links over {Partitions} partitions of librdkafka's mock cluster, `fetch.wait.max.ms=10`. Sockets: the bytes alone, written to {Receivers} readers at the same time."));
            Console.WriteLine();
            List<(string Name, Func<long, Task<double>> Time)> ways =
            [
                ("nodes of the cluster", Over([.. cluster], found)),
                ("Kafka links", Over([.. topic], found)),
                ("sockets, bytes alone", _ => sockets.SendAsync()),
            ];
            var times = ways.ConvertAll(_ => new List<double>());
            for (var version = 0L; version < WarmUp + snapshots; version++)
                for (var way = 0; way < ways.Count; way++)
                {
                    var took = await ways[way].Time(version);
                    if (version >= WarmUp)
                        times[way].Add(took);
                }
            Console.WriteLine("| over | p50, ms | p95 | max | p50 against the cluster's |");
            Console.WriteLine("|---|---|---|---|---|");
            for (var way = 0; way < ways.Count; way++)
                Console.WriteLine(Invariant($"| {ways[way].Name} | {times[way].Median():F0} | {times[way].Quantile(0.95):F0} | {times[way].Max():F0} | {times[way].Median() / times[0].Median():F2} |"));
            cluster.ForEach(link => link.Dispose());
            topic.ForEach(link => link.Dispose());
        }
        finally
        {
            foreach (var node in Enumerable.Reverse(nodes))
                await node.DisposeAsync();
        }
    }

    private static async Task<ClusterNode> NodeAsync(Roles role, ClusterNode? first)
    {
        var settings = EffectiveSettings.Load(null, [], [], [], HoconDocument.Load(Path.Combine(Repository.Root, "hocon", "cluster.conf")));
        var node = ClusterNode.Start("bench", NodeConfig.Of(settings, "bench", role, null, 0, []), self => first?.Address ?? self, NullLogger.Instance);
        await node.JoinAsync(_ => { }, CancellationToken.None);
        return node;
    }

    // The first link publishes, the others have a subscriber each.
    private static Func<long, Task<double>> Over(IReadOnlyList<ISnapshotsLink> links, PolicyWeights weights)
    {
        var receivers = links.Skip(1).Select(link => new Receiver(link)).ToList();
        return async version =>
        {
            // Each has a hash of its own.
            var copy = weights.Copy();
            copy.FinalNorm.fill_(1 + version);
            var arrived = receivers.ConvertAll(receiver => receiver.Await(version));
            var began = Stopwatch.GetTimestamp();
            links[0].Publish(new PolicySnapshot(1, version, copy));
            var ended = await Task.WhenAll(arrived).WaitAsync(Patience);
            return Stopwatch.GetElapsedTime(began, ended.Max()).TotalMilliseconds;
        };
    }

    /// <summary>Takes snapshots as a selector does.</summary>
    private sealed class Receiver
    {
        private readonly ISnapshotSubscription _subscription;
        private (long Version, TaskCompletionSource<long> At)? _awaited;

        public Receiver(ISnapshotsLink link) => _subscription = link.Subscribe(Take);

        public Task<long> Await(long version)
        {
            var at = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited = (version, at);
            return at.Task;
        }

        private void Take()
        {
            using var lease = _subscription?.TryAcquire();
            // Every selection names it.
            if (lease is { Hash.Length: > 0 } && _awaited is var (version, at) && lease.Version == version)
                at.TrySetResult(Stopwatch.GetTimestamp());
        }
    }

    /// <summary>Connections over loopback, each with a thread that writes and one that reads.</summary>
    private sealed class Sockets : IDisposable
    {
        private readonly byte[] _bytes;
        private readonly List<(TcpClient Writes, TcpClient Reads)> _pairs = [];

        public Sockets(int count, byte[] bytes)
        {
            _bytes = bytes;
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            for (var i = 0; i < count; i++)
            {
                var writes = new TcpClient();
                writes.Connect((IPEndPoint)listener.LocalEndpoint);
                _pairs.Add((writes, listener.AcceptTcpClient()));
            }
        }

        /// <summary>Milliseconds until the last has read all.</summary>
        public async Task<double> SendAsync()
        {
            var began = Stopwatch.GetTimestamp();
            await Task.WhenAll(_pairs.SelectMany(pair => new[]
            {
                Task.Run(() => pair.Writes.GetStream().Write(_bytes)),
                Task.Run(() => pair.Reads.GetStream().ReadExactly(new byte[_bytes.Length])),
            }));
            return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        public void Dispose() => _pairs.ForEach(pair =>
        {
            pair.Writes.Dispose();
            pair.Reads.Dispose();
        });
    }
}
