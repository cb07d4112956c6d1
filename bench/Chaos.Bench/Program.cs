using System.CommandLine;
using System.Text.Json.Nodes;
using MassDpo.Chaos.Bench;
using MassDpo.ChaosKit;
using MassDpo.ChaosKit.Processes;
using MassDpo.TestKit;

// The long form of tests/Chaos: hundreds of kills over 100,000 records. Nothing is written unless every run's books were in order.
var kills = new Option<int>("--kills") { DefaultValueFactory = _ => 200, Description = "Kills in turns (max-staleness 0); with staleness a quarter of these." };
var seed = new Option<long>("--seed") { DefaultValueFactory = _ => 1, Description = "Of moments and times." };
var results = new Option<string?>("--results") { Description = "File to write the results to; without it they are printed." };
var command = new RootCommand("Kills runs and looks through what they leave.") { kills, seed, results };
command.SetAction((parsed, _) => RunAsync(parsed.GetValue(kills), parsed.GetValue(seed), parsed.GetValue(results)));
var roleKills = new Option<int>("--kills") { DefaultValueFactory = _ => 110, Description = "Kills of all processes together; stops and restarts are half as many." };
var records = new Option<int>("--records") { DefaultValueFactory = _ => 20_000, Description = "Of the input." };
var roles = new Command("roles", "The same of the processes of a run over Kafka: learner, selectors, ingest and broker.") { roleKills, records, seed, results };
roles.SetAction((parsed, _) => RoleRuns.RunAsync(parsed.GetValue(roleKills), parsed.GetValue(records), parsed.GetValue(seed), parsed.GetValue(results)));
command.Subcommands.Add(roles);
var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 60, Description = "That it is gone for." };
var away = new Command("away", "A run over Kafka whose broker is gone for a while, twice.") { seconds };
away.SetAction((parsed, _) => BrokerAway.RunAsync(parsed.GetValue(seconds)));
command.Subcommands.Add(away);
return await command.Parse(args).InvokeAsync();

async Task RunAsync(int kills, long seed, string? results)
{
    using var folder = new TempFolder();
    var workload = await Workload.PrepareAsync(folder.Path);
    Console.WriteLine($"{workload.Name}: {workload.Passes} passes over {workload.Lines:N0} lines");
    Directory.CreateDirectory(folder["whole"]);
    var whole = folder["whole", "out"];
    var ended = await Victim.RunAsync(workload.Words(whole, staleness: 0, selectors: 1));
    if (ended.ExitCode != 0)
        throw new InvalidOperationException(ended.ToString());
    var uninterrupted = Read(whole);
    var report = JsonNode.Parse(File.ReadAllText(Path.Combine(whole, "report.json")))!;
    Console.WriteLine($"uninterrupted: {ended.Out}");
    var updates = (int)report["updates"]!;
    var pace = (double)report["seconds"]! / updates;

    var inTurns = new Campaign(folder["in-turns"], output => workload.Words(output, staleness: 0, selectors: 1), output =>
    {
        var ledger = Read(output);
        ledger.CheckSameAs(uninterrupted);
        return Task.FromResult(ledger);
    }, updates, pace, seed);
    await inTurns.KillAsync(kills);
    var beside = new Campaign(folder["beside"], output => workload.Words(output, staleness: 2, selectors: 2), async output =>
    {
        var ledger = Read(output);
        var replayed = await Victim.RunAsync(["replay", output, "--output", folder["replayed"]]);
        return replayed.ExitCode == 0 ? ledger : throw new InvalidDataException(replayed.ToString());
    }, updates, pace, seed + 1);
    await beside.KillAsync(kills / 4);

    var page = Results.Page(workload, $"dotnet run -c Release --project bench/Chaos.Bench -- --kills {kills} --seed {seed}", updates, uninterrupted.Applied.Count, uninterrupted.Dead.Count,
        (string)report["build"]!,
        [
            ("max-staleness 0, 1 selector", "update log, events, dead letters and weights those of an uninterrupted run, bit for bit", inTurns),
            ("max-staleness 2, 2 selectors", "`massdpo replay` of the logs gives the weights, bit for bit", beside),
        ]);
    if (results is null)
        Console.Write(page);
    else
        await File.WriteAllTextAsync(results, page);

    RunLedger Read(string output)
    {
        var ledger = RunLedger.Read(output);
        ledger.CheckEachOnce(workload.Lines, workload.Passes);
        return ledger;
    }
}
