namespace MassDpo.Wire;

/// <summary>Bytes that are no message of this program, or one that it cannot use; the message says why.</summary>
public sealed class WireFormatException(string message, Exception? inner = null) : FormatException(message, inner);
