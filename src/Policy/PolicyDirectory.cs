using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using static TorchSharp.torch;

namespace MassDpo.Policy;

/// <summary>
/// A policy as a directory in Hugging Face layout: <c>config.json</c>, <c>tokenizer.json</c>, and <c>model.safetensors</c> or its shards with
/// <c>model.safetensors.index.json</c>. What other loaders read besides goes with it: <c>tokenizer_config.json</c>, <c>chat_template.jinja</c>,
/// <c>generation_config.json</c>.
/// </summary>
public static class PolicyDirectory
{
    private const string Config = "config.json";
    private const string TokenizerName = "tokenizer.json";
    private const string Weights = "model.safetensors";
    private const string Index = "model.safetensors.index.json";
    private const string TokenizerConfig = "tokenizer_config.json";

    // Carried along as they are.
    private static readonly string[] Companions = [TokenizerConfig, "chat_template.jinja", "generation_config.json"];

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="PolicyFormatException">no directory, no or bad <c>config.json</c>, or an architecture that is not supported</exception>
    public static PolicyConfig LoadConfig(string directory)
    {
        if (!Directory.Exists(directory))
            throw new PolicyFormatException(
                $"{directory} is no directory: a policy is a directory in Hugging Face layout; `massdpo sft` makes a small one");
        return PolicyConfig.Load(Path.Combine(directory, Config));
    }

    /// <exception cref="PolicyFormatException">no or bad <c>tokenizer.json</c>, or more tokens than <paramref name="config"/> holds</exception>
    public static Tokenizer LoadTokenizer(string directory, PolicyConfig config)
    {
        var tokenizer = TokenizerFile.Load(Path.Combine(directory, TokenizerName));
        return tokenizer.VocabularySize <= config.VocabularySize ? tokenizer : throw new PolicyFormatException(
            $"{directory}: the tokenizer has {tokenizer.VocabularySize} tokens, but config.json a vocabulary of {config.VocabularySize}");
    }

    /// <exception cref="PolicyFormatException">weights are missing, malformed, or not those of <paramref name="config"/></exception>
    public static PolicyWeights LoadWeights(string directory, PolicyConfig config)
    {
        var whole = Path.Combine(directory, Weights);
        if (File.Exists(whole))
            return PolicyWeights.From(config, SafetensorsFile.Read(whole), whole);
        var index = Path.Combine(directory, Index);
        if (!File.Exists(index))
            throw new PolicyFormatException($"{directory} has neither {Weights} nor {Index}; other forms of weights (pickle) are never read");
        return PolicyWeights.From(config, ReadShards(directory, index), index);
    }

    /// <summary>What a policy is, by content: its weights, and the two files that say what they mean.</summary>
    public static string IdentityOf(string directory, PolicyWeights weights)
    {
        return $"weights {weights.ComputeHash()[..16]}, config {HashOf(Config)}, tokenizer {HashOf(TokenizerName)}";

        string HashOf(string name) => ContentHash.Of(File.ReadAllBytes(Path.Combine(directory, name)))[..16];
    }

