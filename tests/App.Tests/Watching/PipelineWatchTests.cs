using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using MassDpo.App.Running;
using MassDpo.App.Tests.Running;
using MassDpo.App.Watching;
using MassDpo.Audit.Logs;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;
using MassDpo.Shared.Telemetry;
using MassDpo.TestKit.Simulation;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.App.Tests.Watching;

/// <summary>What instruments and activities tell of a run is what its logs tell, and being watched changes nothing.</summary>
public sealed class PipelineWatchTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public void A_run_is_ready_once_its_epoch_is_open_and_until_then_each_actor_says_what_it_lacks()
    {
        var host = new SimulatedHost(2);
        using var run = new SimulatedRun(stream, SimulatedStream.Options(), host, stream.NewOutput());
        var lacked = new HashSet<(string Actor, string What)>();
        while (!host.Health.IsReady)
        {
            lacked.UnionWith(host.Health.Lacking.Select(actor => (actor.Key, actor.Value)));
            run.Step(1);
        }
        Assert.Contains(("learner", "no selector has confirmed version 0 in epoch 1"), lacked);
        Assert.Contains(("selector-1", "it has no snapshot of the policy"), lacked);
        Assert.Contains(("ingest", "no epoch is open"), lacked);
        host.RunUntil(() => host.Health.Lacking.Count == 2);
        Assert.Equal([("ingest", "no epoch is open: the learner has stopped"), ("learner", "the run has ended")], host.Health.Lacking.Select(actor => (actor.Key, actor.Value)).Order());
        run.End();
    }

    [Fact]
    public void What_the_instruments_came_to_is_what_the_logs_hold()
    {
        var host = new SimulatedHost(5);
        using var collector = new PrometheusCollector(host.Instruments.Meter);
        using var run = new SimulatedRun(stream, SimulatedStream.Options("slots.max-staleness = 2", "selection.selectors = 2"), host, stream.NewOutput());
        // In the middle: what was granted, and how much of it is back.
        run.Step(long.MaxValue, () => Exposition.Parse(collector.Collect()) is var on && on["massdpo_blocks_waiting"] > 0 && on["massdpo_slots_filled"] > 0 && on["massdpo_version", "actor=learner"] > 2);
        var middle = Exposition.Parse(collector.Collect());
        Assert.InRange(middle["massdpo_slots_filled"]!.Value, 1, middle["massdpo_slots_open"]!.Value - 1);
        Assert.InRange(middle["massdpo_slots_open"]!.Value, 1, 3 * SimulatedStream.Batch);
        Assert.InRange(middle["massdpo_version", "actor=selector-1"]!.Value, middle["massdpo_version", "actor=learner"]!.Value - 3, middle["massdpo_version", "actor=learner"]!.Value);
        run.Step(1_000_000);
        var told = Exposition.Parse(collector.Collect());
        var outcome = run.End();
        var (trace, updates) = (RunTrace.Of(run.Output), RunLog.Updates(Path.Combine(run.Output, "updates.jsonl")).ToList());
        Assert.Equal(trace.Trained.Count, told["massdpo_records_applied_total"]);
        Assert.Equal(trace.Dead.CountBy(letter => letter.Code).OrderBy(code => code.Key, StringComparer.Ordinal).Select(code => ($"code={code.Key}", (double)code.Value)),
            told.SamplesOf("massdpo_records_dead_total").Select(sample => (sample.Labels, sample.Value)));
        Assert.Equal(updates.Count, told["massdpo_updates_total"]);
        Assert.Equal(updates[^1].Loss, told["massdpo_loss"]);
        Assert.All(told.SamplesOf("massdpo_staleness").Where(sample => sample.Bound is not null), bucket => Assert.Equal(trace.Lags.Count(lag => lag <= bucket.Bound), bucket.Value));
        Assert.Equal((trace.Lags.Sum(), trace.Lags.Count), (told["massdpo_staleness_sum"], told["massdpo_staleness_count"]));
        Assert.Equal(outcome.Version, told["massdpo_version", "actor=learner"]);
        Assert.Equal([("actor=ingest", 1.0), ("actor=learner", 1), ("actor=selector-1", 1), ("actor=selector-2", 1)], told.SamplesOf("massdpo_epoch").Select(sample => (sample.Labels, sample.Value)));
        Assert.Equal(["actor=learner", "actor=selector-1", "actor=selector-2"], told.SamplesOf("massdpo_snapshot_age_seconds").Select(sample => sample.Labels));
        Assert.Equal(updates.Sum(update => update.BlockCounts.Count), told["massdpo_selection_duration_seconds_count"]);
        // One at the start, and one for each version.
        Assert.Equal((outcome.Version + 1) * stream.Policy.Weights.Bytes, told["massdpo_snapshot_published_bytes_total"]);
        Assert.Equal(new FileInfo(Path.Combine(stream.PolicyDirectory, "model.safetensors")).Length, stream.Policy.Weights.Bytes, stream.Policy.Weights.Bytes / 2);
        Assert.InRange(told["massdpo_checkpoint_duration_seconds_count"]!.Value, outcome.Version / 3, outcome.Version / 3 + 2);
        Assert.Equal(0, told["massdpo_checkpoint_age_seconds"]);
        Assert.Equal((0.0, 0.0, 0.0, 0.0), (told["massdpo_slots_open"], told["massdpo_slots_filled"], told["massdpo_blocks_waiting"], told["massdpo_input_in_hand"]));
        Assert.Equal((run.References.FromMemory, run.References.Computed), (told["massdpo_reference_cache_packs_total", "from=memory"], told["massdpo_reference_cache_packs_total", "from=model"]));
        Assert.Equal(trace.Trained.Count, run.References.FromMemory + run.References.Computed);
        Assert.Equal(run.References.MemoryBytes, told["massdpo_reference_cache_size_bytes", "in=memory"]);
        Assert.Null(told["massdpo_leases_expired_total"]);
        Assert.Null(told["massdpo_input_lag", ""]);
    }

    [Fact]
    public void From_the_trace_of_a_record_links_lead_to_the_update_that_it_was_trained_in_and_no_bit_of_the_logs_knows_of_it()
    {
        var undisturbed = Undisturbed.Of(stream);
        var activities = new ConcurrentQueue<Activity>();
        var host = new SimulatedHost(3);
        using var listener = new ActivityListener
        {
            // Of this run alone: others run beside it.
            ShouldListenTo = source => source.Name == Tracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => Environment.CurrentManagedThreadId == _thread ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = activities.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        var options = SimulatedStream.Options("selection.selectors = 2");
        using var directory = RunDirectory.Open(stream.NewOutput(), PhysicalFiles.Instance);
        using var links = PipelineLinks.Local();
        var source = new TracedSource(stream.Open(options));
        var learner = new LearnerRole(host, links, stream.Policy, source.Identity, directory, options, new LearnerSeams(_ => { }, _ => { }));
        using var cache = SelectorRole.OpenCache(stream.Policy, options, PhysicalFiles.Instance, NullLogger.Instance);
        SelectorRole.Spawn(host, links, stream.Policy, cache, source, options with { Validators = 1 });
        host.RunUntil(() => learner.HasEnded);
        host.Stop();
        directory.Dispose();

        RunTrace.Of(directory.Root).AssertSame(undisturbed);
        var byId = activities.ToDictionary(activity => activity.Id!);
        var updates = RunLog.Updates(Path.Combine(directory.Root, "updates.jsonl")).ToList();
        var told = activities.Where(activity => activity.OperationName == Tracing.Update).ToList();
        Assert.Equal(updates.Select(update => update.Version), told.Select(activity => (long)activity.GetTagItem("massdpo.version")!));
        foreach (var (update, activity) in updates.Zip(told))
        {
            var selects = activity.Links.Select(link => byId[$"00-{link.Context.TraceId}-{link.Context.SpanId}-01"]).ToList();
            Assert.All(selects, select => Assert.Equal(Tracing.Select, select.OperationName));
            Assert.Equal(update.BlockCounts.Count, selects.Count);
            Assert.Equal(update.Positions.Select(position => TracedSource.TraceOf(position!.Value)), selects.SelectMany(Traces));
            // A block was handed on in the trace that it is selected in, and from the same records.
            Assert.All(selects, select => Assert.Equal((Tracing.Ingest, string.Join(' ', Traces(select))), (byId[select.ParentId!].OperationName, string.Join(' ', Traces(byId[select.ParentId!])))));
            Assert.Null(activity.ParentId);
            Assert.Equal(update.Applied, activity.GetTagItem("massdpo.records"));
        }
        Assert.All(activities.Where(activity => activity.OperationName == Tracing.Publish && activity.ParentId is not null), publish => Assert.Equal(Tracing.Update, byId[publish.ParentId!].OperationName));
        Assert.Equal(updates.Count + 1, activities.Count(activity => activity.OperationName == Tracing.Publish));
        Assert.Equal(updates[^1].Version, activities.Where(activity => activity.OperationName == Tracing.Checkpoint).Max(activity => (long)activity.GetTagItem("massdpo.version")!));
        Assert.DoesNotContain(activities, activity => activity.Status == ActivityStatusCode.Error);

        static IEnumerable<string> Traces(Activity activity) => activity.Links.Select(link => string.Create(CultureInfo.InvariantCulture, $"00-{link.Context.TraceId}-{link.Context.SpanId}-01"));
    }

    // A simulated run is on the thread that runs it.
    private readonly int _thread = Environment.CurrentManagedThreadId;
}
