using Confluent.Kafka;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit.Simulation;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>A message in a partition.</summary>
public sealed record LogRecord(int Partition, long Offset, byte[] Value, Headers? Headers);

/// <summary>How often what goes to and from the log is late or comes twice: once in so many times, 0 is never.</summary>
/// <param name="Late">a message, and those behind it on the same way</param>
/// <param name="LateSeconds">for how long at most</param>
/// <param name="Doubled">of the messages of which a reader has to expect it</param>
public sealed record LogTrouble(int Late, double LateSeconds, int Doubled)
{
    public static LogTrouble None { get; } = new(0, 0, 0);
}

/// <summary>
/// A log in memory, as a Kafka cluster is to its clients: topics of partitions of messages with offsets, what groups have committed, retention. Whatever is sent to it takes steps
/// of its own, among those of all others, so that partitions are ahead of each other by chance; within a partition a client's messages stay in order.
/// </summary>
public sealed class SimulatedLog
{
    private readonly SortedDictionary<string, List<LogPartition>> _topics = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Group, string Topic, int Partition), long> _committed = [];
    private readonly List<TaskCompletionSource> _waiting = [];
    private StableRandom _random;

    /// <param name="world">that it is in</param>
    /// <param name="seed">of its troubles</param>
    public SimulatedLog(SimulatedWorld world, int seed)
    {
        (World, Network, _random) = (world, world.NewLane(), new StableRandom(seed, 0x106));
    }

    public SimulatedWorld World { get; }

    /// <summary>The steps that messages take on their way.</summary>
    public SimulatedLane Network { get; }

    public LogTrouble Trouble { get; set; } = LogTrouble.None;

    /// <summary>Whether nobody reaches it.</summary>
    public bool IsAway { get; private set; }

    /// <summary>Told of each message that is there now.</summary>
    public Action<string, LogRecord> Appended { get; set; } = (_, _) => { };

    /// <summary>Told of each offset that a group commits.</summary>
    public Action<string, string, int, long> OffsetCommitted { get; set; } = (_, _, _, _) => { };

    /// <summary>Told when messages are late or come twice.</summary>
    public Action<string> Saw { get; set; } = _ => { };

    /// <summary>Told what happens, step by step, for who looks at one run; null: nobody does.</summary>
    public Action<string>? Trace { get; set; }

    public void Create(string topic, int partitions)
    {
        if (!_topics.TryGetValue(topic, out var held))
            _topics[topic] = held = [];
        while (held.Count < partitions)
            held.Add(new LogPartition());
        Wake();
    }

    public int CountPartitions(string topic) => _topics[topic].Count;

    public LogPartition At(string topic, int partition) => _topics[topic][partition];

    /// <summary>Writes a message; its offset.</summary>
    public long Append(string topic, int partition, byte[] value, Headers? headers)
    {
        var at = At(topic, partition);
        var record = new LogRecord(partition, at.High, value, headers);
        at.Add(record);
        Appended(topic, record);
        Wake();
        return record.Offset;
    }

    /// <summary>An offset without a message, as a transaction's mark leaves.</summary>
    public void Mark(string topic, int partition)
    {
        At(topic, partition).Add(null);
        Wake();
    }

    /// <summary>Forgets what lies before an offset.</summary>
    public void Forget(string topic, int partition, long before) => At(topic, partition).Forget(before);

    public long? Committed(string group, string topic, int partition) => _committed.TryGetValue((group, topic, partition), out var offset) ? offset : null;

    public void Commit(string group, string topic, int partition, long offset)
    {
        _committed[(group, topic, partition)] = offset;
        OffsetCommitted(group, topic, partition, offset);
    }

    public void SetAway(bool away)
    {
        IsAway = away;
        Wake();
    }

    /// <summary>Completes when there is something new, or the log is reached again.</summary>
    public Task Change()
    {
        var waiting = new TaskCompletionSource();
        lock (_waiting)
            _waiting.Add(waiting);
        return waiting.Task;
    }

    /// <summary>Has all look again.</summary>
    public void Wake()
    {
        List<TaskCompletionSource> waiting;
        lock (_waiting)
        {
            waiting = [.. _waiting];
            _waiting.Clear();
        }
        foreach (var one in waiting)
            one.SetResult();
    }

    /// <summary>Tells who looks at this run.</summary>
    internal void Tell(Func<string> what) => Trace?.Invoke($"{World.Taken} {World.Clock.GetUtcNow():mm:ss.fff} {what()}");

    internal bool Befalls(int oneIn) => oneIn > 0 && _random.Below(oneIn) == 0;

    internal TimeSpan UpTo(double seconds) => TimeSpan.FromSeconds(seconds * (0.05 + 0.95 * _random.Unit()));

    internal int Below(int count) => _random.Below(count);
}

/// <summary>One partition of a topic.</summary>
public sealed class LogPartition
{
    // By offset; null: there is no message.
    private readonly List<LogRecord?> _records = [];

    /// <summary>The first offset that it holds.</summary>
    public long Low { get; private set; }

    /// <summary>Where the next message will stand.</summary>
    public long High => _records.Count;

    /// <summary>The message at an offset; null where there is none.</summary>
    public LogRecord? this[long offset] => offset >= Low && offset < High ? _records[(int)offset] : null;

    internal void Add(LogRecord? record) => _records.Add(record);

    internal void Forget(long before) => Low = Math.Max(Low, Math.Min(before, High));
}
