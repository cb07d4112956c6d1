using Akka.Actor;
using Akka.Cluster;
using MassDpo.Cluster.Links;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>
/// Copies of checkpoints where the nodes that may have the learner share no directory: each has an output directory of its own, and all of them are kept at what the learner's has. One
/// per node, from its beginning on.
/// </summary>
internal sealed class CheckpointCopies : IAsyncDisposable
{
    /// <summary>Name of the actor, the same on all nodes.</summary>
    public const string Keeper = "massdpo-checkpoints";

    /// <summary>Of actors that wait for disks.</summary>
    public const string OwnThread = "massdpo.own-thread-dispatcher";

    private const int Attempts = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ActorSystem _system;
    private readonly Akka.Cluster.Cluster _cluster;
    private readonly string _role;
    private readonly string _output;
    private readonly IFiles _files;
    private readonly int _copies;
    private readonly Action<string> _note;
    private readonly IActorRef _keeper;

    /// <param name="system">this node</param>
    /// <param name="role">of the nodes that may have the learner</param>
    /// <param name="output">the run's directory on this node</param>
    /// <param name="files">what it is written through</param>
    /// <param name="copies">other nodes that must hold a checkpoint before it counts as written; 1 at least</param>
    /// <param name="note">told of what went wrong or aside</param>
    public CheckpointCopies(ActorSystem system, string role, string output, IFiles files, int copies, Action<string> note)
    {
        (_system, _cluster, _role, _output, _files, _copies, _note) = (system, Akka.Cluster.Cluster.Get(system), role, output, files, copies, note);
        _keeper = system.ActorOf(Props.Create(() => new CheckpointKeeper(output, files, role, copies, note)).WithDispatcher(OwnThread), Keeper);
    }

    /// <summary>
    /// Makes this node's directory ready for its learner: the newest checkpoint that any reachable node has is brought here, with all that goes with it. Until the result is disposed the
    /// directory is the learner's.
    /// </summary>
    /// <param name="control">the run's control link</param>
    /// <param name="cancellation">gives up</param>
    public async Task<PreparedLearner> PrepareAsync(IControlLink control, CancellationToken cancellation)
    {
        try
        {
            await LetGoAsync(cancellation);
            var others = await SurveyAsync(cancellation);
            var own = NewestWhole();
            // The next one where the best cannot be had.
            foreach (var (from, newest) in others.Where(other => other.Newest is not null).OrderByDescending(other => Order(other.Newest)).Select(other => (other.From, other.Newest)))
            {
                if (Order(newest).CompareTo(Order(own)) <= 0)
                    break;
                try
                {
                    _note($"checkpoint {await BringAsync(from!, 0, cancellation)} of {from!.Path.Address} is here now, and the learner goes on from it");
                    break;
                }
                catch (IOException e)
                {
                    _note($"checkpoint {newest} of {from!.Path.Address} could not be had: {e.Message}");
                }
            }
            // The next claim must be newer than any that they have heard of.
            if (others.Select(other => other.Epoch).DefaultIfEmpty().Max() is var epoch and > 0)
                await BringAsync(ActorRefs.Nobody, epoch, cancellation);
            await LetGoAsync(cancellation);
            var found = string.Join("; ", others.Select(other => $"{other.Address} {Words(other)}").Prepend($"{_cluster.SelfAddress} (this node) {(own is null ? "has none" : $"has {own}")}"));
            var versions = others.Select(other => other.Newest?.Version ?? 0).OrderDescending().ToList();
            return new PreparedLearner(new CopiedControlLink(control, _keeper, versions.ElementAtOrDefault(_copies - 1), found), found, _keeper, _system, _note);
        }
        catch
        {
            _keeper.Tell(CheckpointKeeper.Resume.Instance, ActorRefs.NoSender);
            throw;
        }

        static (long, long, long) Order(CheckpointName? name) => name is { } known ? (known.Epoch, known.Version, known.Settled) : (-1, -1, -1);

        static string Words((Address Address, IActorRef? From, CheckpointName? Newest, long Epoch) other) => other switch
        {
            { From: null } => "did not answer",
            { Newest: { } newest } => $"has {newest}",
            _ => "has none",
        };
    }

