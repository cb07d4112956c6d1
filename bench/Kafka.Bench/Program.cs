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

return await root.Parse(args).InvokeAsync();
