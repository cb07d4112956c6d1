using System.Diagnostics;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.ChaosKit;

/// <summary>How often what befalls whom.</summary>
/// <param name="Role">whom</param>
/// <param name="Fault">what</param>
/// <param name="Times">how often</param>
public sealed record RolePlan(Role Role, Fault Fault, int Times);

/// <summary>One fault that was.</summary>
/// <param name="Role">whose</param>
/// <param name="Fault">what</param>
/// <param name="Moment">when, by name</param>
/// <param name="IsLate">whether the moment did not come in time, so that the clock chose one</param>
/// <param name="Stood">how long it stood still; null: it did not</param>
/// <param name="Recovery">
/// from the fault's beginning, or the end of standing still, until the next update (learner, broker), the next block of the process that follows (selector) or its next
/// record (ingest); null: the next fault came first
/// </param>
public sealed record RoleFault(Role Role, Fault Fault, string Moment, bool IsLate, TimeSpan? Stood, TimeSpan? Recovery)
{
    /// <summary>What is named where nothing in particular happens.</summary>
    public const string ByTheClock = "by the clock";
}

/// <summary>
/// A run over Kafka of which a seed decides what befalls which process at which named moment. Ingest brings records while the learner keeps up, so that there is work all
/// the time and each role is at work when its moment comes.
/// </summary>
/// <param name="run">what is run</param>
/// <param name="lines">of its data</param>
/// <param name="plan">faults, whose order the seed decides; those that the input does not suffice for are left out</param>
/// <param name="overlap">share of faults after which the next comes before the run has recovered</param>
/// <param name="seed">of all that is drawn</param>
/// <param name="say">told of each fault</param>
public sealed class RoleCampaign(RoleRun run, int lines, IReadOnlyList<RolePlan> plan, double overlap, long seed, Action<string> say)
{
    private const int Selectors = 2;

    // Updates within which a moment is to come; what ingest brings at a time, and how far it may be ahead.
    private const int Reach = 2;
    private const int Ahead = 8;
    private static readonly TimeSpan MomentPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(20);
    // A member that stands still between join and sync hangs its group in the mock cluster: so long after who was there before, its session and what follows are over.
    private static readonly TimeSpan GroupSettles = TimeSpan.FromSeconds(7);
    private static readonly TimeSpan BetweenLittle = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _ingesting = new(1);
    private readonly CancellationTokenSource _over = new();
    private readonly List<RoleFault> _faults = [];
    private StableRandom _random = new(seed, 0xC4A05);
    private RoleProcesses _processes = null!;
    private Victim _learner = null!;
    private Victim _ingest = null!;
    private Victim[] _selectors = [];
    private Task _feeding = Task.CompletedTask;
    private volatile int _fed;
    private long _groupChanged = Stopwatch.GetTimestamp();

    /// <summary>What befell it so far.</summary>
    public IReadOnlyList<RoleFault> Faults => _faults;

    private int Chunk => Reach * run.Batch;

    /// <summary>Runs to the end of the input; the books, which are in order.</summary>
    /// <exception cref="InvalidDataException">they are not, or a process failed, or a run did not recover; the message says all that is known</exception>
    public async Task<KafkaBooks> RunAsync()
    {
        using var processes = await RoleProcesses.StartAsync(run);
        _processes = processes;
        _fed = Chunk;
        _ingest = processes.Ingest(Deed.Hold, Moment.Event(Events.RecordRead, _fed));
        _learner = processes.Learner();
        _selectors = [.. Enumerable.Range(0, Selectors).Select(_ => processes.Selector())];
        _feeding = FeedAsync();
        try
        {
            await WithinAsync(_learner.HearsAsync(nameof(BatchClosed), 1), "the first update");
            foreach (var (role, fault) in Shuffled().TakeWhile(_ => !_learner.HasEnded))
                await BefallAsync(role, fault);
            await _over.CancelAsync();
            await _feeding;
            _ingest.Arm(Deed.Kill, Moment.Never);
            _ingest.Go();
            say(FormattableString.Invariant($"{_fed:N0} of {lines:N0} records were brought before the last fault was over"));
            await WithinAsync(ToTheEndAsync(), "the end of the run");
        }
        finally
        {
            await _over.CancelAsync();
        }
        var books = await KafkaBooks.ReadAsync(processes.Kafka, run, lines);
        await processes.ReplayAsync(run.Output);
        return books;
    }

    private async Task<bool> ToTheEndAsync()
    {
        await RoleProcesses.EndAsync([_ingest, _learner, .. _selectors]);
        return true;
    }

