using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.Audit.Logs;
using MassDpo.Audit.Replay;
using MassDpo.Ingest.Records;
using MassDpo.Learner;
using MassDpo.Learner.Checkpoints;
using MassDpo.Learner.Training;
using MassDpo.PipelineKit.Schedules;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Sources;
using static TorchSharp.torch;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>What has to hold of the files of a run over a log that has come to the end of its input.</summary>
internal static class FleetChecks
{
    public static void AssertWhole(FleetSchedule schedule, Fleet fleet, LearnerOutcome outcome, string output, Sightings sightings)
    {
        var (updates, events) = (RunLog.Updates(Path.Combine(output, "updates.jsonl")).ToList(), RunLog.Events(Path.Combine(output, "selections.jsonl")).ToList());
        var dead = DeadLetters.Read(output);
        CheckSettled();
        CheckDeaths();
        CheckLogs();
        foreach (var (e, _) in events)
            CheckSelection(e);

        void CheckSettled()
        {
            var settled = updates.SelectMany(update => update.Positions).OfType<Position>().Concat(dead.Select(letter => letter.Position)).ToList();
            var twice = settled.GroupBy(position => position).FirstOrDefault(group => group.Count() > 1);
            Require(twice is null, Invariants.SettledOnce, () => $"{twice?.Key} was settled {twice?.Count()} times");
            var lost = fleet.Kinds.Keys.Except(settled).ToList();
            var never = lost.Where(position => !fleet.IsForgotten(position)).ToList();
            Require(never.Count == 0, Invariants.SettledOnce, () => $"{settled.Count} of {fleet.Kinds.Count} are settled; missing: {string.Join(", ", never)}");
            Require(settled.All(fleet.Kinds.ContainsKey), Invariants.SettledOnce, () => "a position was settled at which there is no record");
            if (lost.Count > 0)
                sightings.Saw("record forgotten before it was read", lost.Count);
            var checkpoint = new CheckpointStore(Path.Combine(output, "checkpoints"), PhysicalFiles.Instance, keep: 2).List().Max();
            var state = SettledPositions.FromJson(JsonNode.Parse(File.ReadAllBytes(Path.Combine(output, "checkpoints", checkpoint.ToString(), "state.json")))!["settled"]!.AsObject());
            var open = fleet.Kinds.Keys.Where(position => !state.Contains(position)).ToList();
            Require(open.Count == 0, Invariants.SettledOnce, () => $"in the last checkpoint these are open: {string.Join(", ", open)}");
        }

        void CheckDeaths()
        {
            foreach (var (position, code, _) in dead)
            {
                var kind = fleet.Kinds[position];
                sightings.Saw($"dead: {code}");
                var isRight = RunChecks.CodeOf(kind) is { } expected ? code == expected
                    : code == DeadLetterCodes.Selector ? kind == RecordKind.Poison : code == DeadLetterCodes.HolderLost && (fleet.HoldersWereLost || schedule.LogTrouble.Late > 0);
                Require(isRight, Invariants.RightDeaths, () => $"{position}, which is {kind}, is dead of {code}");
            }
        }

        void CheckLogs()
        {
            Require(updates.Select(update => update.Version).SequenceEqual(Enumerable.Range(1, updates.Count).Select(version => (long)version)), Invariants.LogsAgree,
                () => $"versions in the update log: {string.Join(", ", updates.Select(update => update.Version))}");
            foreach (var update in updates)
            {
                Require(update.FirstSlot == (update.Version - 1) * schedule.Batch && update.BlockCounts.Sum() == update.Positions.Count && update.Positions.Count <= schedule.Batch, Invariants.LogsAgree,
                    () => $"update {update.Version} has slots {update.FirstSlot} + {update.Positions.Count}");
                if (update.Applied == 0)
                    sightings.Saw("all-empty batch");
            }
            var slots = updates.SelectMany(update => update.Positions.Select((position, i) => (Slot: update.FirstSlot + i, Position: position, Hash: update.EventHashes[i]))).Where(slot => slot.Position is not null);
            Require(slots.SequenceEqual(events.Select(e => (e.Event.Slot, (Position?)e.Event.Position, (string?)e.Hash))), Invariants.LogsAgree, () => "the events are not those of the update log, in its order");
            Require((outcome.Counts.Applied, outcome.Counts.Dead, outcome.Version) == (events.Count, dead.Count, updates.Count), Invariants.LogsAgree, () => $"counted {outcome.Counts}, logged {events.Count} events and {dead.Count} dead");
            Require(events.Select(e => e.Event.Epoch).SequenceEqual(events.Select(e => e.Event.Epoch).Order()), FleetInvariants.OwnEpoch, () => "epochs of the update log go back");
        }

        void CheckSelection(SelectionEvent e)
        {
            var lag = e.Slot / schedule.Batch - e.Version;
            sightings.Saw($"lag {lag}");
            Require(lag >= 0 && lag <= schedule.MaxStaleness && lag == e.Lag, Invariants.Staleness, () => $"slot {e.Slot} was chosen by version {e.Version}, and calls that a lag of {e.Lag}");
            Require(fleet.Book.Published(e.Epoch, e.Version) == e.PolicyHash, Invariants.TrueVersion,
                () => $"slot {e.Slot} was chosen by {e.PolicyHash}, but version {e.Version} of epoch {e.Epoch} is {fleet.Book.Published(e.Epoch, e.Version) ?? "unknown"}");
        }

        void Require(bool holds, string invariant, Func<string> otherwise)
        {
            if (!holds)
                throw new ScheduleViolationException(invariant, schedule.Seed, otherwise());
        }
    }

    /// <summary>The update log, with the records of the input, makes the weights that the run ended with.</summary>
    public static void AssertReplays(FleetSchedule schedule, Fleet fleet, LearnerOutcome outcome, string output, Sightings sightings)
    {
        try
        {
            using var trainer = new PolicyTrainer(fleet.Policy.Model, fleet.Policy.Found, fleet.Options.Trainer);
            var result = new Replayer(Path.Combine(output, "updates.jsonl"), Path.Combine(output, "selections.jsonl")).RunAsync(new Target(fleet, trainer), _ => { }, CancellationToken.None).GetAwaiter().GetResult();
            if (result.PolicyHash != outcome.PolicyHash)
                throw new ReplayException($"the replay makes {result.PolicyHash}, the run made {outcome.PolicyHash}");
        }
        catch (Exception e) when (e is ReplayException or LogFormatException)
        {
            throw new ScheduleViolationException(Invariants.Replays, schedule.Seed, e.Message, e);
        }
        sightings.Saw("replayed");
    }

    private sealed class Target(Fleet fleet, PolicyTrainer trainer) : IReplayTarget
    {
        private readonly RecordValidator _validator = new(fleet.Policy.Encoder, Duplicates.Drop, 1 << 20);

        public string? ReferenceHash => trainer.Reference.Hash;

        public ValueTask<CandidatePool> FindAsync(Position position, CancellationToken cancellation)
        {
            var json = fleet.Records[position];
            var (pool, dead) = _validator.Validate(new SourceEntry.Bytes(position, position.Source, position.Index, json, null) { IsOwned = true });
            return ValueTask.FromResult(pool ?? throw new ReplayException($"the record at {position} is none: {dead!.Reason}"));
        }

        public ReplayedUpdate Train(long version, IReadOnlyList<Shared.Contracts.Selection?> batch)
        {
            var update = trainer.Update(batch);
            trainer.Reference.Refresh(version, trainer.Weights);
            return new ReplayedUpdate(update.Loss, update.LearningRate);
        }

        public string Hash() => trainer.Weights.ComputeHash();
    }
}
