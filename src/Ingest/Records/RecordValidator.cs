using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Ingest.Records;

/// <summary>Turns what a source gives into a candidate pool, or into a dead letter with the reason.</summary>
public sealed class RecordValidator(RecordEncoder encoder, Duplicates duplicates, int maxRecordBytes)
{
    private readonly Func<ReadOnlySpan<byte>, string?>? _known = encoder.KnownTexts;

    /// <summary>Exactly one of the two results is not null.</summary>
    public (CandidatePool? Pool, DeadLetter? Dead) Validate(SourceEntry entry) => entry switch
    {
        SourceEntry.Bytes bytes => Validate(bytes),
        SourceEntry.Made made => Validate(made),
        _ => throw new ArgumentException($"{entry.GetType().Name} is no record", nameof(entry)),
    };

    private (CandidatePool?, DeadLetter?) Validate(SourceEntry.Bytes entry)
    {
        var origin = entry.IsOwned ? RecordOrigin.OfOwned(entry.File, entry.Line, entry.Json, entry.Time) : RecordOrigin.Of(entry.File, entry.Line, entry.Json.Span, entry.Time);
        if (entry.Oversize is { } length)
        {
            var reason = $"the record has {length} bytes, one may have {maxRecordBytes}: raise ingest.max-record-bytes";
            return (null, new DeadLetter(entry.Position, DeadLetterCodes.TooLarge, reason, origin with { RawLength = length, RawHash = entry.OversizeHash ?? origin.RawHash }));
        }
        if (entry.Flaw is { } flaw)
            return (null, new DeadLetter(entry.Position, flaw.Code, flaw.Reason, origin));
        try
        {
            var record = entry.IsOwned ? RecordParser.ParseOwned(entry.Json, _known) : RecordParser.Parse(entry.Json.Span, _known);
            return Validate(record, entry.Position, origin, entry.Trace);
        }
        catch (RecordFormatException e)
        {
            return (null, new DeadLetter(entry.Position, e.Code, e.Message, origin));
        }
    }

    private (CandidatePool?, DeadLetter?) Validate(SourceEntry.Made entry)
    {
        var origin = new RecordOrigin(entry.Position.Source, 0, ReadOnlyMemory<byte>.Empty, 0);
        return Flaw(entry.Record) is var (code, reason)
            ? (null, new DeadLetter(entry.Position, code, reason, origin))
            : Validate(entry.Record, entry.Position, origin);
    }

    // What a parser makes sure of, the user's own code need not have.
    private static (string Code, string Reason)? Flaw(PreferenceRecord? record)
    {
        if (record?.Prompt?.Text is null || record.Prompt.Items is null || record.Prompt.Messages is null || record.Candidates is null)
            return (DeadLetterCodes.Field,
                "the record, its Prompt or its Candidates is null: give a prompt and at least two candidates, the chosen one first");
        foreach (var (name, texts) in new (string, IReadOnlyList<string>)[]
            { ("Id", [record.Id ?? ""]), ("Prompt", [record.Prompt.Text]), ("Prompt.Items", record.Prompt.Items), ("Candidates", record.Candidates),
              ("Prompt.Messages", [.. record.Prompt.Messages.Select(message => message?.Content!)]) })
        {
            foreach (var text in texts)
            {
                if (text is null)
                    return (DeadLetterCodes.Field, $"{name} holds a null: leave it out");
                if (!IsUnicode(text))
                    return (DeadLetterCodes.Encoding,
                        $"{name} holds half of a surrogate pair, which is no valid Unicode: cut texts between characters");
            }
        }
        if (record.Prompt.Form == PromptForm.Chat && ChatPrompt.Flaw(record.Prompt.Messages) is { } flaw)
            return (DeadLetterCodes.Unsupported, $"Prompt.Messages: {flaw}");
        foreach (var (name, numbers) in new[] { ("Rewards", record.Rewards), ("ReferenceLogps", record.ReferenceLogps) })
            if (numbers is not null && numbers.Count != record.Candidates.Count)
                return (DeadLetterCodes.Field,
                    $"{name} has {numbers.Count} numbers for {record.Candidates.Count} candidates: give one for each, NaN where unknown");
        return null;
    }

    private static bool IsUnicode(string text)
    {
        for (var at = text.AsSpan().IndexOfAnyInRange('\ud800', '\udfff'); at >= 0 && at < text.Length; at++)
        {
            if (!char.IsSurrogate(text[at]))
                continue;
            if (at + 1 == text.Length || !char.IsSurrogatePair(text[at], text[at + 1]))
                return false;
            at++;
        }
        return true;
    }

    private (CandidatePool?, DeadLetter?) Validate(PreferenceRecord record, Position position, RecordOrigin origin, string? trace = null)
    {
        if (encoder.Encode(record, duplicates, out var why) is not { } encoded)
            return (null, new DeadLetter(position, why!.Code, why.Reason, origin));
        var id = record.Id ?? position.ToString();
        return (new CandidatePool(encoded.Record, id, encoded.Tokens, position, origin, encoded.DroppedDuplicates, encoded.UnknownItems) { CutTokens = encoded.CutTokens, Trace = trace }, null);
    }
}
