using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.App.Running;
using MassDpo.Learner.Checkpoints;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;
using static TorchSharp.torch;

namespace MassDpo.PipelineKit.Mutants;

/// <summary>Every reader of what comes from outside.</summary>
public static class MutatedInputs
{
    public static IReadOnlyList<Func<MutatedInput>> All { get; } =
        [() => new MutatedRecords(), () => new MutatedSafetensors(), () => new MutatedTokenizer(), () => new MutatedConfig(), () => new MutatedSettings(), () => new MutatedCheckpoint(),
            .. MutatedTopics.All];
}

internal sealed class MutatedSafetensors : MutatedFile
{
    private readonly byte[] _whole;
    private readonly byte[] _header;

    public MutatedSafetensors()
    {
        using var scope = NewDisposeScope();
        var stream = new MemoryStream();
        SafetensorsFile.Write(stream, new Dictionary<string, Tensor>
        {
            ["model.norm.weight"] = ones(3),
            ["b"] = zeros(2, 2, dtype: ScalarType.BFloat16),
            ["empty"] = zeros(0, dtype: ScalarType.Int64),
            ["one"] = tensor(5L),
        });
        _whole = stream.ToArray();
        _header = _whole[8..(8 + (int)BitConverter.ToInt64(_whole))];
    }

    public override string Name => "safetensors";

    // Half of them keep a prefix that fits, or the length of the header would be all that is ever tested.
    protected override byte[] MutantOf(int i)
    {
        if (i % 2 == 0)
            return Mutant(i, [_whole]);
        var header = Mutant(i, [_header]);
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. _whole[(8 + _header.Length)..]];
    }

    protected override string Read(byte[] mutant, int i)
    {
        try
        {
            using var stream = new MemoryStream(mutant);
            foreach (var read in SafetensorsFile.Read(stream, "x").Values)
                read.Dispose();
            return "valid";
        }
        catch (PolicyFormatException)
        {
            return "refused";
        }
    }
}

/// <summary>What is written to a file and loaded from there.</summary>
internal abstract class MutatedText(string file) : MutatedFile
{
    private readonly TempFolder _folder = new();

    protected abstract IReadOnlyList<byte[]> Whole { get; }

    public override void Dispose() => _folder.Dispose();

    protected override byte[] MutantOf(int i) => Mutant(i, Whole);

    protected override string Read(byte[] mutant, int i)
    {
        var path = _folder[file];
        File.WriteAllBytes(path, mutant);
        try
        {
            Load(path);
            return "valid";
        }
        catch (Exception e) when (e is PolicyFormatException or HoconException && e.Message.Length > 0)
        {
            return "refused";
        }
    }

    protected abstract void Load(string path);

    protected static byte[] Utf8(JsonNode json) => JsonSerializer.SerializeToUtf8Bytes(json);
}

internal sealed class MutatedTokenizer() : MutatedText("tokenizer.json")
{
    public override string Name => "tokenizer.json";

    protected override IReadOnlyList<byte[]> Whole { get; } =
    [
        Utf8(WordLevelTokenizer.Create(["the", "cat", "sat", "é"], splitsAtWhitespace: true).ToJson()),
        Utf8(WordLevelTokenizer.Create(["the cat", "x"], splitsAtWhitespace: false).ToJson()),
        Utf8(BpeTrainer.Train(["the cat sat on the cat", "the catalogue, 123 é"], 270).ToJson()),
    ];

    protected override void Load(string path)
    {
        var tokenizer = TokenizerFile.Load(path);
        // What was read works, or says of a text that it cannot be written in its vocabulary.
        foreach (var id in tokenizer.Encode("the cat sat é 12"))
            _ = tokenizer.TextOf(id);
        tokenizer.ToJson().ToJsonString();
    }
}

internal sealed class MutatedConfig() : MutatedText("config.json")
{
    public override string Name => "config.json";

    protected override IReadOnlyList<byte[]> Whole { get; } =
        [Utf8(MadePolicy.Config().ToJson()), Utf8((MadePolicy.Config() with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) }).ToJson())];

    protected override void Load(string path) => PolicyConfig.Load(path);
}

internal sealed class MutatedSettings() : MutatedText("settings.conf")
{
    public override string Name => "HOCON";

