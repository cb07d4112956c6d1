using Akka.Actor;
using Akka.Cluster;
using MassDpo.Cluster.Links;
using MassDpo.Cluster.Transfer;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>
/// On every node that may have the learner: sees to it that a checkpoint is on several of them. States: following (has its directory brought to what the learner's node has), preparing
/// and leading (the directory is the learner's, and the others are told of its newest checkpoint until they have it). It says to any node what it has, and serves that. It persists
/// nothing itself.
/// </summary>
internal sealed class CheckpointKeeper : UntypedActor, IWithTimers
{
    // Files that others are in the middle of.
    private const int MostOpen = 64;

    private const int Attempts = 3;

    // News of a checkpoint that are passed over at most after its copy failed.
    private const int LongestPause = 64;

    // Also a learner that has no checkpoint is heard of.
    private static readonly (string, long) Nothing = ("", -1);

    private readonly string _root;
    private readonly IFiles _files;
    private readonly string _role;
    private readonly int _copies;
    private readonly Action<string> _note;
    private readonly CheckpointStore _store;
    private readonly ServedFiles _served;
    private readonly Akka.Cluster.Cluster _cluster = Akka.Cluster.Cluster.Get(Context.System);
    private readonly HashSet<CheckpointName> _whole = [];
    // What other nodes have said that they hold in the epoch of this node's learner.
    private readonly Dictionary<Address, string> _holders = [];
    private IActorRef _server = ActorRefs.Nobody;
    private IActorRef _follower = ActorRefs.Nobody;
    private CancellationTokenSource _stopFollowing = new();
    private bool _isFollowing = true;
    private bool _isBusy;
    private (string Newest, long Epoch) _held = Nothing;
    private (string Newest, int Failures, int Passed) _failed = ("", 0, 0);
    // The epoch of this node's learner; 0: it has claimed none.
    private long _leads;
    private long _newestEpoch;
    private Action<Counted>? _counted;

    public CheckpointKeeper(string root, IFiles files, string role, int copies, Action<string> note)
    {
        (_root, _files, _role, _copies, _note) = (root, files, role, copies, note);
        _store = new CheckpointStore(RunDirectory.CheckpointsIn(root), files, keep: 2);
        _served = new ServedFiles(root, files);
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        var (root, files, note, served) = (_root, _files, _note, _served);
        _server = Context.ActorOf(Props.Create(() => new PieceServer(served.Open, MostOpen)).WithDispatcher(CheckpointCopies.OwnThread));
        _follower = Context.ActorOf(Props.Create(() => new CheckpointFollower(root, files, note)).WithDispatcher(CheckpointCopies.OwnThread));
        Timers.StartPeriodicTimer(nameof(Again), Again.Instance, Exchange.ResendOf(Context.System));
    }

    protected override void PostStop() => _stopFollowing.Cancel();

    // What it knows must outlive what it cannot read: begun anew by its supervisor it would follow others in a directory that is the learner's.
    protected override void OnReceive(object message)
    {
        try
        {
            Take(message);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _note($"the copies of checkpoints in {_root} could not be seen to, which is tried again: {e.Message}");
        }
    }

