using MassDpo.App.Running;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Links;

namespace MassDpo.App.Tests.Running;

/// <summary>Links and files with one defect each, of the kind that a pipeline must not have. One run each: they remember what they saw.</summary>
internal static class PlantedDefects
{
    /// <summary>Selectors get each version with the weights of the one before.</summary>
    public static PipelineLinks PublishingOldWeights(PipelineLinks links)
    {
        PolicySnapshot? last = null;
        return links with
        {
            Snapshots = new PlantedSnapshots(links.Snapshots, snapshot =>
            {
                var (before, isSameEpoch) = (last, last?.Epoch == snapshot.Epoch);
                last = snapshot;
                // The first of an epoch is confirmed by its hash.
                using var lease = isSameEpoch ? before!.TryAcquire() : null;
                if (lease is null)
                    return snapshot;
                last = new PolicySnapshot(snapshot.Epoch, snapshot.Version, ((PolicyWeights)lease.Tensors).Copy());
                snapshot.Release();
                return last;
            }),
        };
    }

    /// <summary>Selections claim to be the work of the newest version.</summary>
    public static PipelineLinks ClaimingTheNewestVersion(PipelineLinks links)
    {
        (long Epoch, long Version, string Hash) newest = (0, 0, "");
        return links with
        {
            Snapshots = new PlantedSnapshots(links.Snapshots, snapshot =>
            {
                using var lease = snapshot.TryAcquire()!;
                newest = (lease.Epoch, lease.Version, lease.Hash);
                return snapshot;
            }),
            Selections = new PlantedSelections(links.Selections, block => block.Block.Epoch != newest.Epoch || newest.Version > block.Block.Batch ? block : block with
            {
                Version = newest.Version,
                Selections = [.. block.Selections.Select(selection => selection is null ? null : WithEvent(selection, e => e with
                {
                    Version = newest.Version,
                    PolicyHash = newest.Hash,
                    Lag = block.Block.Batch - newest.Version,
                }))],
            }),
        };
    }

    /// <summary>Selectors may work on a block with a policy one version older than its slots allow.</summary>
    public static PipelineLinks AllowingOneVersionMore(PipelineLinks links)
    {
        var newest = 0L;
        var lowered = new HashSet<SlotBlock>();
        return links with
        {
            Snapshots = new PlantedSnapshots(links.Snapshots, snapshot =>
            {
                newest = snapshot.Version;
                return snapshot;
            }),
            Pools = new PlantedPools(links.Pools, block =>
            {
                var lower = block.Block with { Batch = block.Block.Batch - 1 };
                return block.Block is { Attempt: 1, Batch: > 0 } && lowered.Add(lower) ? block with { Block = lower } : block;
            }),
            Control = new PlantedControl(links.Control, ControlMessage? (message) => message switch
            {
                BlockHeld held => held with { Block = Raised(held.Block) },
                BlockFailed failed => failed with { Block = Raised(failed.Block) },
                _ => message,
            }, notice => notice),
            Selections = new PlantedSelections(links.Selections, block => Raised(block.Block) is var raised && raised != block.Block
                ? block with { Block = raised, Version = Math.Min(newest, raised.Batch) } : block),
        };

        SlotBlock Raised(SlotBlock block) => lowered.Contains(block) ? block with { Batch = block.Batch + 1 } : block;
    }

    /// <summary>What is to be handed out again never is.</summary>
    public static PipelineLinks LosingReissues(PipelineLinks links) =>
        links with { Control = new PlantedControl(links.Control, message => message, notice => notice is BlockReissued ? null : notice) };

    /// <summary>A grant now and then never arrives, and nor does anything more about its slots.</summary>
    public static PipelineLinks LosingGrants(PipelineLinks links) =>
        links with
        {
            Control = new PlantedControl(links.Control, message => message,
                notice => notice is SlotsGranted { Block.First: > 3 } or BlockReissued { Block.First: > 3 } ? null : notice),
        };

    /// <summary>Dead letters never arrive.</summary>
    public static PipelineLinks LosingDeadLetters(PipelineLinks links) =>
        links with { Control = new PlantedControl(links.Control, message => message is PositionDead ? null : message, notice => notice) };

    /// <summary>An intake is told that nothing is settled.</summary>
    public static PipelineLinks ForgettingWhatIsSettled(PipelineLinks links) =>
        links with { Control = new PlantedControl(links.Control, message => message, notice => notice is EpochOpened opened ? opened with { Settled = new SettledPositions() } : notice) };

    /// <summary>The second slot of a block gets the record of the first.</summary>
    public static PipelineLinks GivingOneRecordTwoSlots(PipelineLinks links) =>
        links with { Pools = new PlantedPools(links.Pools, block => block.Pools is [{ } first, not null, ..] ? block with { Pools = [first, first, .. block.Pools.Skip(2)] } : block) };

