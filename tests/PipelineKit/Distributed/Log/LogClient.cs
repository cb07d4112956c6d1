using Confluent.Kafka;
using MassDpo.TestKit.Simulation;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// How one process reaches the log. What it sends waits where the log is not reached, and is lost with the process; what it is told waits in its lane while that
/// stands still.
/// </summary>
public sealed class LogClient(SimulatedLog log, SimulatedLane lane, string name)
{
    private readonly Dictionary<(string, int), Line> _out = [];
    private readonly Queue<Action> _heard = new();
    private Line? _in;
    private bool _isCut;

    public SimulatedLog Log => log;

    public SimulatedLane Lane => lane;

    public string Name => name;

    /// <summary>Whether the process is gone.</summary>
    public bool IsDead { get; private set; }

    public bool IsReached => !_isCut && !log.IsAway && !IsDead;

    /// <summary>Loses the connection, or finds it again.</summary>
    public void SetCut(bool cut)
    {
        _isCut = cut;
        log.Wake();
    }

    /// <summary>The process is gone: what was not sent never is.</summary>
    public void Die() => IsDead = true;

    /// <summary>Sends a message.</summary>
    /// <param name="topic">it goes there</param>
    /// <param name="partition">of the topic</param>
    /// <param name="value">of the message</param>
    /// <param name="headers">null: none</param>
    /// <param name="arrived">told of its offset; null: nobody wants to know</param>
    /// <param name="mayDouble">whether readers have to expect it twice</param>
    public void Send(string topic, int partition, byte[] value, Headers? headers = null, Action<long>? arrived = null, bool mayDouble = false) => Call(topic, partition, () =>
    {
        var offset = log.Append(topic, partition, value, headers);
        if (mayDouble && log.Befalls(log.Trouble.Doubled))
        {
            log.Saw($"{topic}: message doubled");
            log.Append(topic, partition, value, headers);
        }
        if (arrived is not null)
            Hear(() => arrived(offset));
    });

    /// <summary>Has something done at the log, in order with what else is sent on this way.</summary>
    public void Call(string way, int number, Action atLog)
    {
        if (!_out.TryGetValue((way, number), out var line))
            _out[(way, number)] = line = new Line(this, way);
        line.Add(atLog);
    }

    /// <summary>Tells the process something, in order.</summary>
    public void Hear(Action atClient) => (_in ??= new Line(this, "answer")).Add(() =>
    {
        _heard.Enqueue(atClient);
        // Which of a process's steps comes next is drawn; what it hears stays in order.
        lane.Post(() => _heard.Dequeue()());
    });

    /// <summary>What is on its way in one direction: first in, first out, whenever the log is reached.</summary>
    private sealed class Line(LogClient client, string way)
    {
        private readonly Queue<Action> _waiting = new();
        private bool _isMoving;

        public void Add(Action action)
        {
            _waiting.Enqueue(action);
            if (!_isMoving)
                Move();
        }

        private void Move()
        {
            _isMoving = true;
            var log = client.Log;
            if (log.Befalls(log.Trouble.Late))
            {
                log.Saw($"{way}: late");
                log.World.After(log.UpTo(log.Trouble.LateSeconds), () => log.Network.Post(Pass));
            }
            else
                log.Network.Post(Pass);
        }

        private void Pass()
        {
            _isMoving = false;
            if (client.IsDead)
                return;
            if (!client.IsReached)
            {
                _ = WaitAsync();
                return;
            }
            _waiting.Dequeue()();
            if (_waiting.Count > 0)
                Move();
        }

        // In the network's lane, as Pass is.
        private async Task WaitAsync()
        {
            _isMoving = true;
            while (!client.IsReached && !client.IsDead)
                await client.Log.Change();
            Pass();
        }
    }
}
