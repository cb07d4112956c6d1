using System.Globalization;
using Akka.Configuration;
using MassDpo.Cluster.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Cluster.Nodes;

/// <summary>What a node's actor system is made with: the settings' block <c>akka</c>, what the command line says over it, and what this product needs below it.</summary>
internal static class NodeConfig
{
    private const string Tcp = "akka.remote.dot-netty.tcp";

    /// <summary>Names of roles, in a cluster and on the command line.</summary>
    public static IReadOnlyList<(Roles Role, string Name)> RoleNames { get; } = [(Roles.Learner, "learner"), (Roles.Selector, "selector"), (Roles.Ingest, "ingest")];

    /// <param name="settings">with the block</param>
    /// <param name="name">of the actor system</param>
    /// <param name="roles">of the node; none: those that the block has</param>
    /// <param name="host">that others reach it at; null: as the block says</param>
    /// <param name="port">the same</param>
    /// <param name="seeds">nodes by which it joins, <c>host:port</c>; none: as the block says</param>
    /// <exception cref="HoconException">the block cannot be used</exception>
    public static Config Of(EffectiveSettings settings, string name, Roles roles, string? host, int? port, IReadOnlyList<string> seeds)
    {
        var block = $"akka {{\n{settings.HandOn("akka")}\n}}";
        var above = new List<string>();
        if (roles != 0)
            above.Add($"akka.cluster.roles = [{string.Join(", ", RoleNames.Where(role => roles.HasFlag(role.Role)).Select(role => role.Name))}]");
        if (host is not null)
            above.Add($"{Tcp}.public-hostname = \"{host}\", {Tcp}.hostname = \"{host}\"");
        if (port is { } number)
            above.Add(string.Create(CultureInfo.InvariantCulture, $"{Tcp}.port = {number}"));
        if (seeds.Count > 0)
            above.Add($"akka.cluster.seed-nodes = [{string.Join(", ", seeds.Select(seed => $"\"akka.tcp://{name}@{seed}\""))}]");
        try
        {
            return ConfigurationFactory.ParseString(string.Join('\n', above)).WithFallback(ConfigurationFactory.ParseString(block)).WithFallback(Below).WithFallback(AkkaHost.Defaults);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new InvalidDataException($"Akka cannot read the block akka of the settings: {e.Message}", e);
        }
    }

    /// <summary>Its roles: those that the block has, where the command line names none.</summary>
    /// <exception cref="InvalidDataException">there is one that this product does not know</exception>
    public static Roles RolesOf(Config config)
    {
        var roles = (Roles)0;
        foreach (var name in config.GetStringList("akka.cluster.roles", []))
            roles |= Role(name) ?? throw new InvalidDataException($"akka.cluster.roles holds '{name}': write learner, selector or ingest");
        return roles;
    }

    /// <summary>Null: there is no such role.</summary>
    public static Roles? Role(string name) => RoleNames.Where(role => role.Name == name).Select(role => (Roles?)role.Role).FirstOrDefault();

    private static Config Below { get; } = ConfigurationFactory.ParseString("""
        akka {
          actor.provider = cluster
          # Of Akka's own doings only what somebody must see to: it goes where this product's warnings go.
          loglevel = WARNING
          stdout-loglevel = OFF
          remote.log-remote-lifecycle-events = off
          loggers = ["MassDpo.Cluster.Nodes.LoggerBridge, MassDpo.Cluster"]
          # A node that was begun before the first seed node is there soon after it.
          remote.retry-gate-closed-for = 2 s
          cluster.retry-unsuccessful-join-after = 2 s
          cluster.downing-provider-class = "Akka.Cluster.SBR.SplitBrainResolverProvider, Akka.Cluster"
        }
        """);
}
