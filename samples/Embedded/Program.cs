// A shop's stream of clicks, learnt from inside the shop's own process: Embedded POLICY OUTPUT.
// POLICY is any policy whose vocabulary has the items, such as one that `massdpo sft --epochs 0 --items …` wrote.
using System.Runtime.CompilerServices;
using MassDpo.App.Hosting;
using MassDpo.Shared.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var builder = Host.CreateApplicationBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.Services.AddMassDpo(massdpo =>
{
    massdpo.Policy = args[0];
    massdpo.Output = args[1];
    massdpo.Source = Clicks;
    massdpo.Settings["learner.learning-rate"] = "1e-3";
    massdpo.Settings["learner.batch"] = "8";
});
using var host = builder.Build();
var run = host.Services.GetRequiredService<IMassDpo>();
var choices = run.Tap();
await host.StartAsync();
await foreach (var choice in choices)
    Console.WriteLine($"{choice.Id}: kept {string.Join(", ", choice.Picks.Select(pick => $"#{pick.Index} (gain {pick.Gain:F3})"))} of {choice.Candidates.Count - 1}");
var outcome = await run.Completion;
await host.StopAsync();
Console.WriteLine($"{outcome.Counts.Applied} records made {outcome.Version} updates; the policy is in {Path.Combine(args[1], "policy")}");

// Where a real shop would read its own events.
static async IAsyncEnumerable<PreferenceRecord> Clicks([EnumeratorCancellation] CancellationToken cancellation)
{
    string[] shelf = ["tea", "coffee", "cocoa", "milk", "sugar", "honey"];
    for (var visitor = 0; visitor < 40; visitor++)
    {
        cancellation.ThrowIfCancellationRequested();
        await Task.Yield();
        var bought = shelf[visitor % shelf.Length];
        yield return new PreferenceRecord
        {
            Id = $"visitor-{visitor}",
            Prompt = Prompt.OfHistory([shelf[(visitor + 1) % shelf.Length]]),
            Candidates = [bought, .. shelf.Where(item => item != bought)],
        };
    }
}
