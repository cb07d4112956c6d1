namespace MassDpo.Ingest.Records;

/// <summary>
/// A line that is no record. <see cref="Code"/> is one of <see cref="Shared.Contracts.DeadLetterCodes"/>, the message a sentence with the remedy.
/// </summary>
public sealed class RecordFormatException(string code, string reason) : Exception(reason)
{
    public string Code { get; } = code;
}
