using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MassDpo.Kafka.Tests.Topics;

/// <summary>A topic as a real broker would tell of it.</summary>
internal sealed record ServedTopic(int Partitions, int Replicas, Dictionary<string, string> Settings)
{
    /// <summary>What asking for its settings gives; 0: them.</summary>
    public short DescribeError { get; init; }
}

/// <summary>
/// What a broker answers to who administers topics, which librdkafka's mock cluster does not: Kafka's protocol, on loopback, in its first versions
/// (ApiVersions 0, Metadata 1, CreateTopics 0, DescribeConfigs 0).
/// </summary>
internal sealed class AdminServer : IAsyncDisposable
{
    private const int Metadata = 3, ApiVersions = 18, CreateTopics = 19, DescribeConfigs = 32;
    private const short UnsupportedVersion = 35;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _serving;

    public AdminServer()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Bootstrap => _listener.LocalEndpoint.ToString()!;

    public Dictionary<string, ServedTopic> Topics { get; } = [];

    /// <summary>What making a topic gives; 0: it is made.</summary>
    public short CreateError { get; set; }

    /// <summary>Whether it takes requests to make and describe.</summary>
    public bool Administers { get; init; } = true;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        var open = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                open.Add(AnswerAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
            }
        }
        await Task.WhenAll(open);
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using var _ = client;
        var (stream, size) = (client.GetStream(), new byte[4]);
        try
        {
            while (true)
            {
                await stream.ReadExactlyAsync(size, _stop.Token);
                var request = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
                await stream.ReadExactlyAsync(request, _stop.Token);
                byte[] body;
                lock (Topics)
                    body = Answer(new Reader(request));
                var answer = new byte[4 + body.Length];
                BinaryPrimitives.WriteInt32BigEndian(answer, body.Length);
                body.CopyTo(answer, 4);
                await stream.WriteAsync(answer, _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // Either side has ended.
        }
    }

    private byte[] Answer(Reader request)
    {
        var (api, version, correlation) = (request.Short(), request.Short(), request.Int());
        request.Text();
        var answer = new Writer();
        answer.Int(correlation);
        switch (api)
        {
            case ApiVersions:
                answer.Short(version == 0 ? (short)0 : UnsupportedVersion);
                (int Api, short Most)[] apis = [(ApiVersions, 0), (Metadata, 1), .. Administers ? [(CreateTopics, (short)0), (DescribeConfigs, (short)0)] : Array.Empty<(int, short)>()];
                answer.Each(apis, each =>
                {
                    answer.Short((short)each.Api);
                    answer.Short(0);
                    answer.Short(each.Most);
                });
                break;
            case Metadata:
                TellMetadata(answer);
                break;
            case CreateTopics:
                answer.Each(request.Each(() => Create(request)), name =>
                {
                    answer.Text(name);
                    answer.Short(CreateError);
                });
                break;
            case DescribeConfigs:
                answer.Int(0);
                answer.Each(request.Each(() => (Type: request.Byte(), Name: request.Text()!, Names: request.Int())), asked => TellSettings(answer, asked.Type, asked.Name));
                break;
            default:
                throw new InvalidOperationException($"asked for {api}");
        }
        return answer.ToArray();
    }

    private void TellMetadata(Writer answer)
    {
        answer.Each([0], _ =>
        {
            answer.Int(1);
            answer.Text("127.0.0.1");
            answer.Int(((IPEndPoint)_listener.LocalEndpoint).Port);
            answer.Text(null);
        });
        answer.Int(1);
        answer.Each(Topics, topic =>
        {
            answer.Short(0);
            answer.Text(topic.Key);
            answer.Byte(0);
            answer.Each(Enumerable.Range(0, topic.Value.Partitions).ToList(), partition =>
            {
                answer.Short(0);
                answer.Int(partition);
                answer.Int(1);
                var replicas = Enumerable.Range(1, topic.Value.Replicas).ToList();
                answer.Each(replicas, answer.Int);
                answer.Each(replicas, answer.Int);
            });
        });
    }

    private string Create(Reader request)
    {
        var (name, partitions, replicas) = (request.Text()!, request.Int(), request.Short());
        request.Each<int>(() => throw new InvalidOperationException("no assignments are expected"));
        var settings = request.Each(() => KeyValuePair.Create(request.Text()!, request.Text()!));
        if (CreateError == 0)
            Topics[name] = new ServedTopic(partitions, replicas, new(settings));
        return name;
    }

    private void TellSettings(Writer answer, byte type, string name)
    {
        var topic = Topics[name];
        answer.Short(topic.DescribeError);
        answer.Text(topic.DescribeError == 0 ? null : "not for you");
        answer.Byte(type);
        answer.Text(name);
        answer.Each(topic.DescribeError == 0 ? topic.Settings : [], setting =>
        {
            answer.Text(setting.Key);
            answer.Text(setting.Value);
            answer.Byte(0);
            answer.Byte(0);
            answer.Byte(0);
        });
    }

    private sealed class Reader(byte[] bytes)
    {
        private int _at;

        public byte Byte() => bytes[_at++];

        public short Short() => BinaryPrimitives.ReadInt16BigEndian(bytes.AsSpan((_at += 2) - 2));

        public int Int() => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan((_at += 4) - 4));

        public string? Text() => Short() is >= 0 and var length ? Encoding.UTF8.GetString(bytes, (_at += length) - length, length) : null;

        public List<T> Each<T>(Func<T> read) => [.. Enumerable.Range(0, Math.Max(0, Int())).Select(_ => read())];
    }

    private sealed class Writer
    {
        private readonly MemoryStream _bytes = new();

        public void Byte(byte value) => _bytes.WriteByte(value);

        public void Short(short value)
        {
            Span<byte> bytes = stackalloc byte[2];
            BinaryPrimitives.WriteInt16BigEndian(bytes, value);
            _bytes.Write(bytes);
        }

        public void Int(int value)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteInt32BigEndian(bytes, value);
            _bytes.Write(bytes);
        }

        public void Text(string? text)
        {
            Short(text is null ? (short)-1 : (short)Encoding.UTF8.GetByteCount(text));
            _bytes.Write(Encoding.UTF8.GetBytes(text ?? ""));
        }

        public void Each<T>(IReadOnlyCollection<T> items, Action<T> write)
        {
            Int(items.Count);
            foreach (var item in items)
                write(item);
        }

        public byte[] ToArray() => _bytes.ToArray();
    }
}