    private List<(Role Role, Fault Fault)> Shuffled()
    {
        var all = plan.SelectMany(one => Enumerable.Repeat((one.Role, one.Fault), one.Times)).ToArray();
        _random.Shuffle<(Role, Fault)>(all);
        return [.. all];
    }

    // Ingest is held at a record until the learner has nearly come there. The lines are shared out among the faults: where one takes longer, only a little comes at a time.
    private async Task FeedAsync()
    {
        var (brought, faults) = (Stopwatch.GetTimestamp(), plan.Sum(one => one.Times));
        while (!_over.IsCancellationRequested)
        {
            await _ingesting.WaitAsync();
            try
            {
                var records = _fed + Chunk <= (long)lines * (_faults.Count + 1) / (faults + 1) ? Chunk : Stopwatch.GetElapsedTime(brought) > BetweenLittle ? run.Batch : 0;
                if (records > 0 && !_over.IsCancellationRequested && _fed - Settled() < Ahead * run.Batch && await _ingest.HearsAsync(Armed.Came, 1))
                {
                    await BringAsync(Deed.Hold, records);
                    brought = Stopwatch.GetTimestamp();
                }
            }
            finally
            {
                _ingesting.Release();
            }
            await Task.Delay(BetweenLooks);
        }
    }

    // Lets it go on from where it is held, up to another record.
    private async Task BringAsync(Deed deed, int records)
    {
        var came = _ingest.Count(Armed.Came);
        _ingest.Arm(deed, Moment.Event(Events.RecordRead, records));
        _ingest.Go();
        if (deed == Deed.Hold)
        {
            await _ingest.HearsAsync(Armed.Came, came + 1);
            _fed += records;
        }
    }

    private long Settled() => (Count("updates.jsonl") * (long)run.Batch) + Count("dead-letters.jsonl");

