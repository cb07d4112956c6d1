using Akka.Actor;
using MassDpo.Cluster.Transfer;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using Operation = MassDpo.Cluster.V1.Call.Types.Operation;

namespace MassDpo.Cluster.Links;

/// <summary>
/// Pulls the newest snapshot that is offered, on a thread of its own, checks it, and hands it on to all subscribers of this node. One that is damaged is pulled again a few times; one
/// that is of another policy, too large or gone is told of and never loaded: the next one is.
/// </summary>
internal sealed class SnapshotFetcher : IDisposable
{
    // Of a snapshot that came damaged.
    private const int Attempts = 3;

    private readonly ActorSystem _system;
    private readonly ISnapshotFormat _format;
    private readonly LocalSnapshotsLink _received;
    private readonly Action<string> _note;
    private readonly Action<Exception> _failed;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private SnapshotOffer? _waiting;
    private SnapshotOffer? _loading;
    private CancellationTokenSource? _pull;
    private (long Epoch, long Version) _loaded = (long.MinValue, 0);
    private SharedTensors? _reference;
    // Written over by each.
    private byte[] _bytes = [];

    /// <param name="system">this node</param>
    /// <param name="end">of the link</param>
    /// <param name="format">of the tensors</param>
    /// <param name="received">gets what is whole</param>
    /// <param name="note">told of what was left out</param>
    /// <param name="failed">told why it cannot go on</param>
    public SnapshotFetcher(ActorSystem system, IActorRef end, ISnapshotFormat format, LocalSnapshotsLink received, Action<string> note, Action<Exception> failed)
    {
        (_system, _format, _received, _note, _failed) = (system, format, received, note, failed);
        end.Tell(new ExchangeEnd.Want(Operation.FollowSnapshots, Operation.LeaveSnapshots, "", isOnce: false, (content, _) =>
        {
            Hear((SnapshotOffer)content);
            return ValueTask.CompletedTask;
        }), ActorRefs.NoSender);
        _thread = new Thread(Run) { IsBackground = true, Name = "massdpo-snapshots" };
        _thread.Start();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _reference?.Release();
    }

    private void Hear(SnapshotOffer offer)
    {
        lock (_lock)
        {
            if (!offer.IsNewerThan(_loaded) || (_waiting is { } other && !offer.IsNewerThan((other.Epoch, other.Version))))
                return;
            _waiting = offer;
            // Else what it is in the middle of comes to its end. Where another node publishes now, this one may never answer again.
            if (_loading is { } loading && loading.Publisher != offer.Publisher && offer.IsNewerThan((loading.Epoch, loading.Version)))
                _pull!.Cancel();
            _wake.Set();
        }
    }

    private void Run()
    {
        try
        {
            while (true)
            {
                _wake.Wait(_stop.Token);
                if (Next() is { } offer)
                    Load(offer);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    private SnapshotOffer? Next()
    {
        lock (_lock)
        {
            (_loading, _waiting) = (_waiting, null);
            _pull?.Dispose();
            _pull = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            _wake.Reset();
            return _loading is { } offer && offer.IsNewerThan(_loaded) ? offer : null;
        }
    }

    private void Load(SnapshotOffer offer)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                CheckLength(offer.Policy);
                var publisher = Resolve(offer.Publisher);
                var reference = offer.Reference is { } part ? ReferenceOf(publisher, part) : null;
                var policy = Read(publisher, offer.Policy);
                lock (_lock)
                    _loaded = (offer.Epoch, offer.Version);
                _received.Publish(new PolicySnapshot(offer.Epoch, offer.Version, policy, reference, offer.Policy.Hash));
                return;
            }
            catch (InvalidDataException) when (attempt < Attempts && !HasNewer)
            {
            }
            catch (Exception e) when (e is InvalidDataException or TransferException)
            {
                _note($"the snapshot of epoch {offer.Epoch}, version {offer.Version} was left out: {e.Message}");
                return;
            }
            catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
            {
                // Another node has a newer one, which comes next; or this one shuts down.
                return;
            }
        }
    }

    private bool HasNewer
    {
        get
        {
            lock (_lock)
                return _waiting is not null;
        }
    }

    // Before anything of that length is asked for.
    private void CheckLength(SnapshotPart part)
    {
        if (part.Length is <= 0 || part.Length > Math.Min(_format.MaxBytes, Array.MaxLength))
            throw new TransferException($"it has {part.Length} bytes, where this policy has at most {_format.MaxBytes}");
    }

    private IActorRef Resolve(string publisher)
    {
        if (!ActorPath.TryParse(publisher, out _))
            throw new TransferException($"'{publisher}' is no actor");
        return ((ExtendedActorSystem)_system).Provider.ResolveActorRef(publisher);
    }

    private SharedTensors ReferenceOf(IActorRef publisher, SnapshotPart part)
    {
        if (_reference?.Hash != part.Hash)
        {
            CheckLength(part);
            var read = new SharedTensors(Read(publisher, part), part.Hash);
            _reference?.Release();
            _reference = read;
        }
        return _reference;
    }

    private ISnapshotTensors Read(IActorRef publisher, SnapshotPart part)
    {
        var (bytes, length) = (_bytes, (int)part.Length);
        // What is given up may still write to it.
        _bytes = [];
        if (bytes.Length < length)
            bytes = GC.AllocateUninitializedArray<byte>(length);
        Puller.PullAsync(_system, publisher, part.Thing, bytes.AsMemory(0, length), _pull!.Token).GetAwaiter().GetResult();
        _bytes = bytes;
        using var stream = new MemoryStream(bytes, 0, length, writable: false);
        var tensors = _format.Read(stream);
        if (tensors.ComputeHash() is var hash && hash != part.Hash)
        {
            tensors.Dispose();
            throw new InvalidDataException($"its tensors have hash {hash}, published was {part.Hash}");
        }
        return tensors;
    }
}