    protected override IReadOnlyList<byte[]> Whole { get; } =
    [
        .. new[]
        {
            """
            # all of the syntax
            learner { batch = 16, learning-rate = 1e-4, max-gradient-norm = ${?learner.none}0.5 }
            learner.beta = "0.2"
            selection.negatives = 3 // a comment
            akka { loggers = [a, "b"], loggers += c, roles = ${akka.loggers} [d]
              text = \"\"\"three "quotes" \"\"\" , size = 4 MiB }
            include "absent.conf"
            slots.lease = 60s
            """,
            """{"learner": {"beta": 0.1, "batch": 32}, "selection": {"method": "mass"}, "ingest": {"max-record-bytes": "16 MiB", "shuffle": 100}}""",
            """
            akka { base = { a = 1, b = [1, 2, ${?X}] }, more = ${akka.base} { c = ${akka.base.b} } }
            slots { max-staleness = 1, lease = 2 minutes }
            """,
        }.Select(text => Encoding.UTF8.GetBytes(text.Replace("\\\"", "\""))),
    ];

    protected override void Load(string path)
    {
        // The language alone, then as settings of a run.
        HoconDocument.Load(path).Resolve();
        RunOptions.From(EffectiveSettings.Load(path, [], [], []));
    }
}

/// <summary>One of a checkpoint's files is changed; in half of them the manifest says that it has to be so.</summary>
internal sealed class MutatedCheckpoint : MutatedFile
{
    private readonly TempFolder _folder = new();
    private readonly Dictionary<string, byte[]> _files;
    private readonly string _path;

    public MutatedCheckpoint()
    {
        var settled = new SettledPositions();
        foreach (var index in new long[] { 0, 1, 2, 5, 9 })
            settled.Add(new Position("data", 0, index));
        settled.EndPass("data", 0, 12);
        var state = new CheckpointState(3, 2, 3, settled, new Dictionary<string, LogMark> { ["updates.jsonl"] = new(17, ContentHash.Of("u")) }, new RunCounts(4, 1, 0, 0, 1.5),
            new SortedDictionary<long, long> { [0] = 3, [1] = 1 }, new RunIdentity(new Dictionary<string, string> { ["learner.beta"] = "0.1" }), "hash");
        using var scope = NewDisposeScope();
        var tensors = new Dictionary<string, Tensor> { ["a"] = ones(3, 2), ["b"] = zeros(4) };
        _path = _folder["checkpoints", new CheckpointStore(_folder["checkpoints"], PhysicalFiles.Instance, keep: 2).Write(state, tensors, tensors).ToString()];
        _files = Directory.GetFiles(_path).Order(StringComparer.Ordinal).ToDictionary(file => Path.GetFileName(file)!, File.ReadAllBytes);
    }

    public override string Name => "checkpoints";

    public override void Dispose() => _folder.Dispose();

    protected override byte[] MutantOf(int i) => Mutant(i, [_files[Target(i)]]);

    protected override string Read(byte[] mutant, int i)
    {
        Directory.Delete(_folder["checkpoints"], recursive: true);
        Directory.CreateDirectory(_path);
        foreach (var (name, bytes) in _files)
            File.WriteAllBytes(Path.Combine(_path, name), name == Target(i) ? mutant : bytes);
        if (Target(i) != "manifest.json" && i / _files.Count % 2 == 0)
        {
            var manifest = JsonNode.Parse(_files["manifest.json"])!;
            manifest[Target(i)] = new JsonObject { ["bytes"] = mutant.Length, ["hash"] = ContentHash.Of(mutant) };
            File.WriteAllText(Path.Combine(_path, "manifest.json"), manifest.ToJsonString());
        }
        var reasons = new List<string>();
        try
        {
            using var checkpoint = new CheckpointStore(_folder["checkpoints"], PhysicalFiles.Instance, keep: 2).LoadNewest((_, reason) => reasons.Add(reason));
            return checkpoint is not null ? "valid" : throw new InvalidOperationException("passed over without a word");
        }
        catch (InvalidDataException) when (reasons is [{ Length: > 0 }])
        {
            // There is no other one to go on from.
            return "refused";
        }
    }

    private string Target(int i) => _files.Keys.ElementAt(i % _files.Count);
}
