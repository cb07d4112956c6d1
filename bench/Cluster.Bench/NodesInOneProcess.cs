using MassDpo.App.Verbs;
using MassDpo.Cluster.Verbs;

namespace MassDpo.Cluster.Bench;

/// <summary>Nodes that share a process, each with an actor system of its own and remoting between them.</summary>
internal static class NodesInOneProcess
{
    /// <param name="file">a command line in each line, its words with tabs between</param>
    public static async Task<int> RunAsync(string file)
    {
        var nodes = File.ReadAllLines(file).Select(line => Task.Run(() => CommandLine.RunAsync(line.Split('\t'), null, ClusterVerb.Create())));
        return (await Task.WhenAll(nodes)).Max();
    }
}
