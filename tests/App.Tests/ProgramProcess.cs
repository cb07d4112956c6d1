using System.Diagnostics;

namespace MassDpo.App.Tests;

/// <summary>A program in a process of its own. Its output is an event: what waits for it waits for lines, never for time.</summary>
internal sealed class ProgramProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _out;
    private readonly List<string> _errors = [];

    private ProgramProcess(Process process) => (_process, _out) = (process, process.StandardOutput.ReadToEndAsync());

    public int Id => _process.Id;

    /// <summary>The program itself, as it was built with these tests.</summary>
    public static string MassDpo { get; } = Path.Combine(AppContext.BaseDirectory, "massdpo.dll");

    /// <summary>The sample that embeds it.</summary>
    public static string Embedded { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Embedded", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/', '\\')), "MassDpo.Embedded.dll"));

    public static ProgramProcess Start(string program, IEnumerable<string> words, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, .. words]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return new ProgramProcess(Process.Start(start)!);
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<Called> Run(string program, IEnumerable<string> words, params (string Name, string Value)[] environment)
    {
        using var process = Start(program, words, environment);
        return await process.End();
    }

    /// <summary>The next line on standard error; null where there is none any more.</summary>
    public async Task<string?> NextError()
    {
        var line = await _process.StandardError.ReadLineAsync();
        if (line is not null)
            _errors.Add(line);
        return line;
    }

    /// <summary>Sends a signal, such as TERM.</summary>
    public async Task Signal(string name)
    {
        using var kill = Process.Start("sh", ["-c", $"kill -{name} {Id}"]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }

    public async Task<Called> End()
    {
        while (await NextError() is not null)
        {
        }
        var output = await _out;
        await _process.WaitForExitAsync();
        return new Called(_process.ExitCode, output, string.Concat(_errors.Select(line => line + "\n")));
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
