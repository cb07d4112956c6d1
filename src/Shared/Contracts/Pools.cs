namespace MassDpo.Shared.Contracts;

/// <summary>
/// A record as token ids: the prompt that all its candidates share, and what each candidate has beyond it (its end token included, where it has one).
/// No response is empty. Prompt and response together are the tokens that the whole text has, so tokens that merge across the boundary count to the response.
/// </summary>
/// <param name="Prompt">at least one token: what predicts the first response token stands before it</param>
/// <param name="Responses">per candidate, index 0 the chosen one</param>
public sealed record EncodedPool(int[] Prompt, int[][] Responses)
{
    public int Candidates => Responses.Length;

    /// <summary>The pool of the chosen candidate (index 0) and those at <paramref name="picks"/>.</summary>
    public EncodedPool Of(ReadOnlySpan<int> picks)
    {
        var responses = new int[picks.Length + 1][];
        responses[0] = Responses[0];
        for (var i = 0; i < picks.Length; i++)
            responses[i + 1] = Responses[picks[i]];
        return new EncodedPool(Prompt, responses);
    }
}

/// <summary>A validated record on its way to a selector: the chosen response and the pool of rejected ones.</summary>
/// <param name="Id">the record's own, else its position</param>
/// <param name="Duplicates">candidates dropped because they equal another one</param>
/// <param name="UnknownItems">candidates dropped because the vocabulary lacks them</param>
public sealed record CandidatePool(PreferenceRecord Record, string Id, EncodedPool Tokens, Position Position, RecordOrigin Origin,
    int Duplicates = 0, int UnknownItems = 0)
{
    /// <summary>Tokens that truncation took from the prompt and from all responses together.</summary>
    public int CutTokens { get; init; }

    /// <summary>The trace that the record belongs to (W3C <c>traceparent</c>), where its source knows; no part of any hash or log.</summary>
    public string? Trace { get; init; }
}

/// <summary>
/// What is granted, computed, handed out again and closed as one: <paramref name="Count"/> consecutive slots from slot <paramref name="First"/>
/// of batch <paramref name="Batch"/>. Only the newest attempt of a block is accepted.
/// </summary>
public readonly record struct SlotBlock(long Epoch, long Batch, long First, int Count, int Attempt)
{
    public override string ToString() => $"slots {First}–{First + Count - 1} of batch {Batch}, epoch {Epoch}, attempt {Attempt}";

    /// <summary>Whether both are the same slots of the same epoch, whatever the attempt.</summary>
    public bool IsSameSlots(SlotBlock other) => Epoch == other.Epoch && First == other.First;
}

/// <summary>A block with its records, one per slot; null where the record died: its row stays in place, masked.</summary>
public sealed record PoolBlock(SlotBlock Block, IReadOnlyList<CandidatePool?> Pools)
{
    /// <summary>The activity that handed it on (W3C <c>traceparent</c>), where somebody listens; no part of any hash or log.</summary>
    public string? Trace { get; init; }
}
