using System.Diagnostics;
using MassDpo.TestKit;

namespace MassDpo.Chaos;

/// <summary>A file system in memory of a given size, mounted for one test.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder = new();

    /// <param name="size">as mount takes it, such as 300k</param>
    public SmallDisk(string size) => Must("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", _folder.Path);

    /// <summary>Why none can be mounted here; null where one can.</summary>
    public static string? WhyNot { get; } = Try();

    public string Path => _folder.Path;

    /// <summary>Changes it while it is in use: <c>size=64m</c>, <c>ro</c>, <c>rw</c>.</summary>
    public void Remount(string option) => Must("mount", "-o", $"remount,{option}", _folder.Path);

    public void Dispose()
    {
        Must("umount", _folder.Path);
        _folder.Dispose();
    }

    private static string? Try()
    {
        using var folder = new TempFolder();
        if (Call("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.Path) is { } why)
            return $"needs leave to mount a file system: {why}";
        Must("umount", folder.Path);
        return null;
    }

    private static void Must(params string[] words)
    {
        if (Call(words) is { } why)
            throw new InvalidOperationException($"{string.Join(' ', words)}: {why}");
    }

    // What a program says that failed; null where it worked.
    private static string? Call(params string[] words)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : error.Trim().Split('\n')[0];
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return e.Message;
        }
    }
}

/// <summary>A test on a file system of its own; skipped, with the reason, where none can be mounted.</summary>
public sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute() => Skip = SmallDisk.WhyNot!;
}

/// <summary>The same for a theory.</summary>
public sealed class SmallDiskTheoryAttribute : TheoryAttribute
{
    public SmallDiskTheoryAttribute() => Skip = SmallDisk.WhyNot!;
}