    // Lines of a log that may be cut back meanwhile.
    private int Count(string log)
    {
        var path = Path.Combine(run.Output, log);
        if (!File.Exists(path))
            return 0;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var (lines, buffer) = (0, new byte[1 << 16]);
        while (stream.Read(buffer) is var read and > 0)
            lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    private Task BefallAsync(Role role, Fault fault)
    {
        var i = _random.Below(Selectors);
        return role switch
        {
            Role.Broker => StopBrokerAsync(),
            Role.Ingest => BefallIngestAsync(fault),
            Role.Learner => BefallAsync(role, fault, _learner, (deed, moment) => _learner = _processes.Learner(deed, moment), nameof(BatchClosed)),
            _ => BefallAsync(role, fault, _selectors[i], (deed, moment) => _selectors[i] = _processes.Selector(deed, moment), Events.BlockComputed),
        };
    }

    private async Task BefallAsync(Role role, Fault fault, Victim victim, Func<Deed, Moment, Victim> another, string recovered)
    {
        var kind = Draw(RoleKind.All, role);
        var deed = fault switch { Fault.Stop => Deed.Stop, Fault.Restart => Deed.Hold, _ => Deed.Kill };
        var came = victim.Count(Armed.Came);
        if ((role, fault) == (Role.Selector, Fault.Stop) && GroupSettles - Stopwatch.GetElapsedTime(_groupChanged) is var early && early > TimeSpan.Zero)
            await Task.Delay(early);
        victim.Arm(deed, kind.Draw(ref _random, Reach));
        var isLate = !await InTimeAsync(deed == Deed.Kill ? victim.EndAsync() : victim.HearsAsync(Armed.Came, came + 1));
        var began = Stopwatch.GetTimestamp();
        switch (fault)
        {
            case Fault.Stop:
                var stood = await StandAsync(victim, isLate);
                await RecoverAsync(new RoleFault(role, fault, kind.Name, isLate, stood, null), victim, recovered, victim.Count(recovered) + 1);
                return;
            case Fault.Restart:
                victim.Terminate();
                victim.Go();
                Expect(await victim.EndAsync(), ended => ended.ExitCode == 0, $"{role}, SIGTERM: {kind.Name}");
                break;
            default:
                await DieAsync(victim, isLate, $"{role}: {kind.Name}");
                break;
        }
        var first = new RoleFault(role, fault, kind.Name, isLate, null, null);
        if (fault == Fault.KillTwice)
        {
            Note(first);
            kind = Draw(RoleKind.AsItBegins, role);
            victim = another(Deed.Kill, kind.Draw(ref _random, updates: 0));
            isLate = !await InTimeAsync(victim.EndAsync());
            began = Stopwatch.GetTimestamp();
            await DieAsync(victim, isLate, $"{role}: {kind.Name}");
            first = first with { Moment = kind.Name, IsLate = isLate };
        }
        await RecoverAsync(first, another(Deed.Kill, Moment.Never), recovered, 1, began);
    }

    private async Task BefallIngestAsync(Fault fault)
    {
        await _ingesting.WaitAsync();
        try
        {
            if (_fed + (2 * Chunk) > lines)
                throw new InvalidDataException($"nearly all of {lines} lines are in the input, and ingest is still to be disturbed: give it more");
            var deed = fault == Fault.Stop ? Deed.Stop : Deed.Kill;
            var (came, records) = (_ingest.Count(Armed.Came), 1 + _random.Below(Chunk));
            await BringAsync(deed, records);
            var kind = Draw(RoleKind.All, Role.Ingest);
            if (deed == Deed.Kill)
                await DieAsync(_ingest, isLate: false, "ingest");
            else
                await _ingest.HearsAsync(Armed.Came, came + 1);
            var began = Stopwatch.GetTimestamp();
            _fed += records + Chunk;
            if (deed == Deed.Kill)
                _ingest = _processes.Ingest(Deed.Hold, Moment.Event(Events.RecordRead, _fed));
            else
                _ingest.Arm(Deed.Hold, Moment.Event(Events.RecordRead, Chunk));
            var stood = deed == Deed.Stop ? await StandAsync(_ingest, isLate: false) : (TimeSpan?)null;
            await RecoverAsync(new RoleFault(Role.Ingest, fault, kind.Name, false, stood, null), _ingest, Armed.Came, deed == Deed.Kill ? 1 : came + 2, began);
        }
        finally
        {
            _ingesting.Release();
        }
    }

    private async Task StopBrokerAsync()
    {
        var stood = await StandAsync(_processes.Broker, isLate: true);
        await RecoverAsync(new RoleFault(Role.Broker, Fault.Stop, RoleFault.ByTheClock, false, stood, null), _learner, nameof(BatchClosed), _learner.Count(nameof(BatchClosed)) + 1);
    }

    private async Task<TimeSpan> StandAsync(Victim victim, bool isLate)
    {
        await (isLate ? victim.StopAsync() : victim.StandsAsync());
        // Shorter than a lease and a session, and longer than both: a stop is a length of time.
        var span = TimeSpan.FromSeconds(0.2 + 4.8 * _random.Unit());
        await Task.Delay(span);
        victim.Continue();
        return span;
    }

    private static async Task DieAsync(Victim victim, bool isLate, string when)
    {
        if (isLate)
            victim.Kill();
        Expect(await victim.EndAsync(), ended => ended.IsKilled, when);
    }

    private async Task RecoverAsync(RoleFault fault, Victim victim, string recovered, int count, long? since = null)
    {
        var began = since ?? Stopwatch.GetTimestamp();
        var waits = fault.Role == Role.Ingest || _random.Unit() >= overlap;
        if (waits)
            await WithinAsync(victim.HearsAsync(recovered, count), $"{fault.Role} after {fault.Fault} at {fault.Moment}");
        Note(fault with { Recovery = waits ? Stopwatch.GetElapsedTime(began) : null });
    }

    private void Note(RoleFault fault)
    {
        if (fault.Role is Role.Selector or Role.Broker)
            _groupChanged = Stopwatch.GetTimestamp();
        _faults.Add(fault);
        say($"{_faults.Count}: {fault}");
    }

    private RoleKind Draw(IReadOnlyList<RoleKind> all, Role role)
    {
        var kinds = all.Where(kind => kind.Role == role).ToList();
        return kinds[_random.Below(kinds.Count)];
    }

    // What does not come in minutes never comes: then all is told that is known.
    private async Task WithinAsync(Task<bool> awaited, string what)
    {
        if (await Task.WhenAny(awaited, Task.Delay(Patience)) == awaited && (await awaited || await HasRunOutAsync()))
            return;
        if (_feeding.IsFaulted)
            await _feeding;
        var all = new[] { _processes.Broker, _ingest, _learner }.Concat(_selectors).ToList();
        all.ForEach(process =>
        {
            process.Continue();
            process.Kill();
        });
        throw new InvalidDataException($"{what} did not come, with {_fed} of {lines} records brought\n" + string.Join('\n', await Task.WhenAll(all.Select(process => process.EndAsync()))));
    }

    // The run came to the end of its input before all faults were over: those that follow are left out.
    private async Task<bool> HasRunOutAsync()
    {
        var end = _learner.EndAsync();
        return await Task.WhenAny(end, Task.Delay(Patience)) == end && (await end).ExitCode == 0;
    }

    private static void Expect(Ended ended, Func<Ended, bool> holds, string when)
    {
        if (!holds(ended))
            throw new InvalidDataException($"{when}: {ended}");
    }

    private static async Task<bool> InTimeAsync(Task moment) => await Task.WhenAny(moment, Task.Delay(MomentPatience)) == moment;
}
