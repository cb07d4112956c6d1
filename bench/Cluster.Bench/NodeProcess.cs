using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MassDpo.Cluster.Bench;

/// <summary>What a process wrote, and when: ticks of <see cref="Stopwatch"/>.</summary>
internal readonly record struct Said(long At, string Line);

/// <summary>An update that a learner told of, and when.</summary>
internal readonly record struct Update(long At, long Version);

/// <summary>A process that the bench starts: the program, or the bench itself. Whoever stops the bench stops it too.</summary>
internal sealed partial class NodeProcess : IDisposable
{
    private static readonly ConcurrentDictionary<NodeProcess, bool> Running = [];

    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly List<Said> _said = [];
    private readonly List<Update> _updates = [];
    private readonly List<(Func<Said, bool> Is, TaskCompletionSource<Said> Seen)> _awaited = [];
    private readonly Task[] _readers;

    static NodeProcess() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var one in Running.Keys)
            one.Dispose();
    };

    private NodeProcess(string name, string program, IEnumerable<string> words)
    {
        Name = name;
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. words])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("OPENBLAS_CORETYPE");
        _process = Process.Start(start)!;
        Running[this] = true;
        _readers = [ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError)];
    }

    public string Name { get; }

    /// <summary>Called with each update, on the thread that reads.</summary>
    public Action<Update> Updated { get; set; } = _ => { };

    /// <summary>Processor time that it has used; it must be alive.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>All that it wrote so far.</summary>
    public IReadOnlyList<Said> Lines
    {
        get
        {
            lock (_lock)
                return [.. _said];
        }
    }

    /// <summary>Updates that it told of so far.</summary>
    public IReadOnlyList<Update> Updates
    {
        get
        {
            lock (_lock)
                return [.. _updates];
        }
    }

    /// <summary>The program, with the verb <c>cluster</c> among its verbs.</summary>
    public static NodeProcess MassDpo(string name, params IEnumerable<string> words) => new(name, "MassDpo.Cluster.dll", words);

    /// <summary>This bench, with other arguments.</summary>
    public static NodeProcess Self(string name, params IEnumerable<string> words) => new(name, "MassDpo.Cluster.Bench.dll", words);

    /// <summary>The first line, already written or to come, of which something holds.</summary>
    /// <exception cref="InvalidOperationException">it ended before</exception>
    public async Task<Said> Until(Func<Said, bool> holds)
    {
        var seen = new TaskCompletionSource<Said>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            foreach (var line in _said)
                if (holds(line))
                    return line;
            _awaited.Add((holds, seen));
        }
        await Task.WhenAny(seen.Task, Task.WhenAll(_readers));
        return seen.Task.IsCompleted ? await seen.Task : throw new InvalidOperationException($"{Name} has ended:\n{this}");
    }

    /// <summary>Waits until it says something.</summary>
    public Task<Said> Until(string part) => Until(said => said.Line.Contains(part, StringComparison.Ordinal));

    /// <summary>Waits until it tells of this version, or of a later one, after a time.</summary>
    public Task<Said> Reaches(long version, long after = 0) => Until(said => said.At > after && VersionIn(said.Line) >= version);

    /// <summary>kill -9; gives when.</summary>
    public long Kill()
    {
        var at = Stopwatch.GetTimestamp();
        _process.Kill();
        return at;
    }

    /// <summary>Waits for its end.</summary>
    /// <exception cref="InvalidOperationException">it does not end with exit code 0</exception>
    public async Task EndAsync()
    {
        await Task.WhenAll(_readers);
        await _process.WaitForExitAsync();
        if (_process.ExitCode != 0)
            throw new InvalidOperationException($"{Name} ended with exit code {_process.ExitCode}:\n{this}");
    }

    public void Dispose()
    {
        if (!Running.TryRemove(this, out _))
            return;
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    public override string ToString() => string.Join('\n', Lines.Select(said => said.Line));

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            var said = new Said(Stopwatch.GetTimestamp(), line);
            var version = VersionIn(line);
            lock (_lock)
            {
                _said.Add(said);
                if (version > 0)
                    _updates.Add(new Update(said.At, version));
                foreach (var one in _awaited.Where(one => one.Is(said)).ToList())
                {
                    _awaited.Remove(one);
                    one.Seen.SetResult(said);
                }
            }
            if (version > 0)
                Updated(new Update(said.At, version));
        }
    }

    // 0: the line is no progress.
    private static long VersionIn(string line) => VersionOf().Match(line) is { Success: true } found ? long.Parse(found.Groups[1].Value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"^[\d,]+ (?:of [\d,]+ )?records\b.* update ([\d,]+)")]
    private static partial Regex VersionOf();
}
