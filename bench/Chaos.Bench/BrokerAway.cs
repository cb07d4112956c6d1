using System.Diagnostics;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;
using MassDpo.TestKit;
using static System.FormattableString;

namespace MassDpo.Chaos.Bench;

/// <summary>A broker that is gone for a minute and comes back: once with its connections cut, once standing still with them open.</summary>
internal static class BrokerAway
{
    private const int Lines = 8000;
    private const int Updates = 20;

    public static async Task RunAsync(int seconds)
    {
        using var folder = new TempFolder();
        var run = new RoleRun(folder.Path, Partitions: 8, Batch: 16, Staleness: 2, "checkpoint.updates=10", "selection.block=4", "slots.lease=10s") { EventPartitions = Lines / 500 };
        ChaosStream.Write(run.Policy, run.Data, Lines, hidden: 32);
        using var processes = await RoleProcesses.StartAsync(run);
        // Held half way, so that there is something to go on with each time.
        var ingest = processes.Ingest(Deed.Hold, Moment.Event(Events.RecordRead, Lines / 2));
        Victim[] roles = [processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), Updates)), processes.Selector(), processes.Selector()];
        var (learner, times) = (roles[0], 0);
        Console.WriteLine(Invariant($"| the broker, for {seconds} s | from its return to the next update, s | processes that ended |\n|---|---|---|"));
        await Away("has its connections cut and refuses others", () => processes.OrderAsync(BrokerProcess.Down), () => processes.OrderAsync(BrokerProcess.Up));
        learner.Arm(Deed.Hold, Moment.Event(nameof(BatchClosed), Updates));
        await Away("stands still", processes.Broker.StopAsync, () =>
        {
            processes.Broker.Continue();
            return Task.CompletedTask;
        });
        ingest.Arm(Deed.Kill, Moment.Never);
        ingest.Go();
        await RoleProcesses.EndAsync([ingest, .. roles]);
        var books = await KafkaBooks.ReadAsync(processes.Kafka, run, Lines);
        await processes.ReplayAsync(run.Output);
        Console.WriteLine(Invariant($"\n{books.Records:N0} positions of the input, {books.Doubled:N0} lines twice among them (the mock cluster knows no idempotent producers): {books.Ledger.Applied.Count:N0} applied, {books.Ledger.Dead.Count:N0} dead, each once; {books.Epochs} epochs; `massdpo replay` bit for bit."));

        // The learner is let go just before, so that all are at work when it happens.
        async Task Away(string how, Func<Task> goes, Func<Task> comes)
        {
            await learner.HearsAsync(Armed.Came, ++times);
            learner.Arm(Deed.Kill, Moment.Never);
            learner.Go();
            await goes();
            await Task.Delay(TimeSpan.FromSeconds(seconds));
            var before = learner.Count(nameof(BatchClosed));
            await comes();
            var back = Stopwatch.GetTimestamp();
            await learner.HearsAsync(nameof(BatchClosed), before + 1);
            Console.WriteLine(Invariant($"| {how} | {Stopwatch.GetElapsedTime(back).TotalSeconds:F1} | {roles.Append(ingest).Count(process => process.HasEnded)} |"));
        }
    }
}
