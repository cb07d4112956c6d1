using System.Globalization;
using System.Text;
using Confluent.Kafka;
using MassDpo.Shared.Links;
using MassDpo.Wire;

namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// The control link over a simulated log, on one thread: the same topic, messages, order (<see cref="ControlOrder"/>) and headers as <c>KafkaControlLink</c>, which has
/// threads and a client instead.
/// </summary>
public sealed class LogControlLink : IControlLink, IDisposable
{
    /// <summary>Partition of claims and notices.</summary>
    public const int Notices = 0;

    /// <summary>Partition of what members send.</summary>
    public const int Messages = 1;

    private const string StartHeader = "massdpo-start";

    private readonly LogClient _client;
    private readonly string _topic;
    private readonly ControlOrder _order = new();
    private readonly List<Member> _members = [];
    private readonly Dictionary<string, TaskCompletionSource<bool>> _claims = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _caughtUp = new();
    private readonly Lazy<LogReader> _reader;
    private readonly Lazy<LogReader> _listener;
    private TaskCompletionSource<Authority> _holder = new();
    private Authority? _authority;
    private string? _owner;
    private long? _start;
    private long _end;
    private int _claimed;

    /// <param name="client">of the process</param>
    /// <param name="topic">of two partitions</param>
    /// <param name="group">under which the learner's place is kept</param>
    /// <param name="failed">told why the link cannot go on</param>
    public LogControlLink(LogClient client, string topic, string group, Action<Exception> failed)
    {
        (_client, _topic) = (client, topic);
        _reader = new Lazy<LogReader>(() => new LogReader(client, topic, group: null, gapsFail: true, Begin, Read, failed));
        _listener = new Lazy<LogReader>(() => new LogReader(client, topic, group + ".control", gapsFail: false,
            () => new Dictionary<int, long> { [Messages] = LogReader.Stored(client.Log, group + ".control", topic, Messages) }, ListenAsync, failed));
    }

    /// <inheritdoc/>
    public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, CancellationToken cancellation)
    {
        _ = _reader.Value;
        await _caughtUp.Task.WaitAsync(cancellation);
        if (_order.Objection(claim) is { } objection)
            throw objection;
        var claimant = $"{_client.Name}/{++_claimed}";
        var decided = _claims[claimant] = new TaskCompletionSource<bool>();
        _client.Send(_topic, Notices, NoticeCodec.Encode(claim, claimant), StartingAt(_start));
        if (!await decided.Task.WaitAsync(cancellation))
            throw _order.Objection(claim) ?? ClaimRefusedException.NotNewer(claim, claim.Epoch);
        var authority = new Authority(this, claimant, claim.Epoch, deliver, fenced, StartingAt(_start));
        if (_owner == claimant)
            Hold(authority);
        else
            authority.Fence("a newer epoch");
        _ = _listener.Value;
        return authority;
    }

    /// <inheritdoc/>
    public IDisposable Join(string member, Action<ControlNotice> deliver)
    {
        var joined = new Member(this, member, deliver);
        _members.RemoveAll(one => one.Name == member);
        _members.Add(joined);
        if (_caughtUp.Task.IsCompleted)
            Acquaint(deliver);
        _ = _reader.Value;
        return joined;
    }

    /// <inheritdoc/>
    public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation)
    {
        _client.Send(_topic, Messages, MessageCodec.Encode(message), mayDouble: true);
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        _authority?.Dispose();
        foreach (var reader in new[] { _listener, _reader })
            if (reader.IsValueCreated)
                reader.Value.Dispose();
    }

    private Dictionary<int, long> Begin()
    {
        var held = _client.Log.At(_topic, Notices);
        _end = held.High;
        if (held.Low == held.High)
        {
            CatchUp();
            return new Dictionary<int, long> { [Notices] = held.High };
        }
        // The first claim of all says nothing, nor does one that was on its way while another came: then all that is there is read.
        var start = held[held.High - 1]!.Headers!.TryGetLastBytes(StartHeader, out var bytes) ? long.Parse(Encoding.ASCII.GetString(bytes), CultureInfo.InvariantCulture) : 0;
        return new Dictionary<int, long> { [Notices] = Math.Max(start, held.Low) };
    }

    private ValueTask Read(LogRecord record, CancellationToken cancellation)
    {
        Take(record.Offset, NoticeCodec.Decode(record.Value));
        if (record.Offset >= _end - 1)
            CatchUp();
        return ValueTask.CompletedTask;
    }

    private void Take(long offset, (ControlNotice? Notice, EpochClaim? Claim, string Claimant) read)
    {
        if (read.Claim is { } claim)
        {
            var counts = _order.Claim(claim);
            if (counts)
                (_owner, _start) = (read.Claimant, offset);
            var fenced = counts && _authority is { } authority && authority.Claimant != read.Claimant ? _authority : null;
            if (_claims.Remove(read.Claimant, out var decided))
                decided.SetResult(counts);
            fenced?.Fence($"epoch {claim.Epoch}");
        }
        else if (_order.Hear(read.Notice!) && _caughtUp.Task.IsCompleted)
            foreach (var member in _members.ToList())
                member.Deliver(read.Notice!);
    }

    private async ValueTask ListenAsync(LogRecord record, CancellationToken cancellation)
    {
        var message = MessageCodec.Decode(record.Value);
        await (await _holder.Task.WaitAsync(cancellation)).Deliver(message, cancellation);
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
        foreach (var member in _members)
            Acquaint(member.Deliver);
        _caughtUp.SetResult();
    }

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
        authority.Holds = false;
        if (_authority != authority)
            return;
        _authority = null;
        _holder = new TaskCompletionSource<Authority>();
    }

    private sealed class Authority(LogControlLink link, string claimant, long epoch, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced, Headers headers) : IControlAuthority
    {
        public string Claimant => claimant;

        public Func<ControlMessage, CancellationToken, ValueTask> Deliver => deliver;

        public bool Holds { get; set; }

        public void Fence(string newer)
        {
            link.Leave(this);
            fenced($"{newer} was claimed by another learner");
        }

        public void Announce(ControlNotice notice)
        {
            if (notice.Epoch != epoch)
                throw new ArgumentException($"a notice of epoch {notice.Epoch} from the learner of epoch {epoch}", nameof(notice));
            if (Holds)
                link._client.Send(link._topic, Notices, NoticeCodec.Encode(notice), headers);
        }

        public void Dispose() => link.Leave(this);
    }

    private sealed class Member(LogControlLink link, string name, Action<ControlNotice> deliver) : IDisposable
    {
        public string Name => name;

        public Action<ControlNotice> Deliver => deliver;

        public void Dispose() => link._members.Remove(this);
    }
}
