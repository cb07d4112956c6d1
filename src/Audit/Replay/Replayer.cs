using MassDpo.Audit.Logs;
using MassDpo.Shared.Contracts;

namespace MassDpo.Audit.Replay;

/// <summary>What a replay needs of others: records, and something to train.</summary>
public interface IReplayTarget
{
    /// <summary>The record at a position. Asked for in the order of the update log.</summary>
    /// <exception cref="ReplayException">there is none</exception>
    ValueTask<CandidatePool> FindAsync(Position position, CancellationToken cancellation);

    /// <summary>Trains on the batch that makes this version. Null selections are empty slots.</summary>
    ReplayedUpdate Train(long version, IReadOnlyList<Selection?> batch);

    /// <summary>Hash of the weights as they are.</summary>
    string Hash();

    /// <summary>Hash of the reference policy as it is; null: it has none of its own.</summary>
    string? ReferenceHash { get; }
}

/// <summary>What training on a batch gave.</summary>
/// <param name="Loss">null where it changed nothing</param>
/// <param name="LearningRate">of the update</param>
public readonly record struct ReplayedUpdate(double? Loss, double LearningRate);

/// <summary>A replay that does not come out as the logs say; the message names where.</summary>
public sealed class ReplayException(string message) : Exception(message);

/// <summary>What a replay rebuilt.</summary>
/// <param name="Updates">how many</param>
/// <param name="Records">trained on again</param>
/// <param name="PolicyHash">of the weights at the end</param>
public sealed record ReplayResult(long Updates, long Records, string PolicyHash);

/// <summary>
/// Rebuilds a policy from the base weights, the records, and a run's update and event logs, and checks on the way that everything agrees: event hashes,
/// candidates, losses, and the hashes of policy and reference that each event names. On the same build, device and threads it agrees bit for bit.
/// </summary>
/// <param name="updates">the update log's first segment</param>
/// <param name="selections">the event log's first segment</param>
/// <param name="from">version that the target is at; a segment of both logs begins there</param>
public sealed class Replayer(string updates, string selections, long from = 0)
{
    /// <param name="target">see there</param>
    /// <param name="progress">told of each update</param>
    /// <param name="cancellation">ends it</param>
    /// <exception cref="ReplayException">logs, records and weights do not agree</exception>
    /// <exception cref="LogFormatException">a line of a log is malformed</exception>
    public async Task<ReplayResult> RunAsync(IReplayTarget target, Action<UpdateEntry> progress, CancellationToken cancellation)
    {
        using var events = RunLog.Events(selections, from).GetEnumerator();
        // Selections may be some versions old: the hashes of all versions are kept, 32 characters each.
        var hashes = new Dictionary<long, string> { [from] = target.Hash() };
        var (version, records) = (from, 0L);
        foreach (var update in RunLog.Updates(updates, from))
        {
            cancellation.ThrowIfCancellationRequested();
            if (update.Version != version + 1)
                throw new ReplayException($"{updates}: version {update.Version} follows version {version}");
            if (update.EventHashes.Count != update.Positions.Count || update.BlockCounts.Sum() != update.Positions.Count)
                throw new ReplayException($"{updates}: version {update.Version} has {update.Positions.Count} positions, {update.EventHashes.Count} events, and blocks of {update.BlockCounts.Sum()} slots");
            var batch = new Selection?[update.Positions.Count];
            for (var i = 0; i < batch.Length; i++)
            {
                if (update.Positions[i] is not { } position)
                    continue;
                batch[i] = await SelectionAsync(update, i, position, events, hashes, target, cancellation);
                records++;
            }
            var trained = target.Train(update.Version, batch);
            if (trained.Loss != update.Loss)
                throw new ReplayException(FormattableString.Invariant($"version {update.Version}: the loss is {trained.Loss}, {updates} says {update.Loss}: another build, device or number of threads, or other data"));
            if (trained.LearningRate != update.LearningRate)
                throw new ReplayException(FormattableString.Invariant($"version {update.Version}: the learning rate is {trained.LearningRate}, {updates} says {update.LearningRate}"));
            if (update.ReferenceHash is { } reference && reference != target.ReferenceHash)
                throw new ReplayException($"version {update.Version}: the reference is {target.ReferenceHash ?? "the one at the start"}, {updates} says {reference}");
            version = update.Version;
            hashes[version] = target.Hash();
            progress(update);
        }
        if (events.MoveNext())
            throw new ReplayException($"{selections} has an event for {events.Current.Event.Position}, which {updates} does not have");
        return new ReplayResult(version - from, records, hashes[version]);
    }

    private async ValueTask<Selection> SelectionAsync(UpdateEntry update, int slot, Position position, IEnumerator<(SelectionEvent Event, string Hash)> events,
        Dictionary<long, string> hashes, IReplayTarget target, CancellationToken cancellation)
    {
        if (!events.MoveNext())
            throw new ReplayException($"{selections} has no event for {position}, which version {update.Version} was trained on");
        var (e, hash) = events.Current;
        if (e.Position != position || hash != update.EventHashes[slot])
            throw new ReplayException($"version {update.Version}, slot {update.FirstSlot + slot}: {updates} names the event of {position} with hash {update.EventHashes[slot]}, {selections} has that of {e.Position} with hash {hash}");
        if (e.Slot != update.FirstSlot + slot)
            throw new ReplayException($"version {update.Version}: {updates} has {position} in slot {update.FirstSlot + slot}, {selections} in slot {e.Slot}");
        // A selection may be older than where the replay began.
        if (e.Version >= from && (!hashes.TryGetValue(e.Version, out var policy) || policy != e.PolicyHash))
            throw new ReplayException($"the event of {position} was made with policy {e.PolicyHash} of version {e.Version}, replayed is {hashes.GetValueOrDefault(e.Version) ?? "no such version"}");
        if (e.ReferenceHash is { } named && target.ReferenceHash is { } replayed && named != replayed)
            throw new ReplayException($"the event of {position} was made with reference {named}, replayed is {replayed}");
        var pool = await target.FindAsync(position, cancellation);
        if (pool.Record.Candidates.Count != e.Candidates.Count)
            throw new ReplayException($"the record at {position} has {pool.Record.Candidates.Count} candidates, its event {e.Candidates.Count}: the data is another");
        int[] picks = [.. e.Picks.Select(pick => pick.Index)];
        int[] trained = [0, .. picks];
        foreach (var index in picks)
            if (index < 1 || index >= e.Candidates.Count)
                throw new ReplayException($"the event of {position} picked candidate {index} of {e.Candidates.Count}");
        foreach (var index in trained)
            if (!ContentHash.Of(pool.Record.Candidates[index]).StartsWith(e.Candidates[index].Hash, StringComparison.Ordinal))
                throw new ReplayException($"candidate {index} of the record at {position} is not the one that its event names: the data is another");
        float[] reference = [.. trained.Select(index => e.Candidates[index].LogpRef
            ?? throw new ReplayException($"the event of {position} has no reference log-probability for candidate {index}, which was trained on"))];
        return new Selection(pool, picks, reference, e, default, null);
    }
}
