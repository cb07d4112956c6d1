using System.Text.RegularExpressions;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Running;

/// <summary>How a run on an Akka cluster is set, beside the block <c>akka</c>, which is Akka's own.</summary>
/// <param name="Name">of the actor systems: nodes of one name are one cluster</param>
/// <param name="CheckpointCopies">other nodes that a checkpoint must be on before it counts as written; 0: nodes share a directory</param>
public sealed partial record ClusterOptions(string Name, int CheckpointCopies)
{
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static ClusterOptions From(EffectiveSettings settings)
    {
        var name = settings.Text("cluster.name");
        if (!SystemName().IsMatch(name))
            throw settings.Outside("cluster.name", $"'{name}'", "write letters, digits, - and _ alone, and no - or _ at the beginning");
        return new ClusterOptions(name, settings.Integer("cluster.checkpoint-copies", 0, 100));
    }

    // What an actor system can be called.
    [GeneratedRegex("^[a-zA-Z0-9][a-zA-Z0-9_-]*$")]
    private static partial Regex SystemName();
}
