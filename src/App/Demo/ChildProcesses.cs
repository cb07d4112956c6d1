using System.Runtime.InteropServices;

namespace MassDpo.App.Demo;

/// <summary>
/// Processes that belong together. Each is told of when it is started and by each line that it prints; when this is disposed of none is left: they are stopped one
/// after another, the last one started first, and killed where that takes too long, where the first one, which all others need, is gone, or on a second signal.
/// </summary>
/// <param name="tell">gets a process's name and a line</param>
internal sealed class ChildProcesses(Action<string, string> tell) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly List<ChildProcess> _all = [];
    private readonly List<PosixSignalRegistration> _signals = [];
    private int _signalled;

    /// <summary>Starts one.</summary>
    /// <param name="name">what it is called</param>
    /// <param name="words">after the program's name</param>
    /// <param name="hearOutput">gets its standard output; null: that is told as well</param>
    public ChildProcess Start(string name, string[] words, Action<string>? hearOutput = null)
    {
        if (_signals.Count == 0)
            _signals.AddRange([PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal)]);
        var process = ChildProcess.Start(name, words, hearOutput ?? (line => tell(name, line)), line => tell(name, line));
        lock (_all)
            _all.Add(process);
        tell(name, $"[process {process.Id}] {Shown(words)}");
        return process;
    }

    /// <summary>Waits until one of these has ended well, watching all.</summary>
    /// <param name="awaited">any of them</param>
    /// <param name="stop">ends the wait</param>
    /// <exception cref="IOException">one has failed, or the first one, which all others need, has ended</exception>
    public async Task UntilEndedAsync(ChildProcess awaited, CancellationToken stop)
    {
        while (!awaited.Ended.IsCompleted)
        {
            await Task.WhenAny(_all.Select(process => process.Ended).Where(end => !end.IsCompleted).Append(awaited.Ended)).WaitAsync(stop);
            Check();
        }
        Check();
    }

    /// <summary>The first line that one prints, watching all.</summary>
    /// <exception cref="IOException">one has failed</exception>
    public async Task<string> FirstLineAsync(ChildProcess process, CancellationToken stop)
    {
        var line = await process.FirstLine.WaitAsync(stop);
        if (line is null)
            await UntilEndedAsync(process, stop);
        return line!;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_all))
        {
            if (_all[0].Ended.IsCompleted)
                process.Kill();
            await process.StopAsync(Patience);
        }
        _signals.ForEach(signal => signal.Dispose());
        _all.ForEach(process => process.Dispose());
    }

    private void Check()
    {
        foreach (var process in _all.Where(process => process.Ended.IsCompleted))
            if (process.Ended.Result != 0)
                throw new IOException($"{process.Name} ended with exit code {process.Ended.Result}{(process.LastError is { Length: > 0 } last ? $": {(last.StartsWith("error: ", StringComparison.Ordinal) ? last[7..] : last)}" : "")}");
        if (_all[0].Ended.IsCompleted)
            throw new IOException($"{_all[0].Name} was stopped before the others had ended");
    }

    // A second one ends this process at once, with all of these.
    private void OnSignal(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _signalled) == 1)
            return;
        lock (_all)
            _all.ForEach(process => process.Kill());
    }

    // As it is given to a shell.
    private static string Shown(IEnumerable<string> words) =>
        string.Join(' ', words.Select(word => word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+".Contains(letter)) ? word : $"'{word.Replace("'", "'\\''")}'").Prepend("./massdpo"));
}
