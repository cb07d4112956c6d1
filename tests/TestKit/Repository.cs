namespace MassDpo.TestKit;

/// <summary>The checkout that the tests were built from.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MassDpo.Actors.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no MassDpo.Actors.sln above {AppContext.BaseDirectory}");
    }
}
