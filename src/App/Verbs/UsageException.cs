namespace MassDpo.App.Verbs;

/// <summary>The program was called in a way that cannot work: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
