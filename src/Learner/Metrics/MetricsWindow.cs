using MassDpo.Shared.Contracts;

namespace MassDpo.Learner.Metrics;

/// <summary>Means over the last records that were measured before training on them.</summary>
public sealed class MetricsWindow(int size)
{
    private readonly Queue<RecordMeasures> _measures = new();

    public void Add(RecordMeasures measures)
    {
        _measures.Enqueue(measures);
        if (_measures.Count > size)
            _measures.Dequeue();
    }

    /// <summary>Null before the first.</summary>
    public RankingMetrics? Means => RankingMetrics.Of(_measures);
}
