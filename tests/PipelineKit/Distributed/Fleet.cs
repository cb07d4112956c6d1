using System.Text;
using Confluent.Kafka;
using MassDpo.App.Running;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Links;
using MassDpo.Kafka.Records;
using MassDpo.Learner;
using MassDpo.Policy.Model;
using MassDpo.PipelineKit.Distributed.Log;
using MassDpo.PipelineKit.Schedules;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;
using MassDpo.TestKit.Simulation;

namespace MassDpo.PipelineKit.Distributed;

/// <summary>
/// One run whose processes are joined over a log: members with intake and selectors, a learner, now and then a second one by mistake, and somebody who starts again what died.
/// All of it on one thread and one clock, in an order that the seed decides.
/// </summary>
internal sealed class Fleet : IDisposable
{
    public const string Input = "input";
    public const string Control = "control";
    public const string Selections = "selections";
    public const string Snapshots = "snapshots";
    public const string Group = "massdpo";

    private const int MostStarts = 40;

    // How long a fenced learner has to hear of it, once nothing else goes on.
    private const int StepsToHear = 5000;

    private readonly FleetSchedule _schedule;
    private readonly Sightings _sightings;
    private readonly List<FleetProcess> _processes = [];
    private readonly Dictionary<string, FaultyFiles> _files = new(StringComparer.Ordinal);
    private readonly string _folder;
    private readonly Dictionary<Position, RecordKind> _kinds = [];
    private readonly Dictionary<Position, byte[]> _records = [];
    private LearnerProcess? _learner;
    private int _started;
    private int _refused;
    private int _partitions;
    private int _members;
    private int _event;

    public Fleet(FleetSchedule schedule, LoadedPolicy policy, string folder, Sightings sightings, FleetDefect? defect, Action<string>? trace)
    {
        (_schedule, Policy, _folder, _sightings, Defect, _partitions) = (schedule, policy, folder, sightings, defect, schedule.Partitions);
        World = new SimulatedWorld(schedule.Seed);
        Log = new SimulatedLog(World, schedule.Seed) { Trouble = schedule.LogTrouble, Saw = what => sightings.Saw(what), Trace = trace };
        Book = new FleetBook(schedule, Log, sightings);
        Options = schedule.Options();
        Format = new PolicySnapshotFormat(policy.Weights);
        SourceOptions = new KafkaSourceOptions(Input, Group, new StartPoint(StartKind.Earliest), Options.Files.MaxRecordBytes, Options.Slots.Drain + TimeSpan.FromSeconds(10)) { QueueRecords = 8 };
        foreach (var (topic, partitions) in new[] { (Input, schedule.Partitions), (Control, 2), (Selections, 3), (Snapshots, 5) })
            Log.Create(topic, partitions);
        Log.Appended = Book.Appended;
        Log.OffsetCommitted = (_, topic, partition, offset) =>
        {
            if (topic == Input)
                Book.Committed(partition, offset);
        };
        Consumers = new SimulatedGroup(Log, Input) { WaitsForRelease = defect?.GivesOnAtOnce != true, LetDown = member => Book.Zombies.Add(member.Client.Name) };
    }

    public SimulatedWorld World { get; }

    public SimulatedLog Log { get; }

    public FleetBook Book { get; }

    public SimulatedGroup Consumers { get; }

    public LoadedPolicy Policy { get; }

    public RunOptions Options { get; }

    public ISnapshotFormat Format { get; }

    public KafkaSourceOptions SourceOptions { get; }

    public FleetDefect? Defect { get; }

    /// <summary>What stands at each position that was ever in the input.</summary>
    public IReadOnlyDictionary<Position, RecordKind> Kinds => _kinds;

    /// <summary>The bytes there.</summary>
    public IReadOnlyDictionary<Position, byte[]> Records => _records;

    /// <summary>Whether the input has forgotten a position.</summary>
    public bool IsForgotten(Position position) => position.Index < Log.At(Input, PartitionOf(position)).Low;

    /// <summary>Whether a block's holder may have been lost, so that a record may be given up for that.</summary>
    public bool HoldersWereLost { get; private set; }

    public static string SourceOf(int partition) => $"{Input}/{partition}";

