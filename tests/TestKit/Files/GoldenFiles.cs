namespace MassDpo.TestKit.Files;

/// <summary>Bytes in a folder of a test project, each as it was when its file was made.</summary>
/// <param name="project">the test project</param>
public sealed class GoldenFiles(string project)
{
    private readonly string _folder = Path.Combine(Repository.Root, "tests", project, "Golden");

    /// <summary>What stands in a file; where it is missing it is made of what would be written now, and the test fails until that is committed.</summary>
    public byte[] Read(string name, byte[] now)
    {
        var file = Path.Combine(_folder, name + ".bin");
        if (File.Exists(file))
            return File.ReadAllBytes(file);
        Directory.CreateDirectory(_folder);
        File.WriteAllBytes(file, now);
        Assert.Fail($"{file} was not there and is now: look at it and commit it");
        return now;
    }

    /// <summary>The names of all files, sorted.</summary>
    public IEnumerable<string> Names => Directory.EnumerateFiles(_folder).Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);
}
