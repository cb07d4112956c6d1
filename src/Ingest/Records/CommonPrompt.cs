namespace MassDpo.Ingest.Records;

/// <summary>The prompt of a record that gives none: what its texts have in common.</summary>
internal static class CommonPrompt
{
    // How dialogues written as one text mark the turn that a response begins (HH-RLHF's form).
    private const string ResponseTurn = "\n\nAssistant:";

    /// <summary>The longest common prefix; dialogues are cut after the mark of the last turn that all share, so that no response is split.</summary>
    public static string Of(IReadOnlyList<string> texts)
    {
        var common = texts[0].AsSpan();
        for (var i = 1; i < texts.Count; i++)
            common = common[..common.CommonPrefixLength(texts[i])];
        var turn = common.LastIndexOf(ResponseTurn);
        if (turn >= 0)
            return common[..(turn + ResponseTurn.Length)].ToString();
        // Half of a surrogate pair is no text.
        return (common.Length > 0 && char.IsHighSurrogate(common[^1]) ? common[..^1] : common).ToString();
    }
}
