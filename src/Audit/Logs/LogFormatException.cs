namespace MassDpo.Audit.Logs;

/// <summary>A log that does not hold what it should; the message names file and line.</summary>
public sealed class LogFormatException(string file, long line, string reason, Exception? inner = null) : Exception($"{file}, line {line}: {reason}", inner);
