using System.CommandLine;
using MassDpo.Cluster.Bench;

var root = new RootCommand("Measures what runs on the nodes of an Akka cluster, on one machine over real remoting. Every verb prints its results as markdown.");

var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 5, Description = "Measurements of each, in turns." };
var policy = new Option<MadePolicySize>("--policy") { DefaultValueFactory = _ => MadePolicySize.Demo, Description = "Of hidden 64, as the demo has it, or of hidden 256." };
var selectors = new Option<int>("--selectors") { DefaultValueFactory = _ => 1, Description = "Of each run." };
var records = new Option<int>("--records") { DefaultValueFactory = _ => 8000, Description = "Of the stream." };
var passes = new Option<int>("--passes") { DefaultValueFactory = _ => 4, Description = "Over the records." };
var rank = new Option<int>("--lora") { Description = "Rank of an adapter that is trained in place of all weights; 0: none." };
var throughput = new Command("throughput", "Selections/s of one process over local links, of nodes in one process, and of nodes that are processes.") { policy, selectors, records, passes, rounds, rank };
throughput.SetAction((parsed, _) => Throughput.RunAsync(parsed.GetValue(policy), parsed.GetValue(selectors), parsed.GetValue(records), parsed.GetValue(passes), parsed.GetValue(rounds), parsed.GetValue(rank)));
root.Subcommands.Add(throughput);

var lines = new Argument<string>("FILE");
var nodes = new Command("nodes", "Nodes in one process, of `throughput`, which starts it.") { lines };
nodes.Hidden = true;
nodes.SetAction((parsed, _) => NodesInOneProcess.RunAsync(parsed.GetValue(lines)!));
root.Subcommands.Add(nodes);

var serializer = new Command("serializer", "Messages/s of the binary serializer, against System.Text.Json.") { rounds };
serializer.SetAction(parsed => SerializerRate.Run(parsed.GetValue(rounds)));
root.Subcommands.Add(serializer);

var snapshots = new Argument<int>("SNAPSHOTS") { DefaultValueFactory = _ => 50 };
var snapshot = new Command("snapshot", "Time of a snapshot of 10 MB from the learner's node to 4 selectors' nodes, against Kafka links and against bare sockets.") { snapshots };
snapshot.SetAction((parsed, _) => SnapshotTime.RunAsync(parsed.GetValue(snapshots)));
root.Subcommands.Add(snapshot);

var of = new Argument<Victims>("OF");
var recovery = new Command("recovery", "Time without an update after kill -9 of a selector's or the learner's process.") { of, rounds };
recovery.SetAction((parsed, _) => Recovery.RunAsync(parsed.GetValue(of), parsed.GetValue(rounds)));
root.Subcommands.Add(recovery);

return await root.Parse(args).InvokeAsync();
