using System.Diagnostics;

namespace MassDpo.Shared.Telemetry;

/// <summary>
/// The activities of the product, from the source named <see cref="SourceName"/>. What is computed together comes from records of many traces, so that a block
/// links to the traces of its records, and an update to those of its blocks. While nobody listens there are none, and nothing is allocated.
/// </summary>
public static class Tracing
{
    public const string SourceName = "MassDpo";

    /// <summary>An intake hands a block of records on.</summary>
    public const string Ingest = "massdpo.ingest";

    /// <summary>A selector chooses the negatives of a block.</summary>
    public const string Select = "massdpo.select";

    /// <summary>The learner trains on a batch.</summary>
    public const string Update = "massdpo.update";

    /// <summary>The learner publishes a snapshot.</summary>
    public const string Publish = "massdpo.publish";

    /// <summary>The learner writes a checkpoint.</summary>
    public const string Checkpoint = "massdpo.checkpoint";

    // As many as OpenTelemetry keeps of one activity by default.
    private const int MaxLinks = 128;

    private static readonly ActivitySource Source = new(SourceName, typeof(Tracing).Assembly.GetName().Version?.ToString(3));

    /// <summary>Whether somebody listens.</summary>
    public static bool IsOn => Source.HasListeners();

    /// <summary>Begins an activity within the one that is current, or on its own; null where nobody wants it.</summary>
    public static Activity? Start(string name) => Source.StartActivity(name);

    /// <summary>
    /// Begins an activity that links to others; null where nobody wants it. Ask <see cref="IsOn"/> first, so that nothing is gathered for nobody.
    /// </summary>
    /// <param name="name">of it</param>
    /// <param name="traces">W3C <c>traceparent</c> of each; those that are null or malformed, or come twice, are left out, and so are those after the first 128</param>
    /// <param name="parent">W3C <c>traceparent</c> of the activity that it is part of; null: of none</param>
    public static Activity? Start(string name, IEnumerable<string?> traces, string? parent = null)
    {
        var links = new List<ActivityLink>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var trace in traces)
            if (trace is not null && links.Count < MaxLinks && seen.Add(trace) && ActivityContext.TryParse(trace, null, isRemote: true, out var context))
                links.Add(new ActivityLink(context));
        _ = ActivityContext.TryParse(parent, null, isRemote: false, out var above);
        return Source.StartActivity(name, ActivityKind.Internal, above, tags: null, links);
    }
}
