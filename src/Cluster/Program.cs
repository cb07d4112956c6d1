using MassDpo.App.Verbs;
using MassDpo.Cluster.Verbs;

return await CommandLine.RunAsync(args, null, ClusterVerb.Create());