    /// <summary>Selections over which records that are poison fail.</summary>
    public ISelectionsLink OverSelections(ISelectionsLink inner, IControlLink control) => new PoisonedSelections(inner, control, pool => _kinds[pool.Position] == RecordKind.Poison);

    /// <summary>Runs to the end of the input.</summary>
    /// <returns>how it ended, and the directory that has it</returns>
    public (LearnerOutcome Outcome, string Output, long Steps) Run(long mostSteps)
    {
        try
        {
            for (var burst = 0; burst < _schedule.Bursts; burst++)
                Bring(burst);
            StartLearner("learner", Path.Combine(_folder, "learner"), isRun: true);
            for (; _members < _schedule.Members; _members++)
                StartMember(_members);
            while (true)
            {
                Befall();
                if (Look() is { } ended)
                {
                    AwaitFenced();
                    return ended;
                }
                if (World.Taken > mostSteps || !World.Step())
                    throw new ScheduleViolationException(Invariants.NoSlotStaysOpen, _schedule.Seed, $"not done after {World.Taken} steps at {World.Clock.GetUtcNow():HH:mm:ss}. {WhoWaits()}");
            }
        }
        catch (Exception e) when (e is not ScheduleViolationException)
        {
            throw Book.Violation ?? new ScheduleViolationException(Invariants.GoesOn, _schedule.Seed, e.Message, e);
        }
    }

    public void Dispose()
    {
        foreach (var process in _processes)
            process.Kill();
    }

    private void AwaitFenced()
    {
        for (var step = 0; _processes.Find(process => !process.IsGone && Book.IsFenced(process.Name)) is { } fenced; step++)
        {
            if (step > StepsToHear || !World.Step())
                throw new ScheduleViolationException(FleetInvariants.FencedIsSilent, _schedule.Seed, $"'{fenced.Name}' goes on, though '{Book.Owner}' has claimed the run");
            // One that was asked to stop before it heard of the fence ends in order.
            if (fenced is { Failure: not null } or LearnerProcess { Outcome: not null })
                fenced.Close();
        }
    }

    // The first burst is there from the beginning, the last one is followed by the ends.
    private void Bring(int burst)
    {
        if (burst == 0)
            Append();
        else
            World.After(TimeSpan.FromSeconds(burst * (1 + _schedule.Seed % 7)), () => Log.Network.Post(Append));

        void Append()
        {
            for (var i = 0; i < _schedule.Input.Count; i++)
                if (_schedule.Input[i] is var item && item.Burst == burst)
                    Append1(i, item);
            if (burst == _schedule.Bursts - 1)
                for (var partition = 0; partition < _partitions; partition++)
                    Log.Append(Input, partition, [], EndMarkers());
        }

        void Append1(int number, InputItem item)
        {
            switch (item.Kind)
            {
                case InputKind.Mark:
                    Log.Mark(Input, item.Partition);
                    break;
                case InputKind.EarlyEnd:
                    Log.Append(Input, item.Partition, [], EndMarkers());
                    break;
                default:
                    var position = new Position(SourceOf(item.Partition), 0, Log.At(Input, item.Partition).High);
                    _kinds[position] = item.Record;
                    _records[position] = ScheduledStream.RecordOf(_schedule.Seed, number, item.Record, Policy.Config);
                    Log.Append(Input, item.Partition, _records[position], headers: null);
                    break;
            }
        }
    }

    private static Headers EndMarkers() => new() { { EndMarker.Header, Encoding.ASCII.GetBytes("1") } };

    private static int PartitionOf(Position position) => int.Parse(position.Source.AsSpan(Input.Length + 1));

    private void StartMember(int number)
    {
        CountStart();
        _processes.Add(new MemberProcess(this, $"member-{number}.{_started}"));
    }

    private LearnerProcess StartLearner(string role, string output, bool isRun)
    {
        CountStart();
        if (!_files.TryGetValue(output, out var files))
            _files[output] = files = new FaultyFiles();
        files.Mend();
        var process = new LearnerProcess(this, $"{role}.{_started}", output, files);
        _processes.Add(process);
        if (isRun)
            _learner = process;
        return process;
    }

