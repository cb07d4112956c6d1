using MassDpo.ChaosKit;

namespace MassDpo.Chaos;

/// <summary>
/// The process is killed at a step of the disk, from its first folder to its last rename; run again it comes to the bits of a run that was never interrupted. That the step
/// is the one that the name says shows in what lies there when the process is dead.
/// </summary>
public sealed class CommitTests(ChaosRuns runs) : IClassFixture<ChaosRuns>
{
    private const string Aside = "*/checkpoints/v*.writing";

    [Theory]
    [InlineData("while the output directory is made", "create", "*/out/checkpoints", 1, "", "checkpoints")]
    [InlineData("while the logs are opened", "create", "*/out/updates*", 1, "selections*", "updates*")]
    [InlineData("while the epoch is claimed", "write", "*/out/epoch.writing", 1, "epoch.writing", "epoch")]
    [InlineData("after the epoch's claim, before its folder's fsync", "sync-folder", "*/out", 1, "epoch", "epoch.writing")]
    [InlineData("while it is noted what the run is made of", "write", "*/out/run.json.writing", 1, "run.json.writing", "run.json")]
    public Task As_a_run_begins(string moment, string step, string path, int nth, string holds, string lacks) => DieAndGoOn(moment, step, path, nth, holds, lacks);

    [Theory]
    [InlineData("between two fsyncs of logs", "sync", "*/out/updates*", 2, "checkpoints/v000000000003-*", "checkpoints/v000000000006-*")]
    [InlineData("after the fsyncs of the logs, before the checkpoint's folder", "create", Aside, 2, "checkpoints/v000000000003-*", "checkpoints/v000000000006-*")]
    [InlineData("while the weights are written", "write", Aside + "/model.safetensors", 8, "*.writing/model.safetensors", "*.writing/optimizer.safetensors")]
    [InlineData("before the weights' fsync", "sync", Aside + "/model.safetensors", 2, "*.writing/model.safetensors", "*.writing/optimizer.safetensors")]
    [InlineData("between weights and optimiser", "create", Aside + "/optimizer.safetensors", 2, "*.writing/model.safetensors", "*.writing/optimizer.safetensors")]
    [InlineData("while the state is written", "write", Aside + "/state.json", 1, "*.writing/state.json", "*.writing/manifest.json")]
    [InlineData("while the manifest is written", "write", Aside + "/manifest.json", 2, "*.writing/manifest.json", "checkpoints/v000000000006-e??????-s????????????")]
    [InlineData("before the fsync of the checkpoint's folder", "sync-folder", Aside, 2, "*.writing/manifest.json", "checkpoints/v000000000009-*")]
    [InlineData("before the rename of the first checkpoint", "rename", Aside, 1, "checkpoints/v000000000003-*.writing", "checkpoints/v000000000003-e??????-s????????????")]
    [InlineData("before the rename", "rename", Aside, 3, "checkpoints/v000000000009-*.writing", "checkpoints/v000000000012-*")]
    [InlineData("after the rename, before the folder's fsync", "sync-folder", "*/out/checkpoints", 2, "checkpoints/v000000000006-*", "*.writing")]
    [InlineData("while pruning", "delete", "*/checkpoints/v000000000012-*", 1, "checkpoints/v000000000012-*/state.json", "checkpoints/v000000000012-*/manifest.json")]
    public Task While_a_checkpoint_is_committed(string moment, string step, string path, int nth, string holds, string lacks) => DieAndGoOn(moment, step, path, nth, holds, lacks);

    [Theory]
    [InlineData("while the result policy is written", "write", "*/out/policy.writing/model.safetensors", 3, "policy.writing/model.safetensors", "policy")]
    [InlineData("before the result policy's rename", "rename", "*/out/policy.writing", 1, "policy.writing/model.safetensors", "policy")]
    [InlineData("while the report is written", "write", "*/out/report.json.writing", 1, "policy", "report.json")]
    [InlineData("before the report's rename", "rename", "*/out/report.json.writing", 1, "report.json.writing", "report.json")]
    [InlineData("after the report's rename, before its folder's fsync", "sync-folder", "*/out", 3, "report.json", "*.writing")]
    public Task As_a_run_ends(string moment, string step, string path, int nth, string holds, string lacks) => DieAndGoOn(moment, step, path, nth, holds, lacks);

    [Theory]
    [InlineData("while the logs are cut back", "append", "*/out/metrics*", 10, "truncate", "*/out/updates*")]
    [InlineData("while it clears away a commit that never came to its end", "rename", Aside, 2, "delete", Aside)]
    [InlineData("as it claims its epoch", "write", Aside + "/optimizer.safetensors", 50, "rename", "*/out/epoch.writing")]
    public async Task And_once_more_as_it_goes_on(string moment, string step, string path, int nth, string secondStep, string secondPath)
    {
        var output = runs.NewOutput();
        await runs.DieAsync("at first", new Moment(step, path, nth), runs.Words(output));
        await runs.DieAsync(moment, new Moment(secondStep, secondPath), runs.Words(output));
        await runs.EndAsUninterruptedAsync(output);
    }

    [Theory]
    [InlineData("before the old policy is moved away", "rename", "*/out/policy", "policy/config.json", "policy.replaced")]
    [InlineData("between the renames", "rename", "*/out/policy.writing", "policy.replaced/model.safetensors", "policy")]
    [InlineData("while the old policy is deleted", "delete", "*/out/policy.replaced", "policy/model.safetensors", "policy.writing")]
    public async Task While_the_result_of_an_earlier_end_is_replaced(string moment, string step, string path, string holds, string lacks)
    {
        var output = runs.NewOutput();
        await runs.EndAsUninterruptedAsync(output);
        await DieAndGoOn(moment, step, path, 1, holds, lacks, output);
    }

    private Task DieAndGoOn(string moment, string step, string path, int nth, string holds, string lacks) => DieAndGoOn(moment, step, path, nth, holds, lacks, runs.NewOutput());

    private async Task DieAndGoOn(string moment, string step, string path, int nth, string holds, string lacks, string output)
    {
        await runs.DieAsync(moment, new Moment(step, path, nth), runs.Words(output));
        Assert.True(holds.Length == 0 || ChaosRuns.Holds(output, holds), $"{moment}: {holds} is absent");
        Assert.False(ChaosRuns.Holds(output, lacks), $"{moment}: {lacks} is there");
        await runs.EndAsUninterruptedAsync(output);
    }
}
