using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;

namespace MassDpo.Chaos;

/// <summary>Disk, broker and records of a run over Kafka that fail it: what is told of each, and that every position is settled once after it.</summary>
public sealed class RoleFaultTests : RoleScene
{
    [SmallDiskFact]
    public async Task A_full_disk_ends_the_learner_with_the_reason_and_with_room_another_goes_on()
    {
        using var disk = new SmallDisk("300k");
        var run = Run with { Output = Path.Combine(disk.Path, "out") };
        using var processes = await RoleProcesses.StartAsync(run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var selector = processes.Selector();
        var ended = await processes.Learner().EndAsync();
        Assert.True(ended.ExitCode == 1, ended.ToString());
        Assert.Contains("No space left on device", ended.Error);
        disk.Remount("size=64m");
        await RoleProcesses.EndAsync(processes.Learner(), selector);
        await KafkaBooks.ReadAsync(processes.Kafka, run, Lines);
    }

    [Fact]
    public async Task A_broker_of_ours_that_stood_still_again_and_again_goes_on()
    {
        using var processes = await RoleProcesses.StartAsync(Run);
        for (var i = 0; i < 50; i++)
        {
            await processes.Broker.StopAsync();
            processes.Broker.Continue();
        }
        await RoleProcesses.EndAsync(processes.Ingest());
    }

    [Fact]
    public async Task A_broker_that_is_gone_is_waited_for()
    {
        using var processes = await RoleProcesses.StartAsync(Run);
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
        await KafkaBooks.ReadAsync(processes.Kafka, Run, Lines);
    }

    [Fact]
    public async Task A_record_of_10_MB_that_the_topic_does_not_take_is_named_with_the_remedy_and_a_file_run_buries_it()
    {
        const int large = 10_000_000;
        var lines = File.ReadAllLines(Run.Data).ToList();
        lines.Insert(5, $$"""{"prompt":{"history":["{{new string('x', large)}}"]},"chosen":"a","rejected":["b"]}""");
        File.WriteAllLines(Run.Data, lines.Take(20));
        using var processes = await RoleProcesses.StartAsync(Run);
        var fed = await processes.Ingest().EndAsync();
        Assert.Equal(1, fed.ExitCode);
        Assert.Contains($"{Run.Data}, line 6 could not be produced to '{RoleRun.Topic}'", fed.Error);
        Assert.Contains("raise message.max.bytes in kafka.client and max.message.bytes of the topic", fed.Error);

        var run = await Victim.RunAsync(["run", "--data", Run.Data, "--policy", Run.Policy, "--output", Run.Output, "--batch", "8", "--set", "ingest.max-record-bytes=1 MiB"]);
        Assert.True(run.ExitCode == 0, run.ToString());
        var letter = Assert.Single(File.ReadLines(Path.Combine(Run.Output, "dead-letters.jsonl")), line => line.Contains("too-large", StringComparison.Ordinal));
        Assert.Contains("one may have 1048576: raise ingest.max-record-bytes", letter);
        Assert.InRange(letter.Length, 0, 8192);
        RunLedger.Read(Run.Output).CheckEachOnce(20, passes: 1);
    }
}