    private void CountStart()
    {
        // A learner is started again for as long as another one has the run and is rightly preferred, however long that takes.
        if (++_started - _refused > MostStarts)
            throw new ScheduleViolationException(Invariants.GoesOn, _schedule.Seed, $"{_started} processes were started. {WhoWaits()}");
        _sightings.Saw("processes started");
    }

    // The end of the run; null: it goes on.
    private (LearnerOutcome, string, long)? Look()
    {
        if (Book.Violation is { } violation)
            throw violation;
        foreach (var process in _processes.ToList())
        {
            if (process.IsGone || process.Lane.IsPaused)
                continue;
            if (process.Failure is { } failure)
                Failed(process, failure);
            else if (process is MemberProcess { HasStopped: true })
                process.Close();
            else if (process is LearnerProcess { Outcome: { } outcome } learner)
            {
                learner.Close();
                if (!outcome.Stopped)
                    return (outcome, learner.Output, World.Taken);
                StartAgain(learner, 1);
            }
        }
        _processes.RemoveAll(process => process.IsGone);
        return null;
    }

    private void Failed(FleetProcess process, Exception failure)
    {
        Log.Tell(() => $"'{process.Name}' failed: {failure.Message}");
        process.Close();
        switch (process)
        {
            case MemberProcess:
                Book.Zombies.Add(process.Name);
                Expect(failure is LinkException || failure.Message.Contains("Start all processes of the run again"), process, failure);
                _sightings.Saw("member failed");
                World.After(TimeSpan.FromSeconds(1), () => StartMember(_members++));
                break;
            case LearnerProcess learner:
                var (isFenced, isRefused) = (failure.Message.Contains("is fenced"), failure.InnerException is ClaimRefusedException);
                Expect(isFenced || isRefused || failure is LinkException, process, failure);
                if (isRefused)
                {
                    _refused++;
                    _sightings.Saw("claim refused");
                }
                // Whoever took over is the run's learner now, and nobody starts the other one again.
                if (isFenced && _processes.OfType<LearnerProcess>().FirstOrDefault(other => other.Name == Book.Owner && !other.IsGone) is { } successor)
                    _learner = successor;
                else if (learner == _learner)
                    StartAgain(learner, 2);
                break;
        }
    }

    private void Expect(bool holds, FleetProcess process, Exception failure)
    {
        if (!holds)
            throw Book.Violation ?? new ScheduleViolationException(Invariants.GoesOn, _schedule.Seed, $"'{process.Name}' failed: {failure.Message}", failure);
    }

    private void StartAgain(LearnerProcess learner, double seconds)
    {
        if (learner == _learner)
            World.After(TimeSpan.FromSeconds(seconds), () => StartLearner("learner", learner.Output, isRun: true));
    }

    private void Befall()
    {
        for (; _event < _schedule.Events.Count && _schedule.Events[_event].After <= World.Taken; _event++)
            Befall(_schedule.Events[_event]);
    }

