using System.CommandLine;
using System.Globalization;
using MassDpo.App.Demo;
using MassDpo.App.Terminal;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo demo</c>: from nothing to a report.</summary>
internal static class DemoVerb
{
    public static Command Create()
    {
        var command = new Command("demo", "Runs the main job on a simulated stream of listeners and prints a report. Takes a minute or two.").WithDetails("""
            The stream is made up. Three policies that know nothing go through it, with the most informative negatives, with random ones and with the full pool; then
            they are measured on held-out records. --output gets the stream and all that the three runs wrote.
            With --kafka one of these policies is trained by five processes, joined over a Kafka that comes with the program: broker, ingest, two selectors, learner. Each is shown
            with its command. kafka.bootstrap, kafka.client and watch do not count: the demo has a cluster of its own.

            Examples:
              massdpo demo
              massdpo demo --records 2000 --seed 7 --output out/quick
              massdpo demo --set demo.noise=0.2 --set selection.negatives=5
              massdpo demo --kafka
            """);
        var output = new Option<string?>("--output") { Description = "Directory to write; one that an earlier demo wrote is begun anew. [default: out/demo, or out/demo-kafka]", HelpName = "DIR" };
        var kafka = new Option<bool>("--kafka") { Description = "The same job in five processes, joined over Kafka." };
        command.Options.Add(output);
        command.Options.Add(kafka);
        var settings = new SettingOptions(command, SettingOptions.Recipe("demo.conf"),
            ("--records", "demo.records", "N", "Records of the stream."),
            ("--seed", "runtime.seed", "N", "Of everything that is drawn at random."));
        command.SetAction((parsed, cancellation) => parsed.GetValue(kafka)
            ? OverKafkaAsync(parsed.GetValue(output) ?? Path.Combine("out", "demo-kafka"), development => settings.Read(parsed, development), cancellation)
            : SideBySideAsync(new DemoRequest(parsed.GetValue(output) ?? Path.Combine("out", "demo"), settings.Read(parsed)), cancellation));
        return command;
    }

    private static async Task<int> SideBySideAsync(DemoRequest request, CancellationToken cancellation)
    {
        ProgressPrinter? printer = null;
        try
        {
            var result = await DemoJob.RunAsync(request, text =>
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
    }

    private static async Task<int> OverKafkaAsync(string output, Func<HoconDocument, EffectiveSettings> read, CancellationToken cancellation)
    {
        var development = SettingOptions.Recipe("kafka-dev.conf");
        var result = await KafkaDemo.RunAsync(new DemoRequest(output, read(development)), development, Output.ErrorLine, new NamedLines().Write, cancellation);
        Output.Line("");
        foreach (var line in result.Summary)
            Output.Line(line);
        var (applied, dead) = result.Positions;
        Output.Line(string.Create(CultureInfo.InvariantCulture,
            $"Checked in updates.jsonl: {applied:N0} positions of the input, each trained on exactly once{(dead > 0 ? $"; {dead:N0} others went to dead letters" : "")}."));
        Output.Line("The stream is simulated. The README's section \"Over Kafka\" does the same by hand.");
        return ExitCode.Done;
    }
}
