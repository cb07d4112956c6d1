using System.Collections.Frozen;
using MassDpo.App.Running;
using MassDpo.App.Verbs;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;

// MassDpo.ChaosKit broker TOPIC:PARTITIONS …: a Kafka that can be told to fail.
// MassDpo.ChaosKit DEED WHAT OF NTH VERB …: the program's own command line in a process that does something to itself at a moment, and at further ones that come by standard input.
if (args[0] == BrokerProcess.Verb)
    return BrokerProcess.Run(args[1..]);
FrozenSet<string> told = [Events.Claimed, nameof(EpochOpened), nameof(BatchClosed), nameof(CheckpointWritten), Events.BlockComputed, nameof(IntakeChanged)];
var armed = new Armed(Enum.Parse<Deed>(args[0]), Moment.FromWords(args.AsSpan(1)));
var files = new KilledFiles(step => armed.IsNow(step.Name, step.Path), armed.Do);
return await CommandLine.RunAsync(args[4..], new RunSeams(files, links => links.Telling(Happened), source => source.Telling(Happened), _ => Happened(Events.SelectionTold)));

void Happened(string name)
{
    if (told.Contains(name))
        Armed.Tell(name);
    if (armed.IsNow("event", name))
        armed.Do();
}
