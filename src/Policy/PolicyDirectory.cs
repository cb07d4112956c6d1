using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Tokenizers;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

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

    // What config.json calls the type of the weights, in either form.
    private static readonly string[] TypeFields = ["dtype", "torch_dtype"];
    private const string Float32 = "float32";

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
    public static PolicyWeights LoadWeights(string directory, PolicyConfig config, Placement? placement = null)
    {
        var (whole, index) = (Path.Combine(directory, Weights), Path.Combine(directory, Index));
        if (!File.Exists(whole) && !File.Exists(index))
            throw new PolicyFormatException($"{directory} has neither {Weights} nor {Index}; other forms of weights (pickle) are never read");
        using var tensors = File.Exists(whole) ? MappedTensors.Open(whole) : MappedTensors.OpenShards(index);
        return PolicyWeights.Load(config, tensors, placement);
    }

    /// <summary>What a policy is, by content: the hash of its weights, and the two files that say what they mean.</summary>
    public static string IdentityOf(string directory, string weightsHash) =>
        $"weights {weightsHash[..16]}, config {ConfigHashOf(directory)}, tokenizer {HashOf(directory, TokenizerName)}";

    /// <summary>Which architecture weights are taken for: hash of config.json.</summary>
    public static string ConfigHashOf(string directory) => HashOf(directory, Config);

    private static string HashOf(string directory, string name) => ContentHash.Of(File.ReadAllBytes(Path.Combine(directory, name)))[..16];

    /// <summary>Makes sure that writing a policy to a directory would lose nothing but a policy.</summary>
    /// <exception cref="PolicyFormatException">it holds something else</exception>
    public static void CheckReplaceable(string directory)
    {
        if (File.Exists(directory))
            throw new PolicyFormatException($"{directory} is a file: name a directory to write the policy to");
        if (!Directory.Exists(directory))
            return;
        var others = Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path))
            .Except([Config, TokenizerName, Weights, PeftDirectory.Config, PeftDirectory.Weights, .. Companions], StringComparer.Ordinal).ToList();
        if (others.Count > 0)
            throw new PolicyFormatException(
                $"{directory} holds '{others[0]}', which is no part of a policy: writing one there would delete it. Name another directory");
    }

    /// <summary>Writes a whole policy aside and moves it into place: what is at <paramref name="directory"/> is never a part of one.</summary>
    public static void Save(string directory, PolicyConfig config, Tokenizer tokenizer, PolicyWeights weights) =>
        Save(directory, PhysicalFiles.Instance, Weights, weights,
        [
            (Config, Json(config.ToJson())),
            (TokenizerName, Json(tokenizer.ToJson())),
            (TokenizerConfig, Json(TokenizerConfigOf(config, tokenizer))),
        ]);

    /// <summary>
    /// The same with the config and tokenizer that the policy was found with, byte for byte: training changes neither, but for the type of the weights that
    /// the config names, which is float32 now. Of weights with an adapter that alone is written, as a PEFT directory that names its base.
    /// </summary>
    public static void SaveLike(PolicyOrigin original, string directory, IFiles files, PolicyWeights weights)
    {
        if (weights.Lora is { } lora)
            Save(directory, files, PeftDirectory.Weights, weights, [(PeftDirectory.Config, AdapterConfig(original, lora))]);
        else
            Save(directory, files, Weights, weights, [.. new[] { Config, TokenizerName }
                .Concat(Companions.Where(name => File.Exists(Path.Combine(original.Base, name))))
                .Select(name => (name, name == Config ? ConfigOfFloat32(Path.Combine(original.Base, name)) : File.ReadAllBytes(Path.Combine(original.Base, name))))]);
    }

    // Loaders that go by the type in the config would round weights that were bfloat16 before they were trained.
    private static byte[] ConfigOfFloat32(string file)
    {
        var found = File.ReadAllBytes(file);
        using (var read = JsonDocument.Parse(new MemoryStream(found)))
            if (!Array.Exists(TypeFields, name => read.RootElement.TryGetProperty(name, out var type) && type.ValueKind == JsonValueKind.String && !type.ValueEquals(Float32)))
                return found;
        var json = JsonNode.Parse(new MemoryStream(found))!.AsObject();
        foreach (var name in TypeFields.Where(json.ContainsKey))
            json[name] = Float32;
        return Json(json);
    }

    // What an adapter came with stays, whoever wrote it; where its base lies is said anew.
    private static byte[] AdapterConfig(PolicyOrigin original, LoraOptions lora)
    {
        var whole = PeftConfig.ToJson(lora, Path.GetFullPath(original.Base));
        if (original.Adapter is { } adapter)
        {
            var found = JsonNode.Parse(File.ReadAllBytes(Path.Combine(adapter, PeftDirectory.Config)))!.AsObject();
            found["base_model_name_or_path"] = whole["base_model_name_or_path"]!.DeepClone();
            whole = found;
        }
        return Json(whole);
    }

    private static byte[] Json(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json, Readable);

    private static void Save(string directory, IFiles files, string weightsName, PolicyWeights weights, IReadOnlyList<(string Name, byte[] Content)> others)
    {
        directory = directory.TrimEnd(Path.DirectorySeparatorChar);
        var (aside, replaced) = (directory + ".writing", directory + ".replaced");
        DeleteIfThere(aside);
        files.CreateFolder(aside);
        foreach (var (name, content) in others)
            WriteFile(files, Path.Combine(aside, name), stream => stream.Write(content));
        WriteFile(files, Path.Combine(aside, weightsName), stream => SafetensorsFile.Write(stream, weights.Tensors));
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
}
