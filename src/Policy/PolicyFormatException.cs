namespace MassDpo.Policy;

/// <summary>
/// A policy directory, or a file of one, that cannot be used. The message names the file, what is wrong and the remedy.
/// </summary>
public sealed class PolicyFormatException(string message, Exception? inner = null) : Exception(message, inner);
