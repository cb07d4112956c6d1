namespace MassDpo.App.Verbs;

/// <summary>What the program ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    /// <summary>Bad usage or settings.</summary>
    public const int Usage = 2;
}
