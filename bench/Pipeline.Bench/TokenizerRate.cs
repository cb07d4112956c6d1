using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Pipeline.Bench;

/// <summary>Text to tokens alone, on one thread: the prompts and candidates of records, each text by itself.</summary>
internal static class TokenizerRate
{
    /// <param name="data">records</param>
    /// <param name="rounds">with a tokenizer that is loaded anew, so that it has no word in mind when it begins</param>
    /// <param name="tokenizers">name=path of a tokenizer.json, or of a folder with vocab.json and merges.txt</param>
    /// <param name="print">told of each tokenizer</param>
    public static async Task RunAsync(string data, int rounds, IReadOnlyList<string> tokenizers, Action<object> print)
    {
        var texts = new List<string>();
        await using (var source = new FileSource([data], new FileSourceOptions(ShuffleOrder.None, 1, 1, 0, 1 << 24)))
        {
            await foreach (var entry in source.ReadAsync(new SettledPositions(), CancellationToken.None))
            {
                if (entry is not SourceEntry.Bytes line)
                    continue;
                var record = RecordParser.Parse(line.Json.Span);
                texts.AddRange([record.Prompt.Text, .. record.Prompt.Items, .. record.Prompt.Messages.Select(message => message.Content), .. record.Candidates]);
            }
        }
        var megabytes = texts.Sum(text => (double)Encoding.UTF8.GetByteCount(text)) / 1e6;
        foreach (var named in tokenizers.Select(argument => argument.Split('=', 2)))
        {
            var json = TokenizerJson(named[1]);
            var (first, again, tokens) = (new List<double>(), new List<double>(), 0L);
            // The first round is a warm-up.
            for (var round = 0; round <= rounds; round++)
            {
                var tokenizer = Load(json);
                var cold = Pass(tokenizer, texts, out tokens);
                var warm = Pass(tokenizer, texts, out _);
                if (round == 0)
                    continue;
                first.Add(megabytes / cold);
                again.Add(megabytes / warm);
            }
            print(new { tokenizer = named[0], megabytes, tokens, mb_per_s = Median(first), slowest = first.Min(), mb_per_s_again = Median(again) });
        }
    }

    private static double Pass(Tokenizer tokenizer, List<string> texts, out long tokens)
    {
        tokens = 0;
        var start = Stopwatch.GetTimestamp();
        foreach (var text in texts)
            tokens += tokenizer.Encode(text).Length;
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Tokenizer Load(string json)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, json);
            return TokenizerFile.Load(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string TokenizerJson(string path)
    {
        if (File.Exists(path))
            return File.ReadAllText(path);
        // GPT-2's older form of two files.
        JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false };
        return new JsonObject
        {
            ["pre_tokenizer"] = ByteLevel(),
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = JsonNode.Parse(File.ReadAllText(Path.Combine(path, "vocab.json"))),
                ["merges"] = new JsonArray([.. File.ReadLines(Path.Combine(path, "merges.txt"))
                    .Where(line => line.Length > 0 && !line.StartsWith("#version", StringComparison.Ordinal)).Select(line => (JsonNode)line)]),
            },
        }.ToJsonString();
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