    /// <summary>Makes sure that writing a policy to a directory would lose nothing but a policy.</summary>
    /// <exception cref="PolicyFormatException">it holds something else</exception>
    public static void CheckReplaceable(string directory)
    {
        if (File.Exists(directory))
            throw new PolicyFormatException($"{directory} is a file: name a directory to write the policy to");
        if (!Directory.Exists(directory))
            return;
        var others = Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path))
            .Except([Config, TokenizerName, Weights, .. Companions], StringComparer.Ordinal).ToList();
        if (others.Count > 0)
            throw new PolicyFormatException(
                $"{directory} holds '{others[0]}', which is no part of a policy: writing one there would delete it. Name another directory");
    }

    /// <summary>Writes a whole policy aside and moves it into place: what is at <paramref name="directory"/> is never a part of one.</summary>
    public static void Save(string directory, PolicyConfig config, Tokenizer tokenizer, PolicyWeights weights) =>
        Save(directory, PhysicalFiles.Instance, weights,
        [
            (Config, JsonSerializer.SerializeToUtf8Bytes(config.ToJson(), Readable)),
            (TokenizerName, JsonSerializer.SerializeToUtf8Bytes(tokenizer.ToJson(), Readable)),
            (TokenizerConfig, JsonSerializer.SerializeToUtf8Bytes(TokenizerConfigOf(config, tokenizer), Readable)),
        ]);

    /// <summary>The same with the config and tokenizer of another directory, byte for byte: training changes neither.</summary>
    public static void SaveLike(string original, string directory, IFiles files, PolicyWeights weights) =>
        Save(directory, files, weights, [.. new[] { Config, TokenizerName }
            .Concat(Companions.Where(name => File.Exists(Path.Combine(original, name))))
            .Select(name => (name, File.ReadAllBytes(Path.Combine(original, name))))]);

    private static void Save(string directory, IFiles files, PolicyWeights weights, IReadOnlyList<(string Name, byte[] Content)> others)
    {
        directory = directory.TrimEnd(Path.DirectorySeparatorChar);
        var (aside, replaced) = (directory + ".writing", directory + ".replaced");
        DeleteIfThere(aside);
        files.CreateFolder(aside);
        foreach (var (name, content) in others)
            WriteFile(files, Path.Combine(aside, name), stream => stream.Write(content));
        WriteFile(files, Path.Combine(aside, Weights), stream => SafetensorsFile.Write(stream, weights.Tensors));
        files.SyncFolder(aside);
        // Deleting takes many steps: whoever looks in between, or after a crash, finds one whole policy or, between two renames, none.
        if (files.FolderExists(directory))
        {
            DeleteIfThere(replaced);
            files.Rename(directory, replaced);
        }
        files.Rename(aside, directory);
        DeleteIfThere(replaced);

        void DeleteIfThere(string folder)
        {
            if (files.FolderExists(folder))
                files.DeleteFolder(folder);
        }
    }

    // What transformers' loader wants besides tokenizer.json. Its own default would take spaces out of decoded texts.
    private static JsonObject TokenizerConfigOf(PolicyConfig config, Tokenizer tokenizer)
    {
        var json = new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["clean_up_tokenization_spaces"] = false };
        if (config.BosTokenId is { } bos)
            json["bos_token"] = tokenizer.TextOf(bos);
        if (config.EosTokenId is { } eos)
            json["eos_token"] = tokenizer.TextOf(eos);
        if (tokenizer.UnknownToken is { } unknown)
            json["unk_token"] = unknown;
        json["model_max_length"] = config.MaxPositions;
        return json;
    }

    private static void WriteFile(IFiles files, string path, Action<Stream> write)
    {
        using var stream = files.Create(path);
        write(stream);
        files.Sync(stream);
    }

    private static Dictionary<string, Tensor> ReadShards(string directory, string index)
    {
        var shardOf = ReadIndex(index);
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                if (shard.Length == 0 || Path.GetFileName(shard) != shard)
                    throw new PolicyFormatException($"{index}: shard '{shard}' is not a plain file name");
                var path = Path.Combine(directory, shard);
                if (!File.Exists(path))
                    throw new PolicyFormatException($"{index} names {shard}, which does not exist");
                var held = SafetensorsFile.Read(path);
                if (held.Keys.FirstOrDefault(name => shardOf.GetValueOrDefault(name) != shard) is { } foreign)
                {
                    Free(held);
                    throw new PolicyFormatException($"{path} holds tensor '{foreign}', which {Path.GetFileName(index)} does not place there");
                }
                foreach (var (name, tensor) in held)
                    tensors[name] = tensor;
            }
            if (shardOf.Keys.FirstOrDefault(name => !tensors.ContainsKey(name)) is { } lacking)
                throw new PolicyFormatException($"{index} places tensor '{lacking}' in {shardOf[lacking]}, which lacks it");
            return tensors;
        }
        catch
        {
            Free(tensors);
            throw;
        }

        static void Free(Dictionary<string, Tensor> tensors)
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    // Which shard holds which tensor.
    private static Dictionary<string, string> ReadIndex(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file), new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(place => place.Name, Shard, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new PolicyFormatException($"{file}: malformed: {e.Message}", e);
        }

        string Shard(JsonProperty place) => place.Value.GetString() ?? throw new PolicyFormatException($"{file}: tensor '{place.Name}' has no shard");
    }
}
