using System.Text.Json.Nodes;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;

namespace MassDpo.Chaos;

/// <summary>Disks that are full, read-only or not what they were: the program ends with the reason, or tells what it did about it, and loses nothing.</summary>
public sealed class DiskTests(ChaosRuns runs) : IClassFixture<ChaosRuns>
{
    [SmallDiskTheory]
    [InlineData("300k")]
    [InlineData("500k")]
    [InlineData("900k")]
    public async Task A_full_disk_ends_the_run_with_the_reason_and_with_room_it_goes_on(string size)
    {
        using var disk = new SmallDisk(size);
        var output = Path.Combine(disk.Path, "out");
        var ended = await Victim.RunAsync(runs.Words(output));
        Assert.True(ended.ExitCode == 1, ended.ToString());
        Assert.Contains("error: ", ended.Error);
        Assert.Contains("No space left on device", ended.Error);
        disk.Remount("size=64m");
        await runs.EndAsUninterruptedAsync(output);
    }

    [SmallDiskFact]
    public async Task A_read_only_disk_is_told_of_and_nothing_on_it_changes()
    {
        using var disk = new SmallDisk("64m");
        var output = Path.Combine(disk.Path, "out");
        await runs.DieAsync("half way", Moment.Event(nameof(BatchClosed), 20), runs.Words(output));
        disk.Remount("ro");
        foreach (var place in new[] { output, Path.Combine(disk.Path, "another") })
        {
            var ended = await Victim.RunAsync(runs.Words(place));
            Assert.True(ended.ExitCode == 1, ended.ToString());
            Assert.StartsWith("error: ", ended.Error);
            Assert.Contains("Read-only file system", ended.Error);
            Assert.Contains(place, ended.Error);
        }
        disk.Remount("rw");
        await runs.EndAsUninterruptedAsync(output);
    }

    [Theory]
    [InlineData("cut", "model.safetensors")]
    [InlineData("flipped", "model.safetensors")]
    [InlineData("flipped", "optimizer.safetensors")]
    [InlineData("cut", "manifest.json")]
    public async Task A_damaged_checkpoint_is_passed_over_for_the_one_before_and_the_report_says_so(string how, string file)
    {
        var output = runs.NewOutput();
        await runs.DieAsync("half way", Moment.Event(nameof(BatchClosed), 20), runs.Words(output));
        var checkpoints = Directory.GetDirectories(Path.Combine(output, "checkpoints"), "v*").Order(StringComparer.Ordinal).Select(path => Path.GetFileName(path)).ToList();
        Assert.Equal(2, checkpoints.Count);
        Damage(how, Path.Combine(output, "checkpoints", checkpoints[1], file));
        await runs.EndAsUninterruptedAsync(output);
        var notes = JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!["notes"]!.AsArray().Select(note => (string)note!).ToList();
        Assert.Contains(notes, note => note.StartsWith($"checkpoint {checkpoints[1]} is damaged and was set aside: ", StringComparison.Ordinal));
        Assert.Contains($"went on from checkpoint {checkpoints[0]}", notes);
    }

    private static void Damage(string how, string file)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 4;
        File.WriteAllBytes(file, how == "cut" ? bytes[..(bytes.Length / 2)] : bytes);
    }
}
