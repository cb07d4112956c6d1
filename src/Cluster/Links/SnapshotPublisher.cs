using Akka.Actor;
using MassDpo.Cluster.Transfer;
using MassDpo.Shared.Links;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Offers snapshots, one after the other, on a thread of its own: it turns each into bytes once, keeps them for those who pull, and tells the hub. While it is at one only the newest of
/// those that come is kept. The reference policy that goes with it is turned into bytes once as long as it is the same.
/// </summary>
internal sealed class SnapshotPublisher : IDisposable
{
    // Snapshots that others are in the middle of, with those that newcomers begin on.
    private const int MostOpen = 16;

    private readonly ActorSystem _system;
    private readonly IActorRef _end;
    private readonly IActorRef _server;
    private readonly ISnapshotFormat _format;
    private readonly Action<Exception> _failed;
    private readonly KeptSnapshots _kept = new();
    private readonly string _publisher;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private PolicySnapshot? _next;
    private PolicySnapshot? _newest;
    private SnapshotPart? _reference;

    /// <param name="system">this node</param>
    /// <param name="end">of the link</param>
    /// <param name="format">of the tensors</param>
    /// <param name="failed">told why it cannot go on</param>
    public SnapshotPublisher(ActorSystem system, IActorRef end, ISnapshotFormat format, Action<Exception> failed)
    {
        (_system, _end, _format, _failed) = (system, end, format, failed);
        var kept = _kept;
        _server = system.ActorOf(Props.Create(() => new PieceServer(kept.Open, MostOpen)));
        _publisher = _server.Path.ToSerializationFormatWithAddress(Akka.Cluster.Cluster.Get(system).SelfAddress);
        _thread = new Thread(Run) { IsBackground = true, Name = "massdpo-snapshots" };
        _thread.Start();
    }

    public void Publish(PolicySnapshot snapshot)
    {
        PolicySnapshot? dropped;
        lock (_lock)
        {
            if (snapshot.IsNewerThan(_newest))
                (dropped, _next, _newest) = (_next, snapshot, snapshot);
            else
                dropped = snapshot;
            _wake.Set();
        }
        dropped?.Release();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _system.Stop(_server);
        lock (_lock)
            _next?.Release();
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                _wake.Wait(_stop.Token);
                PolicySnapshot? snapshot;
                lock (_lock)
                {
                    (snapshot, _next) = (_next, null);
                    _wake.Reset();
                }
                if (snapshot is null)
                    continue;
                try
                {
                    // So long it is this one that newcomers are told of; the next is the newest then.
                    Offer(snapshot).Wait(_stop.Token);
                }
                finally
                {
                    snapshot.Release();
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (AggregateException e) when (e.InnerException is OperationCanceledException)
        {
            // The end was closed.
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    // Completes when the hub knows.
    private Task Offer(PolicySnapshot snapshot)
    {
        using var lease = snapshot.TryAcquire()!;
        if (lease.Reference is { } reference && _reference?.Hash != reference.Hash)
        {
            var name = $"reference {reference.Hash}";
            _reference = new SnapshotPart(name, reference.Hash, _kept.KeepReference(name, stream => _format.Write(reference.Tensors, stream)));
        }
        var thing = $"epoch {lease.Epoch}, version {lease.Version}";
        var policy = new SnapshotPart(thing, lease.Hash, _kept.Keep(thing, stream => _format.Write(lease.Tensors, stream)));
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _end.Tell(new ExchangeEnd.Want(Operation.PublishSnapshot, Operation.WithdrawSnapshot, "", isOnce: false, (_, _) => ValueTask.CompletedTask)
        {
            Content = new SnapshotOffer(lease.Epoch, lease.Version, policy, lease.Reference is null ? null : _reference, _publisher),
            Done = done,
        }, ActorRefs.NoSender);
        return done.Task;
    }
}
