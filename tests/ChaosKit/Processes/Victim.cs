using System.Diagnostics;
using System.Threading.Channels;
using MassDpo.App.Verbs;
using MassDpo.Shared.Links;

namespace MassDpo.ChaosKit.Processes;

/// <summary>How a process ended.</summary>
/// <param name="ExitCode">128 + the signal, where one ended it</param>
/// <param name="Out">its standard output</param>
/// <param name="Error">its standard error</param>
/// <param name="CameBack">from its start to the end of its first update; null where there was none</param>
public sealed record Ended(int ExitCode, string Out, string Error, TimeSpan? CameBack)
{
    /// <summary>Whether SIGKILL ended it.</summary>
    public bool IsKilled => ExitCode == 128 + Signals.Kill;

    public override string ToString() => $"exit code {ExitCode}\n{Out}\n{Error}";
}

/// <summary>The program in a process of its own.</summary>
public sealed class Victim : IDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(1);

    private readonly Process _process;
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly Dictionary<string, int> _told = [];
    private readonly Task<string> _out;
    private readonly Task<string> _error;
    private TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TimeSpan? _cameBack;

    private Victim(string program, IEnumerable<string> words)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _process = Process.Start(start)!;
        _out = ReadAsync(_process.StandardOutput);
        _error = ReadErrorAsync();
    }

    public int Id => _process.Id;

    public bool HasEnded => _process.HasExited;

    /// <summary>Whether it stands still.</summary>
    public bool IsStopped => Signals.IsStopped(Id);

    /// <summary>Starts it so that it kills itself at a moment.</summary>
    public static Victim Start(Moment moment, IEnumerable<string> words) => Start(Deed.Kill, moment, words);

    /// <summary>Starts it so that it does something to itself at a moment, and at others that it is told of.</summary>
    public static Victim Start(Deed deed, Moment moment, IEnumerable<string> words) => new("MassDpo.ChaosKit.dll", [deed.ToString(), .. moment.ToWords(), .. words]);

    /// <summary>Starts the program as everybody has it.</summary>
    public static Victim Start(IEnumerable<string> words) => new("massdpo.dll", words);

    /// <summary>Starts it so that it kills itself at a moment, to its end.</summary>
    public static async Task<Ended> RunAsync(Moment moment, IEnumerable<string> words)
    {
        using var victim = Start(moment, words);
        return await victim.EndAsync();
    }

    /// <summary>Runs the program as everybody has it to its end.</summary>
    public static async Task<Ended> RunAsync(IEnumerable<string> words)
    {
        using var victim = Start(words);
        return await victim.EndAsync();
    }

    /// <summary>A Kafka that can be told to fail: see <see cref="BrokerProcess"/>.</summary>
    /// <param name="topics">to make, each as NAME:PARTITIONS</param>
    public static Victim Broker(params string[] topics) => new("MassDpo.ChaosKit.dll", [BrokerProcess.Verb, .. topics]);

    /// <summary>Calls the program within this process, which spares a start; gives its exit code.</summary>
    public static Task<int> CallAsync(IEnumerable<string> words) => CommandLine.RunAsync([.. words]);

    /// <summary>Arms it for another moment, counted from when it hears of it, in place of the one before.</summary>
    public void Arm(Deed deed, Moment moment) => Say(Armed.Line(deed, moment));

    /// <summary>Lets go what it holds.</summary>
    public void Go() => Say(Armed.Go);

    /// <summary>Writes a line to its standard input; nothing where it has ended.</summary>
    public void Say(string line)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // Who waits for it sees that it has ended.
        }
    }

    /// <summary>How often it has told of an event so far.</summary>
    public int Count(string name)
    {
        lock (_told)
            return _told.GetValueOrDefault(name);
    }

    /// <summary>Waits until it has told of an event so often in all.</summary>
    /// <returns>false where it has ended before</returns>
    public async Task<bool> HearsAsync(string name, int count)
    {
        while (true)
        {
            Task heard;
            lock (_told)
            {
                if (_told.GetValueOrDefault(name) >= count)
                    return true;
                heard = _heard.Task;
            }
            if (await Task.WhenAny(heard, _error) == _error)
                return Count(name) >= count;
        }
    }

    /// <summary>The next line of its standard output; null where it has ended.</summary>
    public async Task<string?> NextLineAsync() => await _lines.Reader.WaitToReadAsync() && _lines.Reader.TryRead(out var line) ? line : null;

    /// <summary>kill -9, where it has not ended by itself.</summary>
    public void Kill() => _process.Kill();

    /// <summary>SIGTERM, as who runs a service sends it.</summary>
    public void Terminate() => Signals.Send(Id, Signals.Terminate);

    /// <summary>SIGSTOP; it stands still when this is done.</summary>
    public async Task StopAsync()
    {
        Signals.Send(Id, Signals.Stop);
        await StandsAsync();
    }

    /// <summary>Waits until it stands still, which it has told of, or has ended.</summary>
    public async Task StandsAsync()
    {
        while (!IsStopped && !HasEnded)
            await Task.Delay(BetweenLooks);
    }

    /// <summary>SIGCONT.</summary>
    public void Continue() => Signals.Send(Id, Signals.Continue);

    /// <summary>Waits for its end.</summary>
    public async Task<Ended> EndAsync()
    {
        var error = await _error;
        var output = await _out;
        await _process.WaitForExitAsync();
        return new Ended(_process.ExitCode, output, error, _cameBack);
    }

    /// <summary>A process that nobody waited for dies with the test.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private async Task<string> ReadAsync(StreamReader reader)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync() is { } line)
        {
            lines.Add(line);
            _lines.Writer.TryWrite(line);
        }
        _lines.Writer.Complete();
        return string.Join('\n', lines);
    }

    private async Task<string> ReadErrorAsync()
    {
        var lines = new List<string>();
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(Armed.Told, StringComparison.Ordinal))
                Hear(line[Armed.Told.Length..]);
            else
                lines.Add(line);
        }
        return string.Join('\n', lines);
    }

    private void Hear(string name)
    {
        if (name == nameof(BatchClosed))
            _cameBack ??= Stopwatch.GetElapsedTime(_started);
        TaskCompletionSource heard;
        lock (_told)
        {
            _told[name] = _told.GetValueOrDefault(name) + 1;
            (heard, _heard) = (_heard, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        heard.SetResult();
    }
}
