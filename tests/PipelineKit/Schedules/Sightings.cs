namespace MassDpo.PipelineKit.Schedules;

/// <summary>How often each kind of event came up, by a name that says what it was.</summary>
public sealed class Sightings
{
    private readonly SortedDictionary<string, long> _counts = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, long> Counts => _counts;

    public long this[string what] => _counts.GetValueOrDefault(what);

    public void Saw(string what, long times = 1) => _counts[what] = this[what] + times;
}
