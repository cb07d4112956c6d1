using System.CommandLine;
using MassDpo.App.Demo;
using MassDpo.App.Terminal;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo demo</c>: from nothing to a report.</summary>
internal static class DemoVerb
{
    public static Command Create()
    {
        var command = new Command("demo", "Runs the main job on a simulated stream of listeners and prints a report. Takes a minute or two.").WithDetails("""
            The stream is made up. Three policies that know nothing go through it, with the most informative negatives, with random ones and with the full pool; then
            they are measured on held-out records. --output gets the stream and all that the three runs wrote.

            Examples:
              massdpo demo
              massdpo demo --records 2000 --seed 7 --output out/quick
              massdpo demo --set demo.noise=0.2 --set selection.negatives=5
            """);
        var output = new Option<string>("--output") { Description = "Directory to write; one that an earlier demo wrote is begun anew.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("out", "demo") };
        command.Options.Add(output);
        var settings = new SettingOptions(command, "demo.conf",
            ("--records", "demo.records", "N", "Records of the stream."),
            ("--seed", "runtime.seed", "N", "Of everything that is drawn at random."));
        command.SetAction(async (parsed, cancellation) =>
        {
            ProgressPrinter? printer = null;
            try
            {
                var result = await DemoJob.RunAsync(new DemoRequest(parsed.GetValue(output)!, settings.Read(parsed)), text =>
                {
                    printer?.End();
                    Output.ErrorLine(text);
                }, options =>
                {
                    printer = new ProgressPrinter(options.Progress, TimeProvider.System, Console.Error, rewrite: !Console.IsErrorRedirected);
                    return printer.Update;
                }, cancellation);
                printer?.End();
                DemoReport.Print(result);
            }
            finally
            {
                printer?.End();
            }
            return ExitCode.Done;
        });
        return command;
    }
}
