using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;

namespace MassDpo.Chaos;

/// <summary>Learners of a run over Kafka that are too many, or set otherwise than before, and who waits for them: what is told, and that every position is settled once.</summary>
public sealed class LearnerTests : RoleScene
{
    [Fact]
    public async Task A_second_learner_with_an_output_of_its_own_is_refused_and_the_first_goes_on()
    {
        using var processes = await RoleProcesses.StartAsync(Run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (first, selector) = (processes.Learner(Deed.Hold, Moment.Event(nameof(BatchClosed), 5)), processes.Selector());
        await first.HearsAsync(Armed.Came, 1);
        var second = await processes.Learner(output: Folder["another"]).EndAsync();
        Assert.Equal(1, second.ExitCode);
        Assert.Contains("error: ", second.Error);
        Assert.Contains("epoch", second.Error);
        first.Go();
        await RoleProcesses.EndAsync(first, selector);
        await KafkaBooks.ReadAsync(processes.Kafka, Run, Lines);
    }

    [Fact]
    public async Task A_learner_that_stood_still_while_another_went_on_from_a_copy_of_its_output_is_fenced()
    {
        using var processes = await RoleProcesses.StartAsync(Run);
        await RoleProcesses.EndAsync(processes.Ingest());
        var (first, selector) = (processes.Learner(Deed.Stop, Moment.Event(nameof(BatchClosed), 10)), processes.Selector());
        await first.HearsAsync(Armed.Came, 1);
        await first.StandsAsync();
        var copied = Run with { Output = Folder["copied"] };
        CopyFolder(Run.Output, copied.Output);
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

    [Fact]
    public async Task A_selector_that_is_stopped_waits_for_no_learner_that_has_stopped()
    {
        using var processes = await RoleProcesses.StartAsync(Run with { Settings = [.. Run.Settings, "slots.drain=10m"] });
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
        using var processes = await RoleProcesses.StartAsync(Run);
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
        await KafkaBooks.ReadAsync(processes.Kafka, Run, Lines);
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