    private void Take(object message)
    {
        switch (message)
        {
            case ListingRequest:
                Answer();
                break;
            case CheckpointNews news when _isFollowing && news.Epoch >= _newestEpoch:
                _newestEpoch = news.Epoch;
                Follow(news);
                break;
            case CheckpointNews:
                break;
            case Brought brought:
                _isBusy = false;
                Heed(brought);
                break;
            case CheckpointHeld held when held.Epoch == _leads:
                _holders[Sender.Path.Address] = held.Newest;
                Count();
                break;
            case CheckpointHeld:
                break;
            case Prepare(var done):
                _isFollowing = false;
                _stopFollowing.Cancel();
                // It does this when it has ended what it is at.
                _follower.Tell(new CheckpointFollower.LetGo(done));
                break;
            case Pull(var from, var epoch, var done, var stop):
                _follower.Tell(new CheckpointFollower.Follow(from, epoch, epoch == 0, (newest, failure) =>
                {
                    if (failure is null)
                        done.TrySetResult(newest);
                    else
                        done.TrySetException(new TransferException(failure));
                }, stop));
                break;
            case Lead lead:
                (_leads, _counted) = (lead.Epoch, lead.Counted);
                _newestEpoch = Math.Max(_newestEpoch, lead.Epoch);
                _holders.Clear();
                TellNews();
                break;
            case Written:
                TellNews();
                break;
            case Resume:
                (_leads, _counted, _isFollowing, _held) = (0, null, true, Nothing);
                _stopFollowing = new CancellationTokenSource();
                break;
            case Again when _leads > 0:
                // Which reads no files.
                Count();
                TellNews();
                break;
            case Again:
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    // The others that are up and have the role.
    private IEnumerable<Address> Others => _cluster.State.Members.Where(member => member.Status == MemberStatus.Up && member.HasRole(_role) && member.Address != _cluster.SelfAddress)
        .Select(member => member.Address);

    private void Answer()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                // Of its own learner's each was whole when it was written, and whoever pulls it checks it.
                var listing = CheckpointListing.Of(_root, _files, name => _leads > 0 || IsWhole(name));
                var (thing, length) = listing is null ? ("", 0) : _served.Serve(listing);
                Sender.Tell(new ListingAnswer(listing?.Newest.ToString() ?? "", thing, _server.Path.ToSerializationFormatWithAddress(_cluster.SelfAddress), length,
                    Math.Max(_newestEpoch, RunDirectory.LastEpochIn(_root, _files))));
                return;
            }
            catch (IOException) when (attempt < Attempts)
            {
                // The learner took one away meanwhile.
            }
        }
    }

    private bool IsWhole(CheckpointName name)
    {
        try
        {
            if (!_whole.Contains(name))
                _store.Check(name);
            _whole.Add(name);
            return true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return false;
        }
    }

    private void Follow(CheckpointNews news)
    {
        if (_held == (news.Newest, news.Epoch))
            Sender.Tell(new CheckpointHeld(news.Epoch, news.Newest));
        // What comes while it is at one comes again.
        else if (!_isBusy && !IsPassedOver(news.Newest))
        {
            _isBusy = true;
            var (self, leader) = (Self, Sender);
            _follower.Tell(new CheckpointFollower.Follow(leader, news.Epoch, news.Newest.Length > 0, (newest, failure) => self.Tell(new Brought(leader, news, newest, failure), ActorRefs.NoSender),
                _stopFollowing.Token));
        }
    }

    private bool IsPassedOver(string newest)
    {
        if (_failed.Newest != newest || _failed.Failures == 0)
            return false;
        _failed = _failed with { Passed = _failed.Passed + 1 };
        return _failed.Passed < Math.Min(1 << Math.Min(_failed.Failures, 16), LongestPause);
    }

    private void Heed(Brought brought)
    {
        if (!_isFollowing)
            return;
        if (brought.Failure is { } failure)
        {
            _failed = (brought.News.Newest, _failed.Newest == brought.News.Newest ? _failed.Failures + 1 : 1, 0);
            _note($"checkpoint {brought.News.Newest} of {brought.Leader.Path.Address} could not be copied, which is tried again: {failure}");
            return;
        }
        _failed = ("", 0, 0);
        _held = (brought.Newest, brought.News.Epoch);
        brought.Leader.Tell(new CheckpointHeld(brought.News.Epoch, brought.Newest));
    }

    private void TellNews()
    {
        var newest = _store.List() is [var first, ..] ? first.ToString() : "";
        foreach (var other in Others.Where(other => _holders.GetValueOrDefault(other) != newest))
            Context.ActorSelection(new RootActorPath(other) / "user" / CheckpointCopies.Keeper).Tell(new CheckpointNews(_leads, newest));
    }

    private void Count()
    {
        var others = Others.ToList();
        var versions = others.Select(other => CheckpointName.TryParse(_holders.GetValueOrDefault(other) ?? "")).OfType<CheckpointName>().Select(name => name.Version).OrderDescending().ToList();
        _counted?.Invoke(new Counted(versions.Count >= _copies ? versions[_copies - 1] : null, others.Count >= _copies));
    }

    /// <summary>How copies stand.</summary>
    /// <param name="Version">the newest of which there are as many as there must be; null: of none</param>
    /// <param name="Possible">whether there are as many nodes</param>
    public sealed record Counted(long? Version, bool Possible);

    /// <summary>Stop following, and say when the directory is free.</summary>
    public sealed record Prepare(TaskCompletionSource Done);

    /// <summary>Bring what another node has, though nobody leads; or, with an epoch, keep that alone.</summary>
    public sealed record Pull(IActorRef From, long Epoch, TaskCompletionSource<string> Done, CancellationToken Stop);

    /// <summary>This node's learner has claimed an epoch; <paramref name="Counted"/> is told how copies stand, again and again.</summary>
    public sealed record Lead(long Epoch, Action<Counted> Counted);

    /// <summary>It has written a checkpoint.</summary>
    public sealed class Written
    {
        public static Written Instance { get; } = new();
    }

    /// <summary>It is over: follow again.</summary>
    public sealed class Resume
    {
        public static Resume Instance { get; } = new();
    }

    private sealed record Brought(IActorRef Leader, CheckpointNews News, string Newest, string? Failure);

    private sealed class Again
    {
        public static Again Instance { get; } = new();
    }
}
