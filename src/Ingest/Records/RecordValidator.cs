using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;

namespace MassDpo.Ingest.Records;

/// <summary>Turns what a source gives into a candidate pool, or into a dead letter with the reason.</summary>
public sealed class RecordValidator(RecordEncoder encoder, Duplicates duplicates, int maxRecordBytes)
{
    /// <summary>Exactly one of the two results is not null.</summary>
    public (CandidatePool? Pool, DeadLetter? Dead) Validate(SourceEntry entry) => entry switch
    {
        SourceEntry.Bytes bytes => Validate(bytes),
        SourceEntry.Made made => Validate(made.Record, made.Position, new RecordOrigin(made.Position.Source, 0, ReadOnlyMemory<byte>.Empty, 0, ContentHash.Of([]))),
        _ => throw new ArgumentException($"{entry.GetType().Name} is no record", nameof(entry)),
    };

    private (CandidatePool?, DeadLetter?) Validate(SourceEntry.Bytes entry)
    {
        var origin = RecordOrigin.Of(entry.File, entry.Line, entry.Json.Span);
        if (entry.Oversize is { } length)
        {
            var reason = $"the line has {length} bytes, a record may have {maxRecordBytes}: raise ingest.max-record-bytes";
            return (null, new DeadLetter(entry.Position, DeadLetterCodes.TooLarge, reason, origin with { RawLength = length }));
        }
        try
        {
            return Validate(RecordParser.Parse(entry.Json.Span), entry.Position, origin);
        }
        catch (RecordFormatException e)
        {
            return (null, new DeadLetter(entry.Position, e.Code, e.Message, origin));
        }
    }

    private (CandidatePool?, DeadLetter?) Validate(PreferenceRecord record, Position position, RecordOrigin origin)
    {
        if (encoder.Encode(record, duplicates, out var why) is not { } encoded)
            return (null, new DeadLetter(position, why!.Code, why.Reason, origin));
        var pool = new CandidatePool(encoded.Record, record.Id ?? position.ToString(), encoded.Tokens, position, origin, encoded.DroppedDuplicates, encoded.UnknownItems);
        return (pool, null);
    }
}
