using System.Text.Json.Nodes;
using Akka.Cluster;

namespace MassDpo.Cluster.Nodes;

/// <summary>The cluster as one node sees it: for health, metrics and the report. Thread-safe.</summary>
internal sealed class ClusterView(Akka.Cluster.Cluster cluster)
{
    private const string Unreachable = "unreachable";

    /// <summary>Nodes by their state.</summary>
    public IEnumerable<KeyValuePair<string, long>> Counts()
    {
        var state = cluster.State;
        return state.Members.GroupBy(member => StateOf(state, member)).Select(group => KeyValuePair.Create(group.Key, (long)group.Count()));
    }

    /// <summary>This node, all nodes, and who leads; the learner's node is the oldest of its role.</summary>
    public JsonObject ToJson()
    {
        var state = cluster.State;
        return new JsonObject
        {
            ["node"] = cluster.SelfAddress.ToString(),
            ["status"] = Name(cluster.SelfMember.Status),
            ["leader"] = state.Leader?.ToString(),
            ["learner"] = OldestOf("learner")?.ToString(),
            ["members"] = new JsonArray([.. state.Members.Select(member => (JsonNode)new JsonObject
            {
                ["node"] = member.Address.ToString(), ["roles"] = new JsonArray([.. member.Roles.Order(StringComparer.Ordinal).Select(role => (JsonNode)role)]), ["state"] = StateOf(state, member),
            })]),
        };
    }

    /// <summary>The oldest node of a role, which has its singletons; null: there is none.</summary>
    public Akka.Actor.Address? OldestOf(string role) => cluster.State.Members.Where(member => member.HasRole(role) && member.Status is MemberStatus.Up or MemberStatus.Leaving)
        .Aggregate((Member?)null, (oldest, member) => oldest is null || member.IsOlderThan(oldest) ? member : oldest)?.Address;

    /// <summary>Whether no other node is left.</summary>
    public bool IsAlone => cluster.State.Members.All(member => member.Address == cluster.SelfAddress);

    private static string StateOf(ClusterEvent.CurrentClusterState state, Member member) => state.Unreachable.Contains(member) ? Unreachable : Name(member.Status);

    private static string Name(MemberStatus status) => status.ToString().ToLowerInvariant();
}
