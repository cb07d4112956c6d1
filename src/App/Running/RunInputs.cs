using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Ingest.Sources;
using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary><c>run.json</c> in an output directory: what the run was made of, for replay to find again.</summary>
/// <param name="Policy">directory of the policy that it started from</param>
/// <param name="Data">files of records, in order; null: they did not come from files</param>
/// <param name="Settings">all that it was set to, as text</param>
internal sealed record RunInputs(string Policy, IReadOnlyList<string>? Data, IReadOnlyDictionary<string, string> Settings)
{
    private const string Name = "run.json";

    /// <summary>Topic of the records; null: they did not come from one. How its cluster is reached, stands in the settings.</summary>
    public string? Topic { get; init; }

    public static RunInputs Of(string policy, RunWiring wiring, RunOptions options) =>
        new(Path.GetFullPath(policy), ((wiring.Source as FileSource)?.Files ?? wiring.Files)?.Select(file => Path.GetFullPath(file)).ToList(), options.Settings) { Topic = wiring.Topic };

    /// <exception cref="InvalidDataException">the directory holds no run, or what it holds is malformed</exception>
    public static RunInputs Read(string run)
    {
        var file = Path.Combine(run, Name);
        if (!File.Exists(file))
            throw new InvalidDataException($"{run} holds no run: {Name} is absent");
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(file))!;
            return new RunInputs(json["policy"]!.GetValue<string>(), json["data"] is { } data ? [.. data.AsArray().Select(path => path!.GetValue<string>())] : null,
                json["settings"]!.AsObject().ToDictionary(setting => setting.Key, setting => setting.Value!.GetValue<string>())) { Topic = json["topic"]?.GetValue<string>() };
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException)
        {
            throw new InvalidDataException($"{file} is malformed: {e.Message}", e);
        }
    }

    public void Write(RunDirectory directory) => RunReport.Write(directory, Path.Combine(directory.Root, Name), new JsonObject
    {
        ["v"] = 1,
        ["policy"] = Policy,
        ["data"] = Data is null ? null : new JsonArray([.. Data.Select(file => (JsonNode)file)]),
        ["topic"] = Topic,
        ["settings"] = RunReport.Settings(Settings),
    });

    /// <summary>The settings as a layer below others.</summary>
    public HoconDocument ToSettings() => Settings.Select(setting => HoconDocument.FromPlainText(setting.Key, setting.Value, Name))
        .Aggregate(HoconDocument.Empty, (below, setting) => setting.WithFallback(below));

    /// <summary>The policy that the run started from, with the adapter that it trained.</summary>
    /// <param name="options">how else it is loaded; null: as the run did, but on the CPU, as for what computes nothing</param>
    /// <exception cref="Policy.PolicyFormatException">it is gone, or is none any more</exception>
    public LoadedPolicy LoadPolicy(PolicyOptions? options = null)
    {
        var own = RunOptions.From(EffectiveSettings.Load(null, [], [], [], ToSettings())).Policy;
        return LoadedPolicy.Load(Policy, (options ?? own with { Placement = own.Placement with { Device = CPU } }) with { Lora = own.Lora });
    }

    /// <summary>Whether two paths name one folder.</summary>
    public static bool IsSamePlace(string path, string other) => Whole(path) == Whole(other);

    private static string Whole(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
