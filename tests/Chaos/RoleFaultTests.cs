using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;
using MassDpo.TestKit;

namespace MassDpo.Chaos;

/// <summary>Faults of a run over Kafka that have names: what is told of each, and that every position is settled once after it.</summary>
public sealed class RoleFaultTests : IDisposable
{
    private const int Lines = 320;

    private readonly TempFolder _folder = new();
    private readonly RoleRun _run;

    public RoleFaultTests()
    {
        _run = new RoleRun(_folder.Path, Partitions: 2, Batch: 8, Staleness: 1, "checkpoint.updates=3", "selection.block=4", "slots.lease=2s", "slots.drain=1s");
        ChaosStream.Write(_run.Policy, _run.Data, Lines, hidden: 8);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_second_learner_with_an_output_of_its_own_is_refused_and_the_first_goes_on()
    {
        using var processes = await RoleProcesses.StartAsync(_run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (first, selector) = (processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), 5)), processes.Selector());
        await first.HearsAsync(Armed.Came, 1);
        var second = await processes.Learner(output: _folder["another"]).EndAsync();
        Assert.Equal(1, second.ExitCode);
        Assert.Contains("error: ", second.Error);
        Assert.Contains("epoch", second.Error);
        first.Go();
        await RoleProcesses.EndAsync(first, selector);
        await KafkaBooks.ReadAsync(processes.Kafka, _run, Lines);
    }

    [Fact]
    public async Task A_learner_that_stood_still_while_another_went_on_from_a_copy_of_its_output_is_fenced()
    {
        using var processes = await RoleProcesses.StartAsync(_run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (first, selector) = (processes.Learner(Deed.Stop, Moment.Event(nameof(BatchClosed), 10)), processes.Selector());
        await first.HearsAsync(Armed.Came, 1);
        await first.StandsAsync();
        var copied = _run with { Output = _folder["copied"] };
        CopyFolder(_run.Output, copied.Output);
        var second = processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), 5), copied.Output);
        Assert.True(await second.HearsAsync(Armed.Came, 1));
        first.Continue();
        var fenced = await first.EndAsync();
        Assert.Equal(1, fenced.ExitCode);
        Assert.Contains("this learner is fenced", fenced.Error);
        second.Go();
        await RoleProcesses.EndAsync(second, selector);
        await KafkaBooks.ReadAsync(processes.Kafka, copied, Lines);
        await processes.ReplayAsync(copied.Output);
    }

    [SmallDiskFact]
    public async Task A_full_disk_ends_the_learner_with_the_reason_and_with_room_another_goes_on()
    {
        using var disk = new SmallDisk("300k");
        var run = _run with { Output = Path.Combine(disk.Path, "out") };
        using var processes = await RoleProcesses.StartAsync(run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var selector = processes.Selector();
        var ended = await processes.Learner().EndAsync();
        Assert.True(ended.ExitCode == 1, ended.ToString());
        Assert.Contains("No space left on device", ended.Error);
        disk.Remount("size=64m");
        await RoleProcesses.EndAsync(processes.Learner(), selector);
        await KafkaBooks.ReadAsync(processes.Kafka, run, Lines);
        await processes.ReplayAsync(run.Output);
    }

    [Fact]
    public async Task A_broker_that_is_gone_is_waited_for()
    {
        using var processes = await RoleProcesses.StartAsync(_run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (learner, selector) = (processes.Learner(), processes.Selector());
        Assert.True(await learner.HearsAsync(nameof(BatchClosed), 5));
        await processes.OrderAsync(BrokerProcess.Down);
        // That nobody gives up meanwhile is what is looked at: longer than a session and a lease.
        await Task.Delay(TimeSpan.FromSeconds(4));
        Assert.False(learner.HasEnded || selector.HasEnded);
        var before = learner.Count(nameof(BatchClosed));
        await processes.OrderAsync(BrokerProcess.Up);
        Assert.True(await learner.HearsAsync(nameof(BatchClosed), before + 1));
        await RoleProcesses.EndAsync(learner, selector);
        await KafkaBooks.ReadAsync(processes.Kafka, _run, Lines);
        await processes.ReplayAsync(_run.Output);
    }

    [Fact]
    public async Task A_selector_that_is_stopped_waits_for_no_learner_that_has_stopped()
    {
        using var processes = await RoleProcesses.StartAsync(_run with { Settings = [.. _run.Settings, "slots.drain=10m"] });
        await RoleProcesses.EndAsync(processes.Ingest());
        var (learner, selector) = (processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), 5)), processes.Selector());
        await learner.HearsAsync(Armed.Came, 1);
        // The selector asks for its part of the input to be taken back, and only the learner's last word can be an answer.
        selector.Terminate();
        learner.Terminate();
        learner.Go();
        await RoleProcesses.EndAsync(learner, selector);
    }

    [Fact]
    public async Task A_learner_that_goes_on_with_changes_finds_selectors_that_are_set_as_it_is()
    {
        using var processes = await RoleProcesses.StartAsync(_run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (learner, selector) = (processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), 10)), processes.Selector());
        await learner.HearsAsync(Armed.Came, 1);
        learner.Terminate();
        learner.Go();
        selector.Terminate();
        await RoleProcesses.EndAsync(learner, selector);
        using var changed = processes.With("learner.learning-rate=1e-2");
        learner = changed.Learner(more: "--continue-with-changes");
        Assert.True(await learner.HearsAsync(Events.Claimed, 1));
        await RoleProcesses.EndAsync(learner, changed.Selector());
        await KafkaBooks.ReadAsync(processes.Kafka, _run, Lines);
    }

    [Fact]
    public async Task A_record_of_10_MB_that_the_topic_does_not_take_is_named_with_the_remedy_and_a_file_run_buries_it()
    {
        const int large = 10_000_000;
        var lines = File.ReadAllLines(_run.Data).ToList();
        lines.Insert(5, $$"""{"prompt":{"history":["{{new string('x', large)}}"]},"chosen":"a","rejected":["b"]}""");
        File.WriteAllLines(_run.Data, lines.Take(20));
        using var processes = await RoleProcesses.StartAsync(_run);
        var fed = await processes.Ingest().EndAsync();
        Assert.Equal(1, fed.ExitCode);
        Assert.Contains($"{_run.Data}, line 6 could not be produced to '{RoleRun.Topic}'", fed.Error);
        Assert.Contains("raise message.max.bytes in kafka.client and max.message.bytes of the topic", fed.Error);

        var run = await Victim.RunAsync(["run", "--data", _run.Data, "--policy", _run.Policy, "--output", _run.Output, "--batch", "8", "--set", "ingest.max-record-bytes=1 MiB"]);
        Assert.True(run.ExitCode == 0, run.ToString());
        var letter = Assert.Single(File.ReadLines(Path.Combine(_run.Output, "dead-letters.jsonl")), line => line.Contains("too-large", StringComparison.Ordinal));
        Assert.Contains("one may have 1048576: raise ingest.max-record-bytes", letter);
        Assert.InRange(letter.Length, 0, 8192);
        RunLedger.Read(_run.Output).CheckEachOnce(20, passes: 1);
    }

    private static void CopyFolder(string from, string to)
    {
        // The lock is the first's own.
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "lock"))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
