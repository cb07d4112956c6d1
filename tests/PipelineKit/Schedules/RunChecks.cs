using System.Text.Json;
using MassDpo.App.Running;
using MassDpo.Audit.Logs;
using MassDpo.Ingest.Records;
using MassDpo.Learner;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;

namespace MassDpo.PipelineKit.Schedules;

/// <summary>What has to hold of the files of a run that has come to the end of its input.</summary>
internal static class RunChecks
{
    /// <summary>What a run left behind.</summary>
    /// <param name="Updates">the update log, byte for byte</param>
    /// <param name="Events">hashes, in order</param>
    /// <param name="Dead">positions in dead letters, with their codes</param>
    /// <param name="PolicyHash">of the weights</param>
    public sealed record Trace(string Updates, IReadOnlyList<string> Events, IReadOnlyDictionary<Position, string> Dead, string PolicyHash);

    public static Trace AssertWhole(PipelineSchedule schedule, ScheduledStream stream, RunBook book, LearnerOutcome outcome, string output, bool holdersLost, bool failedNowAndThen,
        Sightings sightings)
    {
        var (updates, events) = (ReadLog(schedule, () => RunLog.Updates(Path.Combine(output, "updates.jsonl"))), ReadLog(schedule, () => RunLog.Events(Path.Combine(output, "selections.jsonl"))));
        var dead = ReadLog(schedule, () => DeadLetters.Read(output));
        CheckSettled();
        CheckDeaths();
        CheckLogs();
        CheckSelections();
        return new Trace(LogText.Read(output, "updates.jsonl"), [.. events.Select(e => e.Hash)], dead.ToDictionary(letter => letter.Position, letter => letter.Code), outcome.PolicyHash);

        void CheckSettled()
        {
            var settled = updates.SelectMany(update => update.Positions).OfType<Position>().Concat(dead.Select(letter => letter.Position)).ToList();
            var twice = settled.GroupBy(position => position).FirstOrDefault(group => group.Count() > 1);
            Require(twice is null, Invariants.SettledOnce, $"{twice?.Key} was settled {twice?.Count()} times");
            var never = stream.Entries.Keys.Except(settled).ToList();
            Require(never.Count == 0 && settled.Count == stream.Entries.Count, Invariants.SettledOnce,
                $"{settled.Count} of {stream.Entries.Count} are settled; missing: {string.Join(", ", never)}");
        }

        void CheckDeaths()
        {
            foreach (var (position, code, _) in dead)
            {
                var kind = stream.Entries[position].Kind;
                sightings.Saw($"dead: {code}");
                var isRight = CodeOf(kind) is { } expected ? code == expected
                    : code == DeadLetterCodes.Selector ? kind == RecordKind.Poison || failedNowAndThen
                    : code == DeadLetterCodes.HolderLost && holdersLost;
                Require(isRight, Invariants.RightDeaths, $"{position}, which is {kind}, is dead of {code}");
            }
            var alive = stream.Entries.Where(entry => entry.Value.Kind != RecordKind.Trainable).Select(entry => entry.Key).Except(dead.Select(letter => letter.Position)).ToList();
            Require(alive.Count == 0, Invariants.RightDeaths, $"not dead, though they cannot be trained on: {string.Join(", ", alive)}");
        }

        void CheckLogs()
        {
            Require(updates.Select(update => update.Version).SequenceEqual(Enumerable.Range(1, updates.Count).Select(version => (long)version)), Invariants.LogsAgree,
                $"versions in the update log: {string.Join(", ", updates.Select(update => update.Version))}");
            foreach (var update in updates)
            {
                var isLast = update.Version == updates.Count;
                Require(update.FirstSlot == (update.Version - 1) * schedule.Batch && update.BlockCounts.Sum() == update.Positions.Count && update.Positions.Count <= schedule.Batch
                    && (isLast || schedule.Grows || update.Positions.Count == schedule.Batch), Invariants.LogsAgree, $"update {update.Version} has slots {update.FirstSlot} + {update.Positions.Count}");
                Require(update.Applied > 0 == update.Loss.HasValue, Invariants.LogsAgree, $"update {update.Version} has the loss {update.Loss} over {update.Applied} records");
                if (update.Applied == 0)
                    sightings.Saw("all-empty batch");
                if (update.Positions.Count < schedule.Batch)
                    sightings.Saw(isLast ? "end of input inside a batch" : "short batch before the end");
                if (update.Positions.Count > update.Applied)
                    sightings.Saw("record died in an open batch");
            }
            var slots = updates.SelectMany(update => update.Positions.Select((position, i) => (Slot: update.FirstSlot + i, Position: position, Hash: update.EventHashes[i]))).Where(slot => slot.Position is not null);
            Require(slots.SequenceEqual(events.Select(e => (e.Event.Slot, (Position?)e.Event.Position, (string?)e.Hash))), Invariants.LogsAgree, "the events are not those of the update log, in its order");
            Require((outcome.Counts.Applied, outcome.Counts.Dead) == (events.Count, dead.Count), Invariants.LogsAgree, $"counted {outcome.Counts}, logged {events.Count} events and {dead.Count} dead");
            Require(outcome.Version == updates.Count, Invariants.LogsAgree, $"version {outcome.Version} after {updates.Count} updates");
            var config = stream.Policy.Config;
            using var written = Policy.PolicyDirectory.LoadWeights(Path.Combine(output, "policy"), config);
            Require(written.ComputeHash() == outcome.PolicyHash, Invariants.LogsAgree, $"the policy in {output} is not the one that the run ended with");
        }

        void CheckSelections()
        {
            var validator = new RecordValidator(stream.Policy.Encoder, Policy.Encoding.Duplicates.Drop, 1 << 20);
            foreach (var (e, _) in events)
            {
                var lag = e.Slot / schedule.Batch - e.Version;
                sightings.Saw($"lag {lag}");
                Require(lag >= 0 && lag <= schedule.MaxStaleness && lag == e.Lag, Invariants.Staleness, $"slot {e.Slot} was chosen by version {e.Version}, and calls that a lag of {e.Lag}");
                Require(!book.WasGivenUp(e.Epoch, e.Slot), Invariants.StaysDead, $"slot {e.Slot} was trained on after its record was given up in epoch {e.Epoch}");
                var policy = book.Published(e.Epoch, e.Version);
                Require(policy is not null && policy.Hash == e.PolicyHash, Invariants.TrueVersion,
                    $"slot {e.Slot} was chosen by {e.PolicyHash}, but version {e.Version} of epoch {e.Epoch} is {policy?.Hash ?? "unknown"}");
                var (pool, _) = validator.Validate(stream.Entries[e.Position].Entry);
                var weights = (PolicyWeights)policy!.Tensors;
                if (e.Candidates[0].Logp is null || !stream.Policy.Scorer.IsBatchInvariant(weights))
                    continue;
                sightings.Saw("selection scored again");
                Require(stream.Policy.Scorer.ScoreAlone(weights, pool!.Tokens).SequenceEqual(e.Candidates.Select(candidate => candidate.Logp!.Value)), Invariants.TrueVersion,
                    $"slot {e.Slot}: version {e.Version} gives other log-probabilities than its event has");
            }
        }

        void Require(bool holds, string invariant, string otherwise)
        {
            if (!holds)
                throw new ScheduleViolationException(invariant, schedule.Seed, otherwise);
        }
    }

