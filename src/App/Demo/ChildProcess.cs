using System.Collections;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MassDpo.App.Demo;

/// <summary>This program once more, in a process of its own, which this one stops.</summary>
internal sealed class ChildProcess : IDisposable
{
    private const int Terminate = 15;

    // What a terminal sends to all of its processes when Ctrl-C is pressed comes to this one alone, which then stops the others in order.
    private const string WithoutInterrupt = "trap '' INT; exec \"$@\"";

    private readonly Process _process;
    private readonly TaskCompletionSource<string?> _firstLine = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string _lastError = "";

    private ChildProcess(string name, Process process, Action<string> hearOutput, Action<string> hearError)
    {
        (Name, _process) = (name, process);
        Ended = EndAsync(Read(process.StandardOutput, hearOutput), Read(process.StandardError, hearError));
    }

    /// <summary>What it is called here.</summary>
    public string Name { get; }

    public int Id => _process.Id;

    /// <summary>Its exit code, once it has ended and all that it printed was heard.</summary>
    public Task<int> Ended { get; }

    /// <summary>The first line on its standard output; null: it ended without one.</summary>
    public Task<string?> FirstLine => _firstLine.Task;

    /// <summary>The last line that was heard on its standard error.</summary>
    public string LastError => _lastError;

    /// <summary>Starts it. Settings come to it by its words alone, not from this process's environment.</summary>
    /// <param name="name">what it is called here</param>
    /// <param name="words">after the program's name</param>
    /// <param name="hearOutput">gets each line of its standard output</param>
    /// <param name="hearError">gets each line of its standard error</param>
    public static ChildProcess Start(string name, IReadOnlyList<string> words, Action<string> hearOutput, Action<string> hearError)
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", WithoutInterrupt, "sh", .. Program, .. words]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var setting in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(variable => (string)variable.Key)
            .Where(variable => variable.StartsWith("MASSDPO__", StringComparison.OrdinalIgnoreCase)))
            start.Environment.Remove(setting);
        return new ChildProcess(name, Process.Start(start)!, hearOutput, hearError);
    }

    /// <summary>Asks it for an orderly end, and ends it where it is not over in time.</summary>
    public async Task StopAsync(TimeSpan patience)
    {
        if (Ended.IsCompleted)
            return;
        SendSignal(Id, Terminate);
        try
        {
            await Ended.WaitAsync(patience);
        }
        catch (TimeoutException)
        {
            Kill();
            await Ended;
        }
    }

    /// <summary>Ends it at once.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
            _process.Kill();
    }

    public void Dispose() => _process.Dispose();

    // As this process was started: by the host of .NET, which is given the program's file first, or as a program of its own.
    private static IEnumerable<string> Program => Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet"
        ? [Environment.ProcessPath!, Path.GetFullPath(Environment.GetCommandLineArgs()[0])]
        : [Environment.ProcessPath!];

    private async Task<int> EndAsync(Task output, Task error)
    {
        await Task.WhenAll(output, error);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    private async Task Read(StreamReader stream, Action<string> hear)
    {
        var isOutput = stream == _process.StandardOutput;
        while (await stream.ReadLineAsync() is { } line)
        {
            hear(line);
            if (isOutput)
                _firstLine.TrySetResult(line);
            else
                _lastError = line;
        }
        if (isOutput)
            _firstLine.TrySetResult(null);
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int SendSignal(int process, int signal);
}
