using System.Runtime.CompilerServices;
using System.Text.Json;
using MassDpo.App.Hosting;
using MassDpo.App.Tests.Running;
using MassDpo.Audit.Logs;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings.Hocon;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace MassDpo.App.Tests.Hosting;

/// <summary>A run inside someone else's host.</summary>
public sealed class AddMassDpoTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const int Batch = 8;

    [Fact]
    public async Task The_tap_gets_every_applied_selection_in_order_and_the_completion_tells_the_end()
    {
        var output = stream.NewOutput();
        using var host = Host(output, Records(40));
        var run = host.Services.GetRequiredService<IMassDpo>();
        var (one, two) = (run.Tap(), run.Tap());
        await host.StartAsync();
        var (first, second) = (await Ids(one), await Ids(two));
        var outcome = await run.Completion;
        await host.StopAsync();
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"r{i}"), first);
        Assert.Equal(first, second);
        Assert.Equal(RunLog.Events(Path.Combine(output, "selections.jsonl")).Select(e => e.Event.Id), first);
        Assert.Equal((false, 5L, 40L), (outcome.Stopped, outcome.Version, outcome.Counts.Applied));
        Assert.True(File.Exists(Path.Combine(output, "policy", "model.safetensors")));
    }

    [Fact]
    public async Task When_the_host_stops_it_checkpoints_and_a_new_host_goes_on()
    {
        var (output, whole) = (stream.NewOutput(), stream.NewOutput());
        using (var host = Host(output, cancellation => Then(Records(20)(cancellation), Never(cancellation))))
        {
            var run = host.Services.GetRequiredService<IMassDpo>();
            await using var choices = run.Tap().GetAsyncEnumerator();
            await host.StartAsync();
            // Two batches can be made of what there is; then the source waits for more.
            for (var i = 0; i < 2 * Batch; i++)
                Assert.True(await choices.MoveNextAsync());
            await host.StopAsync();
            Assert.False(await choices.MoveNextAsync());
            var stopped = await run.Completion;
            Assert.Equal((true, 2L, 16L), (stopped.Stopped, stopped.Version, stopped.Counts.Applied));
        }
        Assert.NotEmpty(Directory.EnumerateDirectories(Path.Combine(output, "checkpoints")));
        Assert.Equal(Enumerable.Range(16, 24).Select(i => $"r{i}"), await ToTheEnd(output));
        Assert.Equal(40, (await ToTheEnd(whole)).Count);
        RunTrace.Of(output).AssertSame(RunTrace.Of(whole));
        Assert.Empty(await ToTheEnd(output));

        async Task<List<string>> ToTheEnd(string directory)
        {
            using var host = Host(directory, Records(40));
            var choices = host.Services.GetRequiredService<IMassDpo>().Tap();
            await host.StartAsync();
            var ids = await Ids(choices);
            await host.StopAsync();
            return ids;
        }
    }

    [Fact]
    public async Task Health_tells_from_before_the_beginning_to_after_the_end_how_the_run_stands()
    {
        using var host = Host(stream.NewOutput(), cancellation => Then(Records(Batch)(cancellation), Never(cancellation)));
        var run = host.Services.GetRequiredService<IMassDpo>();
        Assert.Equal((null, false, false), (run.Health.Failure, run.Health.HasBegun, run.Health.IsReady));
        await using (var choices = run.Tap().GetAsyncEnumerator())
        {
            await host.StartAsync();
            Assert.True(await choices.MoveNextAsync());
            Assert.True(run.Health.IsReady);
        }
        await host.StopAsync();
        Assert.Equal((null, false), (run.Health.Failure, run.Health.IsReady));
        Assert.Equal(["ingest", "learner", "selector-1"], run.Health.Lacking.Keys.Order());
    }

    [Theory]
    [InlineData(nameof(MassDpoOptions.Policy))]
    [InlineData(nameof(MassDpoOptions.Output))]
    [InlineData(nameof(MassDpoOptions.Source))]
    public async Task An_option_that_is_missing_is_named(string option)
    {
        var error = await Fails<InvalidOperationException>(massdpo =>
        {
            (massdpo.Policy, massdpo.Output, massdpo.Source) = (stream.PolicyDirectory, stream.NewOutput(), Records(1));
            typeof(MassDpoOptions).GetProperty(option)!.SetValue(massdpo, option == nameof(MassDpoOptions.Source) ? null : "");
        });
        Assert.Contains($"MassDpoOptions.{option} ", error.Message);
    }

    [Fact]
    public async Task A_setting_that_cannot_be_is_named()
    {
        var error = await Fails<HoconException>(massdpo =>
        {
            (massdpo.Policy, massdpo.Output, massdpo.Source) = (stream.PolicyDirectory, stream.NewOutput(), Records(1));
            massdpo.Settings["learner.beta"] = "many";
        });
        Assert.Equal(("learner.beta", "MassDpoOptions"), (error.Key, error.Origin.ToString()));
    }

    [Fact]
    public async Task A_source_that_throws_ends_the_run_with_the_reason_and_what_was_trained_on_is_kept()
    {
        var output = stream.NewOutput();
        var error = await Fails<FatalActorException>(massdpo =>
        {
            Configure(massdpo, output, cancellation => Then(Records(20)(cancellation), Broken()));
            massdpo.Settings["checkpoint.updates"] = "1";
        });
        Assert.Contains("the till is on fire", error.Message);
        using var host = Host(output, Records(40));
        await host.StartAsync();
        Assert.Equal(40, (await host.Services.GetRequiredService<IMassDpo>().Completion).Counts.Applied);
        await host.StopAsync();

        static async IAsyncEnumerable<PreferenceRecord> Broken()
        {
            await Task.Yield();
            throw new IOException("the till is on fire");
#pragma warning disable CS0162 // An iterator needs a yield.
            yield break;
#pragma warning restore CS0162
        }
    }

    [Fact]
    public async Task Settings_lie_over_a_file_and_changed_ones_need_leave_to_go_on()
    {
        var (output, file) = (stream.NewOutput(), stream.NewOutput() + ".conf");
        File.WriteAllText(file, "learner { beta = 0.3, batch = 4 }\nselection.method = random\n");
        using (var host = Host(massdpo =>
        {
            Configure(massdpo, output, cancellation => Then(Records(40)(cancellation), Never(cancellation)));
            massdpo.Configuration = file;
        }))
        {
            var choices = host.Services.GetRequiredService<IMassDpo>().Tap();
            await host.StartAsync();
            Assert.Equal(40, await choices.Take(40).CountAsync());
            await host.StopAsync();
        }
        Assert.Equal([("random", 0.3)], RunLog.Events(Path.Combine(output, "selections.jsonl")).Select(e => (e.Event.Method, e.Event.Beta)).Distinct());
        Assert.Equal(5, RunLog.Updates(Path.Combine(output, "updates.jsonl")).Count());
        var refused = await Fails<FatalActorException>(massdpo => Configure(massdpo, output, Records(48)));
        Assert.Contains("selection.method was random and is mass", refused.Message);
        using (var host = Host(massdpo =>
        {
            Configure(massdpo, output, Records(48));
            massdpo.ContinueWithChanges = true;
        }))
        {
            await host.StartAsync();
            Assert.Equal(48, (await host.Services.GetRequiredService<IMassDpo>().Completion).Counts.Applied);
            await host.StopAsync();
        }
        Assert.Equal(["random", "mass"], RunLog.Events(Path.Combine(output, "selections.jsonl")).Select(e => e.Event.Method).Distinct());
    }

    [Fact]
    public async Task The_sample_runs_with_a_policy_that_sft_made_and_goes_on_when_run_again()
    {
        var (data, items, policy, output) = (stream.NewOutput() + ".jsonl", stream.NewOutput() + ".txt", stream.NewOutput(), stream.NewOutput());
        File.WriteAllText(data, JsonSerializer.Serialize(new { prompt = new { history = new[] { "tea" } }, chosen = "milk", rejected = new[] { "sugar" } }) + "\n");
        File.WriteAllLines(items, ["tea", "coffee", "cocoa", "milk", "sugar", "honey"]);
        await Called.Well("sft", "--data", data, "--policy", policy, "--items", items, "--epochs", "0", "--hidden", "8", "--heads", "2");
        var shop = await ProgramProcess.Run(ProgramProcess.Embedded, [policy, output]);
        Assert.Equal((0, ""), (shop.ExitCode, shop.Error));
        var lines = shop.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(41, lines.Length);
        for (var visitor = 0; visitor < 40; visitor++)
            Assert.Matches($@"^visitor-{visitor}: kept #\d \(gain \d+\.\d+\), #\d \(gain \d+\.\d+\), #\d \(gain \d+\.\d+\) of 5$", lines[visitor]);
        var end = $"40 records made 5 updates; the policy is in {Path.Combine(output, "policy")}";
        Assert.Equal(end, lines[40]);
        Assert.Equal([end], (await ProgramProcess.Run(ProgramProcess.Embedded, [policy, output])).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private IHost Host(string output, Func<CancellationToken, IAsyncEnumerable<PreferenceRecord>> source) => Host(massdpo => Configure(massdpo, output, source));

    private void Configure(MassDpoOptions massdpo, string output, Func<CancellationToken, IAsyncEnumerable<PreferenceRecord>> source)
    {
        (massdpo.Policy, massdpo.Output, massdpo.Source) = (stream.PolicyDirectory, output, source);
        massdpo.Settings["learner.batch"] = $"{Batch}";
        massdpo.Settings["learner.learning-rate"] = "1e-2";
    }

    private static IHost Host(Action<MassDpoOptions> configure)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddMassDpo(configure);
        return builder.Build();
    }

    // The run ends with this error, which stops the host too, and whoever listens comes to an end.
    private static async Task<T> Fails<T>(Action<MassDpoOptions> configure) where T : Exception
    {
        using var host = Host(configure);
        var run = host.Services.GetRequiredService<IMassDpo>();
        var choices = run.Tap();
        await host.StartAsync();
        var error = await Assert.ThrowsAsync<T>(() => run.Completion);
        await Ids(choices);
        await host.WaitForShutdownAsync();
        Assert.Equal((error, false), (run.Health.Failure, run.Health.IsReady));
        return error;
    }

    private static async Task<List<string>> Ids(IAsyncEnumerable<SelectionEvent> events)
    {
        var ids = new List<string>();
        await foreach (var e in events)
            ids.Add(e.Id);
        return ids;
    }

    private static Func<CancellationToken, IAsyncEnumerable<PreferenceRecord>> Records(int count)
    {
        return Make;

        async IAsyncEnumerable<PreferenceRecord> Make([EnumeratorCancellation] CancellationToken cancellation)
        {
            for (var i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                await Task.Yield();
                yield return new PreferenceRecord { Id = $"r{i}", Prompt = Prompt.OfHistory([$"i{i % 7}"]), Candidates = [$"i{i % 5}", .. Enumerable.Range(5, 6).Select(j => $"i{j + i % 9}")] };
            }
        }
    }

    private static async IAsyncEnumerable<PreferenceRecord> Then(IAsyncEnumerable<PreferenceRecord> first, IAsyncEnumerable<PreferenceRecord> second)
    {
        await foreach (var record in first)
            yield return record;
        await foreach (var record in second)
            yield return record;
    }

    private static async IAsyncEnumerable<PreferenceRecord> Never([EnumeratorCancellation] CancellationToken cancellation)
    {
        await Task.Delay(Timeout.Infinite, cancellation);
        yield break;
    }
}
