using System.Globalization;
using MassDpo.Shared.Files;

namespace MassDpo.Learner.Checkpoints;

/// <summary>The output directory of a run: where everything lies, and its lock, which one process holds.</summary>
public sealed class RunDirectory : IDisposable
{
    private static readonly string[] LogNames = ["selections.jsonl", "updates.jsonl", "metrics.jsonl", "dead-letters.jsonl", "evaluations.jsonl"];

    private readonly IDisposable _lock;

    private RunDirectory(string path, IFiles files, IDisposable held) => (Root, Files, _lock) = (path, files, held);

    public string Root { get; }

    public IFiles Files { get; }

    /// <summary>The policy that the run made, in Hugging Face layout.</summary>
    public string Policy => Path.Combine(Root, "policy");

    public string Checkpoints => CheckpointsIn(Root);

    public string Selections => Path.Combine(Root, LogNames[0]);

    public string Updates => Path.Combine(Root, LogNames[1]);

    public string Metrics => Path.Combine(Root, LogNames[2]);

    public string DeadLetters => Path.Combine(Root, LogNames[3]);

    /// <summary>How the policy did on records apart, now and then.</summary>
    public string Evaluations => EvaluationsIn(Root);

    /// <summary>What rollbacks have set aside.</summary>
    public string RolledBack => Path.Combine(Root, "rolled-back");

    /// <summary>What copies have set aside: it is of another history than the learner's.</summary>
    public string Diverged => Path.Combine(Root, "diverged");

    /// <summary>The first segment of each log.</summary>
    public IReadOnlyList<string> Logs => [Selections, Updates, Metrics, DeadLetters, Evaluations];

    /// <summary>Those of which retention takes nothing.</summary>
    public IReadOnlyList<string> LastingLogs => [DeadLetters, Evaluations];

    public string Report => Path.Combine(Root, "report.json");

    private string Epoch => EpochIn(Root);

    /// <summary>Opens a directory, creating it where it is absent, and takes its lock.</summary>
    /// <exception cref="DirectoryInUseException">another process runs in it</exception>
    /// <exception cref="IOException">it cannot be written</exception>
    public static RunDirectory Open(string path, IFiles files)
    {
        var isNew = !files.FolderExists(path);
        files.CreateFolder(path);
        files.CreateFolder(CheckpointsIn(path));
        // What lies in it is durable only if its own name is.
        if (isNew && Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))) is { } parent)
            files.SyncFolder(parent);
        var held = files.TryLock(Path.Combine(path, "lock"))
            ?? throw new DirectoryInUseException($"{path} is in use by another process: wait for it to end, or choose another output directory");
        return new RunDirectory(path, files, held);
    }

    /// <summary>Where the checkpoints of a run lie, for those who only read and take no lock.</summary>
    public static string CheckpointsIn(string root) => Path.Combine(root, "checkpoints");

    /// <summary>The same of its evaluations.</summary>
    public static string EvaluationsIn(string root) => Path.Combine(root, LogNames[4]);

    /// <summary>The same of the record of its promotions, which no learner writes.</summary>
    public static string PromotionsIn(string root) => Path.Combine(root, "promotions.jsonl");

    /// <summary>Whether a file of this name is a segment of one of the logs.</summary>
    public static bool IsLog(string file) => LogNames.Any(log => LogSegments.BeginOf(log, file) is not null);

    /// <summary>The newest epoch that a learner of this directory claimed; 0 before the first.</summary>
    public long LastEpoch => LastEpochIn(Root, Files);

    /// <summary>The same, for those who only read and take no lock.</summary>
    public static long LastEpochIn(string root, IFiles files)
    {
        var file = EpochIn(root);
        if (!files.FileExists(file))
            return 0;
        using var reader = new StreamReader(files.OpenRead(file));
        var text = reader.ReadToEnd().Trim();
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            ? epoch
            : throw new InvalidDataException($"{file} holds '{text}' where a number is expected: write one there that is higher than any epoch in selections.jsonl");
    }

    /// <summary>Makes an epoch durable before anybody hears of it.</summary>
    public void KeepEpoch(long epoch)
    {
        var aside = Epoch + ".writing";
        using (var stream = Files.Create(aside))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(epoch.ToString(CultureInfo.InvariantCulture)));
            Files.Sync(stream);
        }
        Files.Rename(aside, Epoch);
        Files.SyncFolder(Root);
    }

    public void Dispose() => _lock.Dispose();

    private static string EpochIn(string root) => Path.Combine(root, "epoch");
}

/// <summary>Another process runs in an output directory.</summary>
public sealed class DirectoryInUseException(string message) : IOException(message);
