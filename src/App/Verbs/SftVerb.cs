using System.CommandLine;
using System.Globalization;
using MassDpo.App.Evaluation;
using MassDpo.App.Sft;
using MassDpo.App.Terminal;

namespace MassDpo.App.Verbs;

/// <summary><c>massdpo sft</c>: a small policy from scratch.</summary>
internal static class SftVerb
{
    public static Command Create()
    {
        var command = new Command("sft", "Trains a small Llama policy from scratch by next-token prediction on prompts and preferred responses.").WithDetails("""
            It is written in Hugging Face layout. The vocabulary is made of the data: one token per item where prompts are histories, one per word where they are
            texts. It covers prompts, chosen and rejected responses, and --items. With --tokenizer bpe a byte-level BPE of --vocabulary tokens is learnt from the
            same texts, each once; items of histories are then texts of several tokens, each ended by the end token. With --epochs 0 the policy is written
            as it starts.

            Examples:
              massdpo sft --data train.jsonl.gz --policy start --config hocon/lastfm.conf --eval val.jsonl.gz
              massdpo sft --data train.jsonl.gz --policy cold --items items.csv --epochs 0
              massdpo sft --data train.jsonl.gz --policy titles --config hocon/lastfm-text.conf --tokenizer bpe --vocabulary 1000
            """);
        var data = DataOption.Data();
        var policy = DataOption.Policy("Directory to write the policy to.");
        var items = new Option<string?>("--items")
        {
            Description = "More items, words or texts for the vocabulary: a .csv file with a column title, item or name, or a text with one a line.",
            HelpName = "FILE",
        };
        var evaluation = DataOption.Evaluation("Records by which the best half-epoch is kept, by HR@1. Without it the last weights are.");
        foreach (var option in new Option[] { data, policy, items, evaluation })
            command.Options.Add(option);
        var settings = new SettingOptions(command,
            ("--tokenizer", "sft.tokenizer", "KIND", "What tokens are: items, words, bpe, or auto, items for histories and words for texts."),
            ("--vocabulary", "sft.vocabulary", "N", "Tokens of a BPE, special ones and bytes among them."),
            ("--layers", "sft.layers", "N", "Layers."),
            ("--hidden", "sft.hidden", "N", "Width of the hidden states."),
            ("--heads", "sft.heads", "N", "Attention heads."),
            ("--epochs", "sft.epochs", "N", "Passes over the data."),
            ("--learning-rate", "sft.learning-rate", "RATE", "Learning rate after the warm-up."),
            ("--threads", "runtime.threads", "N", "Threads inside one tensor operation."),
            ("--seed", "runtime.seed", "N", "Of everything that is drawn at random."));
        command.SetAction(async (parsed, cancellation) =>
        {
            var effective = settings.Read(parsed);
            var request = new SftRequest(parsed.GetValue(data)!, parsed.GetValue(policy)!, parsed.GetValue(items), parsed.GetValue(evaluation),
                SftJobOptions.From(effective), EvaluationOptions.From(effective));
            var result = await SftJob.RunAsync(request, progress => Output.ErrorLine(string.Create(CultureInfo.InvariantCulture,
                $"epoch {progress.Epoch:F1} · step {progress.Step:N0} · loss {progress.Loss:F3}{(progress.HitRate1 is { } rate ? $" · HR@1 {100 * rate:F1}%" : "")}")), cancellation);
            foreach (var note in result.Notes)
                Output.Line($"note: {note}");
            Output.Line(string.Create(CultureInfo.InvariantCulture,
                $"{result.Parameters:N0} parameters, a vocabulary of {result.Vocabulary:N0}, {result.Records:N0} records, {result.Steps:N0} updates in {result.Seconds:F1} s"
                + $"{(result.BestHitRate1 is { } best ? $"; kept the weights after update {result.BestStep:N0}, HR@1 {100 * best:F1} %" : "")}."));
            Output.Line($"The policy is in {request.Policy}.");
            // There is a policy, but not the one that was asked for.
            cancellation.ThrowIfCancellationRequested();
            return ExitCode.Done;
        });
        return command;
    }
}
