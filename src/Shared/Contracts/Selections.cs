namespace MassDpo.Shared.Contracts;

/// <summary>
/// What the learner trains on: a record with the negatives kept for it and their log-probabilities under the reference policy.
/// It carries the record; the <see cref="SelectionEvent"/> that tells about it does not.
/// </summary>
/// <param name="Pool">the whole record</param>
/// <param name="Picks">indices of the negatives kept, into the record's candidates (so never 0)</param>
/// <param name="ReferenceLogps">log π_ref of the chosen candidate, then of each pick</param>
/// <param name="Event">what is told of it once it is applied</param>
/// <param name="Line">the event as the log will hold it</param>
/// <param name="Measures">metrics before training on the record; null where the pool was not scored</param>
public sealed record Selection(CandidatePool Pool, int[] Picks, float[] ReferenceLogps, SelectionEvent Event, EventLine Line,
    RecordMeasures? Measures);

/// <summary>A computed block, one selection per slot; null where the record died.</summary>
/// <param name="Version">of the policy it was computed with</param>
public sealed record SelectionBlock(SlotBlock Block, string Selector, long Version, IReadOnlyList<Selection?> Selections)
{
    /// <summary>The activity that computed it (W3C <c>traceparent</c>), where somebody listens; no part of any hash or log.</summary>
    public string? Trace { get; init; }
}

/// <summary>How the policy stood on one record before it trained on it.</summary>
/// <param name="Rank">of the chosen candidate by log-probability among all candidates, 1 = best; ties count against the policy</param>
/// <param name="Margin">log π(chosen) − log π of the best rejected one, in nats</param>
/// <param name="Accuracy">share of the rejected ones below the chosen one</param>
public readonly record struct RecordMeasures(int Rank, double Margin, double Accuracy);
