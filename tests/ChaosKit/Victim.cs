using System.Diagnostics;
using MassDpo.App.Verbs;

namespace MassDpo.ChaosKit;

/// <summary>How a process ended.</summary>
/// <param name="ExitCode">128 + the signal, where one ended it</param>
/// <param name="Out">its standard output</param>
/// <param name="Error">its standard error</param>
/// <param name="CameBack">from its start to the end of its first update; null where there was none</param>
public sealed record Ended(int ExitCode, string Out, string Error, TimeSpan? CameBack)
{
    /// <summary>Whether SIGKILL ended it.</summary>
    public bool IsKilled => ExitCode == 128 + 9;

    public override string ToString() => $"exit code {ExitCode}\n{Out}\n{Error}";
}

/// <summary>The program in a process of its own.</summary>
public sealed class Victim : IDisposable
{
    /// <summary>What <see cref="Program"/> prints to standard error once it has trained on a batch.</summary>
    internal const string CameBack = "the first batch is closed";

    private readonly Process _process;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Task<string> _out;
    private readonly Task<(string Text, TimeSpan? CameBack)> _error;

    private Victim(string program, IEnumerable<string> words)
    {
        _process = Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. words])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _out = _process.StandardOutput.ReadToEndAsync();
        _error = ReadErrorAsync();
    }

    /// <summary>Starts it so that it kills itself at a moment.</summary>
    public static Victim Start(Moment moment, IEnumerable<string> words) => new("MassDpo.ChaosKit.dll", [.. moment.ToWords(), .. words]);

    /// <summary>The same, to its end.</summary>
    public static async Task<Ended> RunAsync(Moment moment, IEnumerable<string> words)
    {
        using var victim = Start(moment, words);
        return await victim.EndAsync();
    }

    /// <summary>Runs the program as everybody has it to its end.</summary>
    public static async Task<Ended> RunAsync(IEnumerable<string> words)
    {
        using var victim = new Victim("massdpo.dll", words);
        return await victim.EndAsync();
    }

    /// <summary>Calls the program within this process, which spares a start; gives its exit code.</summary>
    public static Task<int> CallAsync(IEnumerable<string> words) => CommandLine.RunAsync([.. words]);

    /// <summary>kill -9, where it has not ended by itself.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for its end.</summary>
    public async Task<Ended> EndAsync()
    {
        var (error, cameBack) = await _error;
        var output = await _out;
        await _process.WaitForExitAsync();
        return new Ended(_process.ExitCode, output, error, cameBack);
    }

    /// <summary>A process that nobody waited for dies with the test.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private async Task<(string, TimeSpan?)> ReadErrorAsync()
    {
        var lines = new List<string>();
        TimeSpan? cameBack = null;
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            if (line == CameBack)
                cameBack = Stopwatch.GetElapsedTime(_started);
            else
                lines.Add(line);
        }
        return (string.Join('\n', lines), cameBack);
    }
}
