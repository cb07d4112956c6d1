using Akka.Actor;
using MassDpo.Cluster.Transfer;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;

namespace MassDpo.Cluster.Checkpoints;

/// <summary>
/// Brings this node's output directory to what another has, one go at a time, on a thread of its own. From the first go on it has the directory's lock, until it is to let go of it.
/// It persists what it brings; made anew it looks at what is there.
/// </summary>
/// <param name="root">the output directory</param>
/// <param name="files">what it is written through</param>
/// <param name="note">told of what went wrong or aside</param>
internal sealed class CheckpointFollower(string root, IFiles files, Action<string> note) : UntypedActor
{
    // Of a message of a few bytes; who asked asks again.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private RunDirectory? _directory;
    private CheckpointCopier? _copier;

    protected override void PostStop() => LetGoOf();

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case Follow follow:
                Bring(follow);
                break;
            case LetGo letGo:
                LetGoOf();
                letGo.Done.TrySetResult();
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    private void Bring(Follow follow)
    {
        var newest = "";
        string? failure = null;
        try
        {
            follow.Stop.ThrowIfCancellationRequested();
            if (_directory is null)
            {
                _directory = RunDirectory.Open(root, files);
                _copier = new CheckpointCopier(_directory, note);
            }
            if (follow.Epoch > _directory.LastEpoch)
                _directory.KeepEpoch(follow.Epoch);
            if (follow.HasCheckpoint)
                newest = Bring(follow.Keeper, isLeader: follow.Epoch > 0, follow.Stop).ToString();
        }
        catch (Exception e)
        {
            // Whatever it is: it is tried again when the next news come.
            failure = e.Message;
            // Half of what was known of the logs may be wrong.
            LetGoOf();
        }
        follow.Done(newest, failure);
    }

    private CheckpointName Bring(IActorRef keeper, bool isLeader, CancellationToken stop)
    {
        var system = Context.System;
        var answer = Wait(keeper.Ask<ListingAnswer>(new ListingRequest(), Patience, stop));
        if (answer.Length is <= 0 or > CheckpointListing.MostBytes)
            throw new InvalidDataException($"{keeper.Path.Address} lists its checkpoints in {answer.Length} bytes");
        var server = ((ExtendedActorSystem)system).Provider.ResolveActorRef(answer.Server);
        if (answer.Epoch > _directory!.LastEpoch)
            _directory.KeepEpoch(answer.Epoch);
        var listing = CheckpointListing.Decode(Wait(Puller.PullAsync(system, server, answer.Thing, (int)answer.Length, stop)));
        _copier!.Bring(listing, isLeader, (thing, from, length, take) => Puller.PullAsync(system, server, thing, from, length, take, blocks: true, stop).GetAwaiter().GetResult());
        return listing.Newest;
    }

    // It has this thread for itself.
    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();

    private void LetGoOf()
    {
        _copier?.Dispose();
        _directory?.Dispose();
        (_copier, _directory) = (null, null);
    }

    /// <summary>Bring what a node has.</summary>
    /// <param name="Keeper">of that node</param>
    /// <param name="Epoch">that its learner has claimed, or, of a node without the learner, 0</param>
    /// <param name="HasCheckpoint">whether there is anything to bring</param>
    /// <param name="Done">told of the newest checkpoint that is held now, and why not where it failed</param>
    /// <param name="Stop">gives up</param>
    public sealed record Follow(IActorRef Keeper, long Epoch, bool HasCheckpoint, Action<string, string?> Done, CancellationToken Stop);

    /// <summary>Let go of the directory, and say when that is done.</summary>
    public sealed record LetGo(TaskCompletionSource Done);
}
