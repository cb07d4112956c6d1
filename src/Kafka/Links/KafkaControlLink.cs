using System.Globalization;
using System.Text;
using Confluent.Kafka;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.Kafka.Links;

/// <summary>
/// The control link over a topic. Partition 0 holds claims and what learners announce: its order decides who owns the epoch (<see cref="ControlOrder"/>).
/// Partition 1 holds what members send; a learner reads on there where the one before it stopped. Each message of partition 0 carries the offset from which
/// a newcomer has to read, so that joining costs no more than the epoch that holds.
/// </summary>
public sealed class KafkaControlLink : IControlLink, IDisposable
{
    private const string StartHeader = "massdpo-start";

    private readonly KafkaLinkOptions _options;
    private readonly TopicPartition _notices;
    private readonly TopicPartition _messages;
    private readonly LinkProducer _producer;
    private readonly Lock _lock = new();
    private readonly ControlOrder _order = new();
    // Who made the newest claim that counts, and at which offset: from there on a newcomer must read to know all that holds.
    private string? _owner;
    private long? _start;
    private readonly List<Member> _members = [];
    private readonly Dictionary<string, TaskCompletionSource<bool>> _claims = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lazy<PartitionReader> _reader;
    private readonly Lazy<PartitionReader> _listener;
    private TaskCompletionSource<Authority> _holder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Authority? _authority;
    private long _end;

