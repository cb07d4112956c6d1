using System.Globalization;
using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Files;

namespace MassDpo.App.Checkpoints;

/// <summary>A checkpoint as <c>massdpo checkpoints list</c> tells it.</summary>
/// <param name="Name">see there</param>
/// <param name="State">null: it is damaged</param>
/// <param name="Damage">why; null: it is not, as far as was looked</param>
/// <param name="Evaluation">what the run measured at its version; null: nothing</param>
internal sealed record ListedCheckpoint(CheckpointName Name, CheckpointState? State, string? Damage, JsonObject? Evaluation);

/// <summary>
/// The checkpoints of a run, to look at. It takes no lock, so that it works beside a run that is going on, and changes nothing.
/// </summary>
internal sealed class RunCheckpoints
{
    private readonly string _run;

    /// <exception cref="InvalidDataException">the directory holds no run</exception>
    public RunCheckpoints(string run)
    {
        _run = run;
        Inputs = RunInputs.Read(run);
        Store = new CheckpointStore(RunDirectory.CheckpointsIn(run), PhysicalFiles.Instance, keep: 2);
    }

    public RunInputs Inputs { get; }

    public CheckpointStore Store { get; }

    /// <summary>All of them, newest first.</summary>
    /// <param name="whole">whether every file is read against its hash, or the state alone</param>
    public IReadOnlyList<ListedCheckpoint> List(bool whole)
    {
        var evaluations = Evaluations();
        return [.. Store.List().Select(name =>
        {
            try
            {
                var state = Store.LoadState(name);
                if (whole)
                    Store.Check(name);
                return new ListedCheckpoint(name, state, null, evaluations.GetValueOrDefault(state.PolicyHash));
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                return new ListedCheckpoint(name, null, e.Message, null);
            }
        })];
    }

    /// <summary>The checkpoint that somebody names: by its name, by its version, or, by null, the newest.</summary>
    /// <exception cref="InvalidDataException">there is none</exception>
    public CheckpointName Find(string? wanted)
    {
        var all = Store.List();
        foreach (var name in all)
            if (wanted is null || wanted == name.ToString() || (long.TryParse(wanted, NumberStyles.None, CultureInfo.InvariantCulture, out var version) && version == name.Version))
                return name;
        throw new InvalidDataException(all.Count == 0
            ? $"{_run} has no checkpoint yet"
            : $"{_run} has no checkpoint '{wanted}': give a version or a name that `massdpo checkpoints list {_run}` shows");
    }

    // By the hash of the policy.
    private Dictionary<string, JsonObject> Evaluations()
    {
        var found = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var path in LogSegments.PathsOf(PhysicalFiles.Instance, RunDirectory.EvaluationsIn(_run)))
        {
            foreach (var line in File.ReadLines(path))
            {
                try
                {
                    var json = JsonNode.Parse(line)!.AsObject();
                    found[json["policy_hash"]!.GetValue<string>()] = json;
                }
                catch (Exception e) when (e is System.Text.Json.JsonException or NullReferenceException or InvalidOperationException)
                {
                    // The run is just writing it.
                }
            }
        }
        return found;
    }
}
