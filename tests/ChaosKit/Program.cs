using System.Diagnostics;
using MassDpo.App.Running;
using MassDpo.App.Verbs;
using MassDpo.ChaosKit;
using MassDpo.Shared.Links;
using MassDpo.TestKit.Files;

// MassDpo.ChaosKit WHAT OF NTH VERB …: the program's own command line in a process that kills itself, as kill -9 does, at a moment.
var moment = Moment.FromWords(args);
var seen = 0;
var cameBack = false;
var files = new KilledFiles(step => IsNow(step.Name, step.Path), Die);
return await CommandLine.RunAsync(args[3..], new RunSeams(files, () => PipelineLinks.Local().Telling(Happened), _ => Happened(Events.SelectionTold)));

void Happened(string name)
{
    if (name == nameof(BatchClosed) && !cameBack)
    {
        cameBack = true;
        Console.Error.WriteLine(Victim.CameBack);
    }
    if (IsNow("event", name))
        Die();
}

// Actors run on threads of their own.
bool IsNow(string what, string of) => moment.IsOf(what, of) && Interlocked.Increment(ref seen) == moment.Nth;

// No finally block runs, no stream is flushed, and nobody goes on after this.
static void Die()
{
    Process.GetCurrentProcess().Kill();
    Thread.Sleep(Timeout.Infinite);
}
