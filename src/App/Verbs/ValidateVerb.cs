using System.CommandLine;
using System.Globalization;
using MassDpo.App.Evaluation;
using MassDpo.App.Comparison;
using MassDpo.App.Demo;
using MassDpo.App.Generation;
using MassDpo.App.Running;
using MassDpo.App.Sft;
using MassDpo.App.Terminal;
using MassDpo.App.Watching;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy;
using MassDpo.Policy.Encoding;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Sources;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo validate</c>: checks settings or records and changes nothing.</summary>
internal static class ValidateVerb
{
    private const int Shown = 20;

    public static Command Create()
    {
        var command = new Command("validate", "Checks settings or records and changes nothing.").WithDetails("""
            A file whose name ends in .conf is read as settings, any other as records. With --policy records are held against its vocabulary too.

            Examples:
              massdpo validate hocon/lastfm.conf
              massdpo validate train.jsonl.gz --policy start
            """);
        var file = new Argument<string>("FILE") { Description = "Settings (.conf) or records (JSON lines, plain or .gz)." };
        var policy = new Option<string?>("--policy") { Description = "Directory of a policy whose vocabulary records must fit.", HelpName = "DIR" };
        command.Arguments.Add(file);
        command.Options.Add(policy);
        var settings = new SettingOptions(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var path = parsed.GetValue(file)!;
            if (!File.Exists(path))
                throw new UsageException($"{path} does not exist");
            var effective = settings.Read(parsed);
            return path.EndsWith(".conf", StringComparison.OrdinalIgnoreCase) ? CheckSettings(path) : await CheckRecordsAsync(path, parsed.GetValue(policy), effective, cancellation);
        });
        return command;
    }

    private static int CheckSettings(string path)
    {
        var settings = EffectiveSettings.Load(path, [], [], []);
        CheckAll(settings);
        var changed = settings.Effective.Where(setting => EffectiveSettings.Reference.GetString(setting.Key) != setting.Value).ToList();
        Output.Line($"{path} is good: {changed.Count} settings differ from their defaults.");
        foreach (var (key, value) in changed)
            Output.Line($"  {key} = {value}");
        return ExitCode.Done;
    }

    /// <summary>Reads every setting that there is, with its range.</summary>
    public static void CheckAll(EffectiveSettings settings)
    {
        RunOptions.From(settings);
        SftJobOptions.From(settings);
        EvaluationOptions.From(settings);
        DemoOptions.From(settings);
        ComparisonOptions.From(settings);
        GenerationSettings.From(settings);
        WatchOptions.From(settings);
        KafkaRunOptions.From(settings);
        ClusterOptions.From(settings);
    }

    private static async Task<int> CheckRecordsAsync(string path, string? policyDirectory, EffectiveSettings settings, CancellationToken cancellation)
    {
        var options = RunOptions.From(settings);
        RecordValidator? validator = null;
        if (policyDirectory is not null)
        {
            var origin = PolicyOrigin.Of(policyDirectory, options.Policy.Lora?.Adapter);
            var config = PolicyDirectory.LoadConfig(origin.Base);
            validator = new RecordValidator(LoadedPolicy.EncoderOf(origin, config, options.Policy.Encoding), options.Duplicates, options.Files.MaxRecordBytes);
        }
        var (good, codes) = (0L, new SortedDictionary<string, long>(StringComparer.Ordinal));
        await using var source = new FileSource([path], options.Files with { Order = ShuffleOrder.None, Passes = 1 });
        await foreach (var entry in source.ReadAsync(new SettledPositions(), cancellation))
        {
            if (entry is not SourceEntry.Bytes line)
                continue;
            if (Problem(line, validator, options.Files.MaxRecordBytes) is not { } problem)
            {
                good++;
                continue;
            }
            if (codes.Values.Sum() < Shown)
                Output.Line($"{path}, line {line.Line}: {problem.Code}: {problem.Reason}");
            codes[problem.Code] = codes.GetValueOrDefault(problem.Code) + 1;
        }
        var bad = codes.Values.Sum();
        if (bad > Shown)
            Output.Line($"… and {bad - Shown:N0} more");
        Output.Line(string.Create(CultureInfo.InvariantCulture, $"{good:N0} records are good{(policyDirectory is null ? "" : $" for {policyDirectory}")}, {bad:N0} are not{(bad > 0
            ? $" ({string.Join(", ", codes.Select(code => $"{code.Key}: {code.Value:N0}"))})"
            : "")}."));
        return bad == 0 && good > 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static Rejection? Problem(SourceEntry.Bytes line, RecordValidator? validator, int maxRecordBytes)
    {
        if (validator is not null)
            return validator.Validate(line).Dead is { } dead ? new Rejection(dead.Code, dead.Reason) : null;
        if (line.Oversize is { } length)
            return new Rejection(DeadLetterCodes.TooLarge, $"the record has {length} bytes, one may have {maxRecordBytes}");
        try
        {
            RecordParser.Parse(line.Json.Span);
            return null;
        }
        catch (RecordFormatException e)
        {
            return new Rejection(e.Code, e.Message);
        }
    }
}
