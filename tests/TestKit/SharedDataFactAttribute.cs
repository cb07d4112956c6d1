namespace MassDpo.TestKit;

/// <summary>
/// A test that needs reference data outside the repository: below the folder that the environment variable MASSDPO_SHARED names, by default
/// <c>../shared</c> beside the repository. Where a named file or folder is absent the test is skipped and says which one. (xunit 2 has no dynamic skip.)
/// </summary>
public sealed class SharedDataFactAttribute : FactAttribute
{
    public SharedDataFactAttribute(params string[] paths) => Skip = SharedData.WhyAbsent(paths)!;
}

/// <summary>The same as <see cref="SharedDataFactAttribute"/> for a theory.</summary>
public sealed class SharedDataTheoryAttribute : TheoryAttribute
{
    public SharedDataTheoryAttribute(params string[] paths) => Skip = SharedData.WhyAbsent(paths)!;
}

/// <summary>Where the reference data lies.</summary>
public static class SharedData
{
    public static string Root { get; } =
        Environment.GetEnvironmentVariable("MASSDPO_SHARED") is { Length: > 0 } given ? given : Path.Combine(Repository.Root, "..", "shared");

    public static string PathOf(string path) => Path.GetFullPath(Path.Combine(Root, path));

    /// <summary>Why a test that needs these paths cannot run; null: it can.</summary>
    public static string? WhyAbsent(string[] paths)
    {
        var missing = paths.Select(PathOf).FirstOrDefault(path => !File.Exists(path) && !Directory.Exists(path));
        return missing is null ? null : $"needs {missing}: set MASSDPO_SHARED to the folder of reference data";
    }
}
