using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassDpo.App.Generation;
using MassDpo.App.Running;
using MassDpo.App.Terminal;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Generation;
using MassDpo.Policy.Tokenizers;
using static TorchSharp.torch;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo generate</c>: what a policy says.</summary>
internal static class GenerateVerb
{
    // Texts are told as they are.
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var command = new Command("generate", "Goes on from a prompt, as the policy does.").WithDetails("""
            Prints what follows each prompt, up to a token that ends it (eos_token_id in config.json and generation_config.json), to --max-tokens, or to the policy's last
            position. With --json one line each: {"ids", "text"}, the end token among the ids. A text is preceded by what the tokenizer puts before texts; ids are taken as
            they are. The same seed gives the same tokens.

            Examples:
              massdpo generate --policy out/policy --prompt Once --greedy
              massdpo generate --policy out/policy --ids 1,403,407 --temperature 0.8 --top-p 0.95 --json
            """);
        var policy = DataOption.Policy("Directory of the policy: a checkpoint, or a PEFT adapter.");
        var prompt = new Option<string[]>("--prompt") { Description = "What to go on from; may be given several times.", HelpName = "TEXT" };
        var ids = new Option<string[]>("--ids") { Description = "The same as token ids, with spaces or commas between.", HelpName = "IDS" };
        var greedy = new Option<bool>("--greedy") { Description = "Take the likeliest token each time; none is drawn." };
        var json = new Option<bool>("--json") { Description = "Print a JSON line for each prompt." };
        foreach (var option in new Option[] { policy, prompt, ids, greedy, json })
            command.Options.Add(option);
        var settings = new SettingOptions(command,
            ("--max-tokens", "generation.max-tokens", "N", "Tokens after each prompt at most."),
            ("--temperature", "generation.temperature", "T", "What logits are divided by before a token is drawn."),
            ("--top-p", "generation.top-p", "P", "Draw from the fewest tokens that together have this probability."),
            ("--seed", "runtime.seed", "N", "Of what is drawn."),
            ("--compute-type", PlacementSettings.ComputeTypeKey, "float32|bfloat16", "Type of weights and activations."),
            ("--device", PlacementSettings.DeviceKey, "cpu|cuda|cuda:N", "Where the policy is computed."),
            ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."));
        command.SetAction((parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var options = GenerationSettings.From(effective);
            var (texts, ofIds) = (parsed.GetValue(prompt) ?? [], parsed.GetValue(ids) ?? []);
            if (texts.Length > 0 == ofIds.Length > 0)
                throw new UsageException(texts.Length > 0 ? "--prompt and --ids are two ways to say the same: give one of them" : "there is nothing to go on from: give --prompt TEXT or --ids IDS");
            var given = Array.ConvertAll(ofIds, Ids);
            set_num_threads(effective.Integer("runtime.threads", 1, 1024));
            using var loaded = LoadedPolicy.Load(parsed.GetValue(policy)!, options.Policy);
            var prompts = texts.Length > 0 ? Array.ConvertAll(texts, text => Encode(loaded.Tokenizer, text)) : given;
            var ends = EndTokens.Load(loaded.Origin.Base, loaded.Config);
            var generated = new TokenGenerator(loaded.Model, options.Policy.Limits).Generate(loaded.Weights, prompts,
                new GenerationOptions(options.MostTokens, ends, parsed.GetValue(greedy) ? null : options.Sampling), cancellation: cancellation);
            foreach (var tokens in generated)
            {
                var text = loaded.Tokenizer.Decode(ends.Contains(tokens[^1]) ? tokens.AsSpan(0, tokens.Length - 1) : tokens, skipSpecial: true);
                Output.Line(parsed.GetValue(json) ? JsonSerializer.Serialize(new { ids = tokens, text }, Readable) : text);
            }
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }

    private static int[] Ids(string text) => Array.ConvertAll(text.Split([' ', ',', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries),
        word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw new UsageException($"--ids: '{Excerpt.Of(word)}' is no token id: write whole numbers, as in 1,403,407"));

    // An item never becomes the unknown token; a text may have words that do.
    private static int[] Encode(Tokenizer tokenizer, string text) => !tokenizer.IsOfItems || text.Length == 0 ? [.. tokenizer.Prefix, .. tokenizer.Encode(text)]
        : tokenizer.IdOf(text) is { } item ? [.. tokenizer.Prefix, item]
        : throw new InvalidDataException($"the item '{Excerpt.Of(text)}' is not in the policy's vocabulary: give one that is, or token ids with --ids");
}