    /// <summary>What belongs to an older attempt is taken for the newest, so that records that died meanwhile are alive again.</summary>
    public static PipelineLinks TakingOldAttempts(PipelineLinks links)
    {
        var newest = new Dictionary<(long, long), int>();
        return links with
        {
            Control = new PlantedControl(links.Control, message => message, notice =>
            {
                if (notice is BlockReissued reissued)
                    newest[(reissued.Epoch, reissued.Block.First)] = reissued.Block.Attempt;
                return notice;
            }),
            Selections = new PlantedSelections(links.Selections,
                block => block with { Block = block.Block with { Attempt = newest.GetValueOrDefault((block.Block.Epoch, block.Block.First), block.Block.Attempt) } }),
        };
    }

    /// <summary>One selector keeps its first pick alone, and says so.</summary>
    public static PipelineLinks ChoosingByWhoChooses(PipelineLinks links) =>
        links with
        {
            Selections = new PlantedSelections(links.Selections, block => block.Selector == "selector-1" ? block : block with
            {
                Selections = [.. block.Selections.Select(selection => selection is null ? null
                    : WithEvent(selection with { Picks = [selection.Picks[0]], ReferenceLogps = selection.ReferenceLogps[..2] }, e => e with { Picks = [e.Picks[0]] }))],
            }),
        };

    /// <summary>What is trained on is not what the event tells.</summary>
    public static PipelineLinks TrainingOnOtherPicks(PipelineLinks links) =>
        links with
        {
            Selections = new PlantedSelections(links.Selections, block => block with
            {
                Selections = [.. block.Selections.Select(selection => selection is null ? null : selection with { Picks = [selection.Picks[0]], ReferenceLogps = selection.ReferenceLogps[..2] })],
            }),
        };

    /// <summary>Somebody holds on to every version.</summary>
    public static PipelineLinks HoldingOnToVersions(PipelineLinks links) =>
        links with
        {
            Snapshots = new PlantedSnapshots(links.Snapshots, snapshot =>
            {
                snapshot.TryAcquire();
                return snapshot;
            }),
        };

    /// <summary>Logs are not cut back to the checkpoint.</summary>
    public static IFiles NotCutting(IFiles files) => new UncutFiles(files);

    private static Shared.Contracts.Selection WithEvent(Shared.Contracts.Selection selection, Func<SelectionEvent, SelectionEvent> change)
    {
        var changed = change(selection.Event);
        return selection with { Event = changed, Line = EventLine.Of(changed) };
    }

    private sealed class PlantedSnapshots(ISnapshotsLink inner, Func<PolicySnapshot, PolicySnapshot> change) : ISnapshotsLink
    {
        public void Publish(PolicySnapshot snapshot) => inner.Publish(change(snapshot));

        public ISnapshotSubscription Subscribe(Action signal) => inner.Subscribe(signal);
    }

    private sealed class PlantedSelections(ISelectionsLink inner, Func<SelectionBlock, SelectionBlock> change) : ISelectionsLink
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation) => inner.SendAsync(change(block), cancellation);

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);
    }

    private sealed class PlantedPools(IPoolsLink inner, Func<PoolBlock, PoolBlock> change) : IPoolsLink
    {
        public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation) => inner.OfferAsync(change(block), cancellation);

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false) => inner.Request(selector, deliver, isAhead);

        public void Withdraw(string selector) => inner.Withdraw(selector);
    }

    // What becomes null is lost.
    private sealed class PlantedControl(IControlLink inner, Func<ControlMessage, ControlMessage?> send, Func<ControlNotice, ControlNotice?> hear) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
            CancellationToken cancellation) => inner.ClaimAsync(claim, deliver, fenced, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, notice =>
        {
            if (hear(notice) is { } heard)
                deliver(heard);
        });

        public ValueTask SendAsync(ControlMessage message, CancellationToken cancellation) =>
            send(message) is { } sent ? inner.SendAsync(sent, cancellation) : ValueTask.CompletedTask;
    }

    private sealed class UncutFiles(IFiles inner) : IFiles
    {
        public bool FileExists(string path) => inner.FileExists(path);

        public bool FolderExists(string path) => inner.FolderExists(path);

        public void CreateFolder(string path) => inner.CreateFolder(path);

        public IReadOnlyList<string> List(string folder) => inner.List(folder);

        public Stream OpenRead(string path) => inner.OpenRead(path);

        public IReadFile OpenReadAt(string path) => inner.OpenReadAt(path);

        public Stream Create(string path) => inner.Create(path);

        public void Sync(Stream file) => inner.Sync(file);

        public void SyncFolder(string folder) => inner.SyncFolder(folder);

        public void Rename(string from, string to) => inner.Rename(from, to);

        public void DeleteFile(string path) => inner.DeleteFile(path);

        public void DeleteFolder(string path) => inner.DeleteFolder(path);

        public IAppendFile OpenAppend(string path) => new UncutFile(inner.OpenAppend(path));

        public IDisposable? TryLock(string path) => inner.TryLock(path);
    }

    private sealed class UncutFile(IAppendFile inner) : IAppendFile
    {
        public long Length => inner.Length;

        public void Append(ReadOnlySpan<byte> bytes) => inner.Append(bytes);

        public void Sync() => inner.Sync();

        public void Truncate(long length)
        {
        }

        public void Dispose() => inner.Dispose();
    }
}