    /// <summary>Ends the keeper: the directory is free.</summary>
    public async ValueTask DisposeAsync()
    {
        // Of a system that has ended the actors have, too.
        await Task.WhenAny(_keeper.GracefulStop(Patience), _system.WhenTerminated);
    }

    private async Task LetGoAsync(CancellationToken cancellation)
    {
        var free = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _keeper.Tell(new CheckpointKeeper.Prepare(free), ActorRefs.NoSender);
        await free.Task.WaitAsync(cancellation);
    }

    private async Task<string> BringAsync(IActorRef from, long epoch, CancellationToken cancellation)
    {
        var done = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _keeper.Tell(new CheckpointKeeper.Pull(from, epoch, done, cancellation), ActorRefs.NoSender);
        return await done.Task.WaitAsync(cancellation);
    }

    private CheckpointName? NewestWhole()
    {
        var store = new CheckpointStore(RunDirectory.CheckpointsIn(_output), _files, keep: 2);
        foreach (var name in store.List())
        {
            try
            {
                store.Check(name);
                return name;
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                _note($"checkpoint {name} of this node is damaged: {e.Message}");
            }
        }
        return null;
    }

    private async Task<(Address Address, IActorRef? From, CheckpointName? Newest, long Epoch)[]> SurveyAsync(CancellationToken cancellation) => await Task.WhenAll(Reachable().Select(async address =>
    {
        var began = TimeProvider.System.GetTimestamp();
        var survey = _system.Settings.Config.GetTimeSpan("massdpo.checkpoints.survey", null, allowInfinite: false);
        var without = 0;
        var there = _system.ActorSelection(new RootActorPath(address) / "user" / Keeper);
        while (TimeProvider.System.GetElapsedTime(began) < survey && Reachable().Contains(address))
        {
            try
            {
                var identity = await there.Ask<ActorIdentity>(new Identify(null), Patience, cancellation);
                if (identity.Subject is not { } keeper)
                {
                    // One that has just begun will have a keeper in a moment; one that shares its directory, never.
                    if (++without == Attempts)
                        break;
                    await Task.Delay(Exchange.ResendOf(_system), cancellation);
                    continue;
                }
                var answer = await keeper.Ask<ListingAnswer>(new ListingRequest(), Patience, cancellation);
                return (address, keeper, CheckpointName.TryParse(answer.Newest), answer.Epoch);
            }
            catch (AskTimeoutException)
            {
                // It reads what it has, or is about to be unreachable.
            }
        }
        return (address, (IActorRef?)null, (CheckpointName?)null, 0L);
    }));

    private List<Address> Reachable()
    {
        var state = _cluster.State;
        return [.. state.Members.Where(member => member.Status == MemberStatus.Up && member.HasRole(_role) && member.Address != _cluster.SelfAddress && !state.Unreachable.Contains(member))
            .Select(member => member.Address)];
    }
}

/// <summary>This node's directory while it is the learner's. Disposing it waits, not for ever, until the last checkpoint has its copies, and has the node follow others again.</summary>
/// <param name="control">see <see cref="CopiedControlLink"/></param>
/// <param name="found">where checkpoints were looked for, and what there was</param>
/// <param name="keeper">of this node</param>
/// <param name="system">this node</param>
/// <param name="note">told of what has no copies</param>
internal sealed class PreparedLearner(CopiedControlLink control, string found, IActorRef keeper, ActorSystem system, Action<string> note) : IAsyncDisposable
{
    /// <summary>What the learner must be joined by.</summary>
    public IControlLink Control => control;

    /// <summary>Where checkpoints were looked for, and what there was.</summary>
    public string Found => found;

    public async ValueTask DisposeAsync()
    {
        var farewell = system.Settings.Config.GetTimeSpan("massdpo.checkpoints.farewell", null, allowInfinite: false);
        await Task.WhenAny(control.EndAsync(), Task.Delay(farewell), system.WhenTerminated);
        if (control.Pending is { } version)
            note($"checkpoint of version {version} was not copied to as many nodes as it must be: it does not count as written, and only this node may have it");
        control.GiveUp();
        keeper.Tell(CheckpointKeeper.Resume.Instance, ActorRefs.NoSender);
    }
}
