using System.Diagnostics;
using MassDpo.Shared.Telemetry;

namespace MassDpo.Shared.Tests.Telemetry;

/// <summary>Who listens to activities listens for the whole process: all that do are here, one after the other.</summary>
public sealed class TracingTests
{
    [Fact]
    public void While_nobody_listens_there_is_no_activity_and_nothing_is_allocated()
    {
        Assert.False(Tracing.IsOn);
        Assert.Null(Tracing.Start(Tracing.Publish));
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            using var activity = Tracing.IsOn ? Tracing.Start(Tracing.Update, Array.Empty<string>()) : Tracing.Start(Tracing.Publish);
            activity?.SetTag("massdpo.version", i);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void An_activity_links_to_each_well_formed_trace_once_and_to_no_more_than_are_kept()
    {
        using var listener = Listen();
        Assert.True(Tracing.IsOn);
        var (one, two) = (Trace(1), Trace(2));
        using (var activity = Tracing.Start(Tracing.Select, [one, null, two, one, "", "00-zz", two.ToUpperInvariant(), new string('0', 55)]))
        {
            Assert.Equal([one, two], activity!.Links.Select(Text));
            Assert.All(activity.Links, link => Assert.True(link.Context.IsRemote));
            Assert.Null(activity.ParentId);
        }
        using var many = Tracing.Start(Tracing.Update, Enumerable.Range(1, 1000).Select(Trace));
        Assert.Equal(Enumerable.Range(1, 128).Select(Trace), many!.Links.Select(Text));

        static string Text(ActivityLink link) => $"00-{link.Context.TraceId}-{link.Context.SpanId}-01";
    }

    [Fact]
    public void An_activity_is_part_of_the_one_that_it_is_told_or_of_the_current_one()
    {
        using var listener = Listen();
        using var told = Tracing.Start(Tracing.Select, [], Trace(9));
        Assert.Equal(Trace(9), told!.ParentId);
        using var within = Tracing.Start(Tracing.Publish);
        Assert.Equal(told.Id, within!.ParentId);
        Activity.Current = null;
        using var alone = Tracing.Start(Tracing.Ingest, [], "not a trace");
        Assert.Null(alone!.ParentId);
    }

    private static string Trace(int number) => $"00-{number:x32}-{number:x16}-01";

    private static ActivityListener Listen()
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Tracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