    private void Befall(FleetEvent one)
    {
        var members = _processes.OfType<MemberProcess>().Where(member => !member.IsGone && !member.Lane.IsPaused).ToList();
        var member = members.Count > 0 ? members[one.Which % members.Count] : null;
        var learner = _learner is { IsGone: false, Lane.IsPaused: false } ? _learner : null;
        var lasts = TimeSpan.FromSeconds(one.Seconds);
        switch (one.Trouble)
        {
            case FleetTrouble.MemberKilled when member is not null:
                HoldersWereLost = true;
                Book.Zombies.Add(member.Name);
                member.Kill();
                World.After(lasts, () => StartMember(_members++));
                break;
            case FleetTrouble.MemberStopped when member is not null:
                HoldersWereLost = true;
                member.Stop();
                World.After(lasts, () => StartMember(_members++));
                break;
            case FleetTrouble.MemberPaused when member is not null:
                StandStill(member, lasts);
                break;
            case FleetTrouble.MemberCutOff when member is not null:
                CutOff(member, lasts);
                break;
            case FleetTrouble.MemberAdded:
                StartMember(_members++);
                break;
            case FleetTrouble.LearnerKilled or FleetTrouble.LearnerLostPower when learner is not null:
                learner.Kill();
                if (one.Trouble == FleetTrouble.LearnerLostPower)
                    learner.Files.CutPower(names: one.Which % 2 == 0);
                StartAgain(learner, one.Seconds);
                break;
            case FleetTrouble.LearnerStopped when learner is not null:
                learner.Stop();
                break;
            case FleetTrouble.LearnerPaused when learner is not null:
                StandStill(learner, lasts);
                break;
            case FleetTrouble.LearnerCutOff when learner is not null:
                CutOff(learner, lasts);
                break;
            case FleetTrouble.SecondLearner when learner is not null:
                var copy = Path.Combine(_folder, $"second-{_started}");
                if (one.Which % 4 > 0 && Directory.Exists(learner.Output))
                    SimulatedRun.Killed(learner.Output, copy);
                StartLearner("second", copy, isRun: false);
                break;
            case FleetTrouble.LogAway when !Log.IsAway:
                HoldersWereLost = true;
                Log.SetAway(true);
                World.After(lasts, () => Log.SetAway(false));
                break;
            case FleetTrouble.InputForgotten:
                // What it holds last it keeps: without its end marker nobody could know that the input has ended.
                var (partition, held) = (one.Which % _partitions, Log.At(Input, one.Which % _partitions));
                Log.Forget(Input, partition, Math.Min(held.Low + one.Which % 7, held.High - 1));
                break;
            case FleetTrouble.NoticesForgotten when Log.At(Control, LogControlLink.Notices) is { High: > 0 } notices:
                Log.Forget(Control, LogControlLink.Notices, notices.High - 1 - one.Which % 8);
                break;
            case FleetTrouble.SelectionsForgotten:
                HoldersWereLost = true;
                for (var i = 0; i < Log.CountPartitions(Selections); i++)
                    Log.Forget(Selections, i, Log.At(Selections, i).High);
                break;
            case FleetTrouble.OffsetsReset:
                for (var i = 0; i < _partitions; i++)
                    Log.Commit(Group, Input, i, 0);
                break;
            case FleetTrouble.PartitionAdded when Log.At(Input, 0)[Log.At(Input, 0).High - 1] is null or { Headers: null }:
                Log.Create(Input, ++_partitions);
                Consumers.Refresh();
                break;
            default:
                return;
        }
        _sightings.Saw($"befell: {one.Trouble}");
        Log.Tell(() => $"{one}: learner {learner?.Name}, member {member?.Name}");
    }

    private void StandStill(FleetProcess process, TimeSpan lasts)
    {
        HoldersWereLost = true;
        Book.Zombies.Add(process.Name);
        process.Lane.IsPaused = true;
        Silence(process);
        World.After(lasts, () => process.Lane.IsPaused = false);
    }

    private void CutOff(FleetProcess process, TimeSpan lasts)
    {
        HoldersWereLost = true;
        Book.Zombies.Add(process.Name);
        var isCut = true;
        process.Client.SetCut(true);
        if (process is MemberProcess { Source: { } source })
            Consumers.Silent(source, () => isCut);
        World.After(lasts, () =>
        {
            isCut = false;
            process.Client.SetCut(false);
        });
    }

    private void Silence(FleetProcess process)
    {
        if (process is MemberProcess { Source: { } source })
            Consumers.Silent(source, () => process.Lane.IsPaused);
    }

    private string WhoWaits() => $"Out: {string.Join(", ", Book.Out)}. {string.Join(". ", _processes.Where(process => !process.IsGone).Select(process => process.Lacks))}";

    /// <summary>Selectors fail on poison.</summary>
    private sealed class PoisonedSelections(ISelectionsLink inner, IControlLink control, Func<CandidatePool, bool> isPoison) : ISelectionsLink
    {
        public async ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
        {
            var failures = new List<SlotFailure>();
            for (var i = 0; i < block.Selections.Count; i++)
                if (block.Selections[i] is { } selection && isPoison(selection.Pool))
                    failures.Add(new SlotFailure(block.Block.First + i, "made to fail"));
            if (failures.Count > 0)
                await control.SendAsync(new BlockFailed(block.Selector, block.Block, failures), cancellation);
            else
                await inner.SendAsync(block, cancellation);
        }

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);
    }
}
