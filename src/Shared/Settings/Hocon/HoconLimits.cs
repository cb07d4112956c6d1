namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Bounds that no honest settings file meets; without them a few lines of input could take all stack, memory or time.</summary>
internal static class HoconLimits
{
    /// <summary>Levels of blocks and lists, path elements included.</summary>
    public const int Depth = 100;

    public const int BytesPerFile = 16 << 20;

    /// <summary>Files of one document, each inclusion counted, and how deep inclusions nest.</summary>
    public const int Files = 1_000, IncludeDepth = 50;

    /// <summary>Values waiting for each other while substitutions are resolved: bounds the stack.</summary>
    public const int Chain = 500;

    /// <summary>Steps of resolving: values looked at, fields merged, characters joined.</summary>
    public const long Work = 2_000_000;

    /// <summary>Values of a resolved tree; substitutions can double it with every line.</summary>
    public const long Values = 1_000_000;
}