    /// <param name="options">how to reach the topic</param>
    /// <param name="topic">of two partitions or more</param>
    /// <exception cref="InvalidDataException">no server is named, or a property is not taken</exception>
    public KafkaControlLink(KafkaLinkOptions options, string topic)
    {
        _options = options with { Failed = Fail };
        (_notices, _messages) = (new TopicPartition(topic, 0), new TopicPartition(topic, 1));
        _producer = new LinkProducer(_options, "massdpo-control");
        _reader = new Lazy<PartitionReader>(() => new PartitionReader(_options, "massdpo-control", topic, AutoOffsetReset.Error, group: null, Begin, Read));

        _listener = new Lazy<PartitionReader>(() => new PartitionReader(_options, "massdpo-control-learner", topic, AutoOffsetReset.Earliest, options.Group + ".control",
            _ => [new TopicPartitionOffset(_messages, Offset.Stored)], ListenAsync));

        void Fail(Exception e)
        {
            _caughtUp.TrySetException(e);
            options.Failed(e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        CancellationToken cancellation)
    {
        _ = _reader.Value;
        await _caughtUp.Task.WaitAsync(cancellation);
        var claimant = $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";
        var decided = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Headers headers;
        lock (_lock)
        {
            if (_order.Objection(claim) is { } objection)
                throw objection;
            _claims[claimant] = decided;
            headers = StartingAt(_start);
        }
        await _producer.SendAsync(_notices, null, NoticeCodec.Encode(claim, claimant), headers, arrived: null, cancellation);
        // Where another claim came between, the order decides.
        if (!await decided.Task.WaitAsync(cancellation))
        {
            lock (_lock)
                throw _order.Objection(claim) ?? ClaimRefusedException.NotNewer(claim, claim.Epoch);
        }
        Authority authority;
        lock (_lock)
        {
            authority = new Authority(this, claimant, claim.Epoch, deliver, fenced, StartingAt(_start));
            // One that was claimed meanwhile has fenced this one already.
            if (_owner == claimant)
                Hold(authority);
        }
        if (!authority.Holds)
            authority.Fence("a newer epoch");
        _ = _listener.Value;
        return authority;
    }

    /// <inheritdoc/>
    public IDisposable Join(string member, Action<ControlNotice> deliver)
    {
        var joined = new Member(this, member, deliver);
        lock (_lock)
        {
            _members.RemoveAll(one => one.Name == member);
            _members.Add(joined);
            if (_caughtUp.Task.IsCompletedSuccessfully)
                Acquaint(deliver);
        }
        _ = _reader.Value;
        return joined;
    }

    /// <inheritdoc/>
    public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) =>
        _producer.SendAsync(_messages, null, MessageCodec.Encode(message), headers: null, arrived: null, cancellation);

    /// <summary>Stops; what was sent and announced before is on its way for a while yet.</summary>
    public void Dispose()
    {
        _authority?.Dispose();
        foreach (var reader in new[] { _listener, _reader })
            if (reader.IsValueCreated)
                reader.Value.Dispose();
        _producer.Dispose();
    }

    // From where the last message says, to where the partition ends now.
    private List<TopicPartitionOffset> Begin(IConsumer<Ignore, byte[]?> consumer)
    {
        var held = Clients.Watermarks(_options.Kafka, consumer, _notices);
        _end = held.High.Value;
        if (held.Low == held.High)
        {
            CatchUp();
            return [new TopicPartitionOffset(_notices, held.High)];
        }
        consumer.Assign(new TopicPartitionOffset(_notices, held.High - 1));
        var last = consumer.Consume(Clients.Patience) ?? throw new LinkException($"topic '{_notices.Topic}' holds messages up to offset {_end}, but gave none within {Clients.Patience}");
        // The first claim of all says nothing, nor does what no learner wrote: then all that is there is read.
        return [new TopicPartitionOffset(_notices, Math.Max(StartOf(last) ?? 0, held.Low.Value))];
    }

    private static long? StartOf(ConsumeResult<Ignore, byte[]?> last) => last.Message.Headers.TryGetLastBytes(StartHeader, out var bytes) && bytes is not null
        && long.TryParse(Encoding.ASCII.GetString(bytes), NumberStyles.None, CultureInfo.InvariantCulture, out var told) && told <= last.Offset.Value ? told : null;

    private ValueTask Read(ConsumeResult<Ignore, byte[]?> result, CancellationToken cancellation)
    {
        try
        {
            Take(result.Offset.Value, NoticeCodec.Decode(result.Message.Value));
        }
        finally
        {
            if (result.Offset.Value >= _end - 1)
                CatchUp();
        }
        return ValueTask.CompletedTask;
    }

    private void Take(long offset, (ControlNotice? Notice, EpochClaim? Claim, string Claimant) read)
    {
        Authority? fenced = null;
        lock (_lock)
        {
            if (read.Claim is { } claim)
            {
                var counts = _order.Claim(claim);
                if (counts)
                    (_owner, _start) = (read.Claimant, offset);
                if (counts && _authority is { } authority && authority.Claimant != read.Claimant)
                    fenced = authority;
                if (_claims.Remove(read.Claimant, out var decided))
                    decided.SetResult(counts);
            }
            else if (_order.Hear(read.Notice!) && _caughtUp.Task.IsCompleted)
            {
                // Under the lock, so that who joins meanwhile neither misses a notice nor hears it twice; deliver does not block.
                foreach (var member in _members)
                    member.Deliver(read.Notice!);
            }
        }
        fenced?.Fence($"epoch {read.Claim!.Epoch}");
    }

    // What members send waits here while nobody holds the epoch.
    private async ValueTask ListenAsync(ConsumeResult<Ignore, byte[]?> result, CancellationToken cancellation)
    {
        var message = MessageCodec.Decode(result.Message.Value);
        Task<Authority> holder;
        lock (_lock)
            holder = _holder.Task;
        await (await holder.WaitAsync(cancellation)).Deliver(message, cancellation);
    }

    private void Hold(Authority authority)
    {
        if (_authority is { } older)
            Leave(older);
        authority.Holds = true;
        _authority = authority;
        _holder.SetResult(authority);
    }

    private void CatchUp()
    {
        if (_caughtUp.Task.IsCompleted)
            return;
        lock (_lock)
        {
            foreach (var member in _members)
                Acquaint(member.Deliver);
            _caughtUp.TrySetResult();
        }
    }

    // A newcomer hears of the epoch that holds, and where its learner has stopped, of that too: nobody would tell it again.
    private void Acquaint(Action<ControlNotice> deliver)
    {
        if (_order.Epoch is { } epoch)
            deliver(epoch);
        if (_order.Stopped is { } stopped)
            deliver(stopped);
    }

    private static Headers StartingAt(long? start)
    {
        var headers = new Headers();
        if (start is { } offset)
            headers.Add(StartHeader, Encoding.ASCII.GetBytes(offset.ToString(CultureInfo.InvariantCulture)));
        return headers;
    }

    private void Leave(Authority authority)
    {
        lock (_lock)
        {
            authority.Holds = false;
            if (_authority != authority)
                return;
            _authority = null;
            _holder = new TaskCompletionSource<Authority>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void Leave(Member member)
    {
        lock (_lock)
            _members.Remove(member);
    }

    private sealed class Authority(KafkaControlLink link, string claimant, long epoch, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
        Headers headers) : IControlAuthority
    {
        public string Claimant => claimant;

        public Func<ControlMessage, CancellationToken, ValueTask> Deliver => deliver;

        public volatile bool Holds;

        public void Fence(string newer)
        {
            link.Leave(this);
            fenced($"{newer} was claimed by another learner");
        }

        public void Announce(ControlNotice notice)
        {
            if (notice.Epoch != epoch)
                throw new ArgumentException($"a notice of epoch {notice.Epoch} from the learner of epoch {epoch}", nameof(notice));
            if (Holds && !link._producer.TrySend(link._notices, null, NoticeCodec.Encode(notice), headers))
                link._options.Failed(new LinkException($"'{link._notices.Topic}' does not take notices: too many are waiting"));
        }

        public void Dispose() => link.Leave(this);
    }

    private sealed class Member(KafkaControlLink link, string name, Action<ControlNotice> deliver) : IDisposable
    {
        public string Name => name;

        public Action<ControlNotice> Deliver => deliver;

        public void Dispose() => link.Leave(this);
    }
}
