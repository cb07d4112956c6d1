using System.CommandLine;
using MassDpo.Kafka.Bench;

var root = new RootCommand("Measures and checks what runs over Kafka, on librdkafka's mock cluster. Every verb prints its results as markdown; the exit code is 1 where a check fails.");

var rounds = new Argument<int>("ROUNDS") { DefaultValueFactory = _ => 5 };
var ingest = new Command("ingest", "records/s of the source, and of the source with the validator, against a bare consumer of the same topic.") { rounds };
ingest.SetAction((parsed, _) => IngestRate.RunAsync(parsed.GetValue(rounds)));
root.Subcommands.Add(ingest);

var snapshots = new Argument<int>("SNAPSHOTS") { DefaultValueFactory = _ => 50 };
var snapshot = new Command("snapshot", "Time of a snapshot of 10 MB from the learner to 1 and to 4 selector processes.") { snapshots };
snapshot.SetAction(async (parsed, _) => await SnapshotTime.RunAsync(parsed.GetValue(snapshots)) ? 0 : 1);
root.Subcommands.Add(snapshot);

var bootstrap = new Argument<string>("BOOTSTRAP");
var receive = new Command("receive", "A receiver of `snapshot`, which starts it.") { bootstrap };
receive.Hidden = true;
receive.SetAction((parsed, _) => SnapshotReceiver.RunAsync(parsed.GetValue(bootstrap)!));
root.Subcommands.Add(receive);

var records = new Option<int>("--records") { DefaultValueFactory = _ => 20_000, Description = "Records of the stream." };
var repeats = new Option<int>("--rounds") { DefaultValueFactory = _ => 3, Description = "Measurements of each." };
var selectors = new Command("selectors", "Selections/s of one and of two selector processes, without a learner.") { records, repeats };
selectors.SetAction((parsed, _) => SelectorRate.RunAsync(parsed.GetValue(records), parsed.GetValue(repeats)));
root.Subcommands.Add(selectors);

var data = new Option<string?>("--data") { Description = "Records of your own; without it simulated listeners.", HelpName = "FILE" };
var evaluation = new Option<string?>("--eval") { Description = "With --data: records to measure on.", HelpName = "FILE" };
var policy = new Option<string?>("--policy") { Description = "With --data: the policy to start from.", HelpName = "DIR" };
var config = new Option<string?>("--config") { Description = "Settings of the runs; without it hocon/demo.conf.", HelpName = "FILE" };
var passes = new Option<int>("--passes") { DefaultValueFactory = _ => 1, Description = "Passes over the records." };
var staleness = new Option<int>("--max-staleness") { DefaultValueFactory = _ => 2, Description = "slots.max-staleness of all runs." };
var endToEnd = new Command("endtoend", "A run of processes with a selector that comes and one that goes, against runs from files; SIGTERM of each role.") { records, data, evaluation, policy, config, passes, staleness };
endToEnd.SetAction(async (parsed, _) => await EndToEnd.RunAsync(parsed.GetValue(data), parsed.GetValue(evaluation), parsed.GetValue(policy), parsed.GetValue(config),
    parsed.GetValue(records), parsed.GetValue(passes), parsed.GetValue(staleness)) ? 0 : 1);
root.Subcommands.Add(endToEnd);

return await root.Parse(args).InvokeAsync();