    /// <summary>In turns and with the same records dead, not a bit may differ from a run that nothing befell.</summary>
    public static void AssertSameBits(PipelineSchedule schedule, Trace trace, Trace undisturbed, Sightings sightings)
    {
        if (!trace.Dead.OrderBy(letter => letter.Key.ToString(), StringComparer.Ordinal).SequenceEqual(undisturbed.Dead.OrderBy(letter => letter.Key.ToString(), StringComparer.Ordinal)))
            return;
        sightings.Saw("compared bit by bit with an undisturbed run");
        if (trace.Updates != undisturbed.Updates || trace.PolicyHash != undisturbed.PolicyHash || !trace.Events.SequenceEqual(undisturbed.Events))
            throw new ScheduleViolationException(Invariants.SameBits, schedule.Seed, $"policy {trace.PolicyHash}, undisturbed {undisturbed.PolicyHash}");
    }

    public static void AssertReplays(PipelineSchedule schedule, Trace trace, string output, string again, Sightings sightings)
    {
        try
        {
            ReplayJob.RunAsync(output, again, run => EffectiveSettings.Load(null, [], [], [], run), note => throw new InvalidDataException(note), _ => { }, CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            throw new ScheduleViolationException(Invariants.Replays, schedule.Seed, e.Message, e);
        }
        var config = Policy.PolicyDirectory.LoadConfig(again);
        using var weights = Policy.PolicyDirectory.LoadWeights(again, config);
        if (weights.ComputeHash() != trace.PolicyHash)
            throw new ScheduleViolationException(Invariants.Replays, schedule.Seed, $"the replay makes {weights.ComputeHash()}, the run made {trace.PolicyHash}");
        sightings.Saw("replayed");
    }

    private static List<T> ReadLog<T>(PipelineSchedule schedule, Func<IEnumerable<T>> read)
    {
        try
        {
            return [.. read()];
        }
        catch (Exception e) when (e is LogFormatException or JsonException)
        {
            throw new ScheduleViolationException(Invariants.LogsAgree, schedule.Seed, e.Message, e);
        }
    }

    // Null: it can be read, and dies of what befalls it.
    internal static string? CodeOf(RecordKind kind) => kind switch
    {
        RecordKind.Malformed => DeadLetterCodes.Json,
        RecordKind.NotUtf8 => DeadLetterCodes.Encoding,
        RecordKind.UnknownItem => DeadLetterCodes.UnknownItem,
        RecordKind.EmptyPool => DeadLetterCodes.EmptyPool,
        _ => null,
    };
}
