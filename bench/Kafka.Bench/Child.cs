using System.Collections.Concurrent;
using System.Diagnostics;
using System.Threading.Channels;

namespace MassDpo.Kafka.Bench;

/// <summary>A process that the bench starts: the program, or the bench itself. One that nobody has waited for is killed when it is disposed.</summary>
internal sealed class Child : IDisposable
{
    private static readonly ConcurrentDictionary<Child, bool> Running = [];

    private readonly Process _process;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly Task _out;
    private readonly Task _error;
    private readonly List<string> _said = [];

    // Whoever stops the bench stops them too.
    static Child() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var child in Running.Keys)
            child.Dispose();
    };

    private Child(string name, string program, IEnumerable<string> words)
    {
        Name = name;
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("OPENBLAS_CORETYPE");
        _process = Process.Start(start)!;
        Running[this] = true;
        _out = ReadAsync(_process.StandardOutput, line => _lines.Writer.TryWrite(line));
        _error = ReadAsync(_process.StandardError, _ => { });
    }

    public string Name { get; }

    /// <summary>Processor time that it has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public bool HasEnded => _process.HasExited;

    /// <summary>All lines that it has written so far.</summary>
    public string Said
    {
        get
        {
            lock (_said)
                return string.Join('\n', _said);
        }
    }

    /// <summary>The program.</summary>
    public static Child MassDpo(string name, params IEnumerable<string> words) => new(name, "massdpo.dll", words);

    /// <summary>This bench, with other arguments.</summary>
    public static Child Self(string name, params IEnumerable<string> words) => new(name, "MassDpo.Kafka.Bench.dll", words);

    /// <summary>Runs the program to its end.</summary>
    /// <exception cref="InvalidOperationException">it did not end with exit code 0</exception>
    public static async Task RunAsync(string name, params IEnumerable<string> words)
    {
        using var child = MassDpo(name, words);
        if (await child.EndAsync() is var code && code != 0)
            throw new InvalidOperationException($"{name} ended with exit code {code}:\n{child.Said}");
    }

    /// <summary>The next line of its standard output.</summary>
    /// <exception cref="InvalidOperationException">it has ended</exception>
    public async Task<string> NextLineAsync()
    {
        while (await _lines.Reader.WaitToReadAsync())
            if (_lines.Reader.TryRead(out var line))
                return line;
        throw new InvalidOperationException($"{Name} has ended:\n{Said}");
    }

    /// <summary>SIGTERM, as who runs a service sends it.</summary>
    public async Task TerminateAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Ends its standard input.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Waits for its end; gives its exit code.</summary>
    public async Task<int> EndAsync()
    {
        await Task.WhenAll(_out, _error);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!Running.TryRemove(this, out _))
            return;
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader, Action<string> told)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_said)
                _said.Add(line);
            told(line);
        }
        if (reader == _process.StandardOutput)
            _lines.Writer.Complete();
    }
}
