using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Encoding;

/// <summary>Which end of what is too long stays.</summary>
public enum TruncationMode
{
    /// <summary>The first tokens of prompt and response: the ends of responses go.</summary>
    KeepStart,
    /// <summary>The last ones: the beginning of the prompt goes.</summary>
    KeepEnd,
}

/// <summary>
/// What becomes of texts that are too long, with the names and the meaning that TRL gives them (<c>max_prompt_length</c>, <c>max_length</c>,
/// <c>truncation_mode</c>). The candidates of a pool share their prompt: with <see cref="TruncationMode.KeepEnd"/> it is cut for the longest of them,
/// where TRL would cut each sequence by itself.
/// </summary>
/// <param name="MaxLength">tokens that prompt and response may have together; null: any number</param>
/// <param name="MaxPromptLength">tokens that the prompt may have, of which the last ones stay; null: any number</param>
/// <param name="Mode">where prompt and response together are too long</param>
public sealed record Truncation(int? MaxLength, int? MaxPromptLength, TruncationMode Mode)
{
    public static Truncation None { get; } = new(null, null, TruncationMode.KeepStart);

    /// <summary>A pool with nothing longer than allowed.</summary>
    /// <param name="prompt">at least one token</param>
    /// <param name="responses">none of them empty</param>
    /// <param name="cut">tokens taken from the prompt and from all responses together</param>
    /// <param name="why">null, or why nothing would be left of the responses, or of the prompt before them</param>
    internal EncodedPool? Of(int[] prompt, int[][] responses, out int cut, out Rejection? why)
    {
        (cut, why) = (0, null);
        if (MaxPromptLength is { } most && prompt.Length > most)
            CutPrompt(prompt.Length - most, ref cut);
        if (MaxLength is not { } limit)
            return new EncodedPool(prompt, responses);
        var longest = responses.Max(response => response.Length);
        if (prompt.Length + longest <= limit)
            return new EncodedPool(prompt, responses);
        if (Mode == TruncationMode.KeepEnd)
        {
            if (longest >= limit)
            {
                why = new Rejection(DeadLetterCodes.TooLong, $"a response has {longest} tokens, and ingest.max-length = {limit} would leave nothing of the prompt "
                    + "before it: raise it, set ingest.truncation-mode = keep_start, or shorten the response");
                return null;
            }
            CutPrompt(prompt.Length + longest - limit, ref cut);
            return new EncodedPool(prompt, responses);
        }
        var room = limit - prompt.Length;
        if (room <= 0)
        {
            why = new Rejection(DeadLetterCodes.TooLong, $"the prompt has {prompt.Length} tokens, and ingest.max-length = {limit} would cut every response whole: "
                + "raise it, set ingest.max-prompt-length below it or ingest.truncation-mode = keep_end, or shorten the prompt");
            return null;
        }
        var kept = new int[responses.Length][];
        for (var i = 0; i < kept.Length; i++)
        {
            kept[i] = responses[i].Length > room ? responses[i][..room] : responses[i];
            cut += responses[i].Length - kept[i].Length;
        }
        return new EncodedPool(prompt, kept);

        void CutPrompt(int tokens, ref int counted)
        {
            prompt = prompt[tokens..];
            counted += tokens;
        }
    }
}
