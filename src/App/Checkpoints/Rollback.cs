using MassDpo.App.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.Shared.Files;

namespace MassDpo.App.Checkpoints;

/// <summary>What a rollback did.</summary>
/// <param name="To">where the run goes on from now</param>
/// <param name="SetAside">checkpoints after it, newest first</param>
/// <param name="Folder">where these are now, with what the logs had after it; null: there was nothing after it</param>
internal sealed record RollbackResult(CheckpointName To, IReadOnlyList<CheckpointName> SetAside, string? Folder);

/// <summary>
/// Takes a run back to an earlier checkpoint. What came after it is set aside, not deleted; its records are read again when the run goes on. Interrupted
/// anywhere, the run stands at some whole checkpoint between the two.
/// </summary>
internal static class Rollback
{
    /// <exception cref="InvalidDataException">no such checkpoint, or it is damaged</exception>
    /// <exception cref="IOException">the run is going on</exception>
    public static RollbackResult Run(string run, string wanted, IFiles files)
    {
        var checkpoints = new RunCheckpoints(run);
        var target = checkpoints.Find(wanted);
        using var directory = RunDirectory.Open(run, files);
        var store = new CheckpointStore(directory.Checkpoints, files, keep: 2);
        using var checkpoint = store.Load(target);
        var newer = store.List().Where(name => name.CompareTo(target) > 0).ToList();
        var folder = newer.Count > 0 ? NewFolder(directory, newer[0]) : null;
        if (folder is not null)
        {
            CopyTails(directory, checkpoint.State, folder);
            // Newest first: whatever is left is a run that can go on.
            foreach (var name in newer)
                files.Rename(store.PathOf(name), Path.Combine(folder, name.ToString()));
            files.SyncFolder(folder);
            files.SyncFolder(directory.Checkpoints);
        }
        using (var logs = new LogSet(directory, new LogOptions(SegmentBytes: 0, SegmentsKept: 0)))
            logs.CutTo(checkpoint.State.Logs, [.. store.List().Select(name => name.Version)]);
        if (files.FolderExists(directory.Policy))
            WritePolicy(checkpoints.Inputs, directory, checkpoint);
        return new RollbackResult(target, newer, folder);
    }

    private static string NewFolder(RunDirectory directory, CheckpointName newest)
    {
        var all = directory.RolledBack;
        directory.Files.CreateFolder(all);
        directory.Files.SyncFolder(directory.Root);
        for (var number = 1; ; number++)
        {
            var folder = Path.Combine(all, number == 1 ? newest.ToString() : $"{newest}-{number}");
            if (directory.Files.FolderExists(folder))
                continue;
            directory.Files.CreateFolder(folder);
            directory.Files.SyncFolder(all);
            return folder;
        }
    }

    // What the logs hold beyond the checkpoint.
    private static void CopyTails(RunDirectory directory, CheckpointState state, string folder)
    {
        foreach (var log in directory.Logs)
        {
            foreach (var path in LogSegments.PathsOf(directory.Files, log))
            {
                var covered = state.Logs.GetValueOrDefault(Path.GetFileName(path))?.Length ?? 0;
                using var source = directory.Files.OpenRead(path);
                if (source.Length <= covered)
                    continue;
                source.Position = covered;
                using var copy = directory.Files.Create(Path.Combine(folder, Path.GetFileName(path)));
                source.CopyTo(copy);
                directory.Files.Sync(copy);
            }
        }
    }

    private static void WritePolicy(RunInputs inputs, RunDirectory directory, Checkpoint checkpoint)
    {
        using var policy = inputs.LoadPolicy();
        using var weights = policy.Weights.With(checkpoint.Weights);
        PolicyDirectory.SaveLike(policy.Origin, directory.Policy, directory.Files, weights);
    }
}
