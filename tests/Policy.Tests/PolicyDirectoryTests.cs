using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Policy.Model;
using MassDpo.Policy.Safetensors;
using MassDpo.Policy.Tokenizers;
using MassDpo.Policy.Tests.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Files;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using MassDpo.TestKit.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests;

public sealed class PolicyDirectoryTests
{
    private static readonly PolicyConfig Config = MadePolicy.Config(tied: false);

    private static string Hash(string directory)
    {
        using var weights = PolicyDirectory.LoadWeights(directory, PolicyDirectory.LoadConfig(directory));
        return weights.ComputeHash();
    }

    private static string Told(Action refused) => Assert.Throws<PolicyFormatException>(refused).Message;

    // What is refused leaves no tensor behind.
    private static string Refusal(string directory, PolicyConfig? config = null)
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var message = Assert.Throws<PolicyFormatException>(() => PolicyDirectory.LoadWeights(directory, config ?? Config)).Message;
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        return message;
    }

    private static void WriteTensors(string file, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        using var stream = File.Create(file);
        SafetensorsFile.Write(stream, tensors);
    }

    private static string Made(TempFolder folder, Action<Dictionary<string, Tensor>> change)
    {
        using var weights = MadePolicy.Weights(Config);
        using var scope = NewDisposeScope();
        var tensors = weights.Tensors.ToDictionary();
        change(tensors);
        WriteTensors(folder["model.safetensors"], tensors);
        return folder.Path;
    }

    /// <summary>A policy in two shards: the embedding and norms, and the rest.</summary>
    private static string Sharded(TempFolder folder, Action<JsonObject>? changeIndex = null)
    {
        using var weights = MadePolicy.Weights(Config);
        var places = weights.Tensors.Keys.ToDictionary(name => name, name => name.EndsWith("proj.weight", StringComparison.Ordinal)
            || name.StartsWith("lm_head", StringComparison.Ordinal) ? "two.safetensors" : "one.safetensors");
        foreach (var shard in places.Values.Distinct())
            WriteTensors(folder[shard], weights.Tensors.Where(t => places[t.Key] == shard));
        var index = new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = JsonSerializer.SerializeToNode(places) };
        changeIndex?.Invoke(index["weight_map"]!.AsObject());
        folder.Write("model.safetensors.index.json", index.ToJsonString());
        return folder.Path;
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void A_policy_that_is_saved_is_loaded_the_same(bool tied, bool splits)
    {
        using var folder = new TempFolder();
        var config = MadePolicy.Config(vocabulary: 60, tied: tied);
        using var weights = MadePolicy.Weights(config, seed: 5);
        var tokenizer = WordLevelTokenizer.Create(["Júpiter Maçã", "\"<b>\"", "a b"], splits);
        PolicyDirectory.Save(folder["policy"], config, tokenizer, weights);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], PhysicalFiles.Instance.List(folder["policy"]));
        Assert.Equal(config, PolicyDirectory.LoadConfig(folder["policy"]));
        Assert.Equal(weights.ComputeHash(), Hash(folder["policy"]));
        var loaded = PolicyDirectory.LoadTokenizer(folder["policy"], config);
        Assert.Equal((tokenizer.VocabularySize, 3), (loaded.VocabularySize, loaded.IdOf("Júpiter Maçã")));
        Assert.Contains("Júpiter Maçã", File.ReadAllText(Path.Combine(folder["policy"], "tokenizer.json")));
        Assert.Equal(["policy"], PhysicalFiles.Instance.List(folder.Path));
    }

    [Fact]
    public void Saving_replaces_the_whole_policy_and_what_an_earlier_try_left()
    {
        using var folder = new TempFolder();
        MadePolicy.Write(folder["policy"], Config, seed: 1);
        folder.Write("policy.writing/model.safetensors", "half");
        folder.Write("policy.writing/stray", "x");
        // With the separator at its end the path is the same.
        using var weights = MadePolicy.Weights(Config, seed: 2);
        var tokenizer = WordLevelTokenizer.Create([], splitsAtWhitespace: false);
        PolicyDirectory.Save(folder["policy"] + Path.DirectorySeparatorChar, Config, tokenizer, weights);
        Assert.Equal(weights.ComputeHash(), Hash(folder["policy"]));
        Assert.Equal(3, PolicyDirectory.LoadTokenizer(folder["policy"], Config).VocabularySize);
        Assert.Equal(["policy"], PhysicalFiles.Instance.List(folder.Path));
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"], PhysicalFiles.Instance.List(folder["policy"]));
    }

    [Fact]
    public void Wherever_replacing_a_policy_is_cut_off_a_whole_one_is_there_or_none_and_the_next_time_it_works()
    {
        using var old = MadePolicy.Weights(Config, seed: 1);
        using var trained = MadePolicy.Weights(Config, seed: 2);
        var found = new HashSet<string>();
        for (var step = 1; ; step++)
        {
            using var folder = new TempFolder();
            MadePolicy.Write(folder["original"], Config, seed: 1);
            var files = new FaultyFiles();
            PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], files, old);
            files.FailAt(step, Fault.Crash);
            var failure = Record.Exception(() => PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], files, trained));
            if (Directory.Exists(folder["result"]))
                Assert.Contains(Hash(folder["result"]), new[] { old.ComputeHash(), trained.ComputeHash() });
            found.Add(Directory.Exists(folder["result"]) ? Hash(folder["result"]) : "none");
            files.Mend();
            PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], files, trained);
            Assert.Equal(trained.ComputeHash(), Hash(folder["result"]));
            Assert.Equal(["original", "result"], PhysicalFiles.Instance.List(folder.Path));
            if (failure is null)
                break;
        }
        Assert.Equal(new HashSet<string> { old.ComputeHash(), trained.ComputeHash(), "none" }, found);
    }

    [Fact]
    public void Config_and_tokenizer_of_another_policy_are_kept_byte_for_byte()
    {
        using var folder = new TempFolder();
        MadePolicy.Write(folder["original"], Config, seed: 1);
        folder.Write("original/generation_config.json", "{}");
        string[] kept = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"];
        foreach (var name in kept)
        {
            var file = Path.Combine(folder["original"], name);
            // A byte order mark, spaces and fields of others: none of them is this program's to change.
            File.WriteAllBytes(file, [0xEF, 0xBB, 0xBF, .. "\n  "u8, .. File.ReadAllBytes(file), .. "\r\n"u8]);
        }
        using var trained = MadePolicy.Weights(Config, seed: 2);
        PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], PhysicalFiles.Instance, trained);
        foreach (var name in kept)
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder["original"], name)), File.ReadAllBytes(Path.Combine(folder["result"], name)));
        using var weights = PolicyDirectory.LoadWeights(folder["result"], Config);
        Assert.Equal(trained.ComputeHash(), weights.ComputeHash());
        // What is not there is not made up, and what goes with a policy may be replaced with it.
        PolicyDirectory.CheckReplaceable(folder["result"]);
        File.Delete(folder["original", "tokenizer_config.json"]);
        PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], PhysicalFiles.Instance, trained);
        Assert.False(File.Exists(folder["result", "tokenizer_config.json"]));
    }

    [Theory]
    [InlineData("dtype")]
    [InlineData("torch_dtype")]
    public void Weights_that_were_of_another_type_are_said_to_be_float32_now(string field)
    {
        using var folder = new TempFolder();
        MadePolicy.Write(folder["original"], Config, seed: 1);
        var json = JsonNode.Parse(File.ReadAllText(folder["original", "config.json"]))!.AsObject();
        json.Remove("dtype");
        json.Remove("torch_dtype");
        json[field] = "bfloat16";
        json["of_others"] = new JsonArray(1, 2);
        folder.Write("original/config.json", json.ToJsonString());
        using var trained = MadePolicy.Weights(Config, seed: 2);
        PolicyDirectory.SaveLike(new PolicyOrigin(folder["original"]), folder["result"], PhysicalFiles.Instance, trained);
        json[field] = "float32";
        Assert.Equal(json.ToJsonString(), JsonNode.Parse(File.ReadAllText(folder["result", "config.json"]))!.ToJsonString());
        Assert.Equal(trained.ComputeHash(), Hash(folder["result"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Other_loaders_are_told_the_special_tokens_and_the_length(bool bpe)
    {
        using var folder = new TempFolder();
        Tokenizer tokenizer = bpe ? BpeTrainer.Train(["the cat"], 270) : WordLevelTokenizer.Create(["the", "cat"], splitsAtWhitespace: true);
        var config = MadePolicy.Config(vocabulary: tokenizer.VocabularySize, positions: 24);
        using var weights = MadePolicy.Weights(config);
        PolicyDirectory.Save(folder["policy"], config, tokenizer, weights);
        var expected = new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast", ["clean_up_tokenization_spaces"] = false, ["bos_token"] = "<s>", ["eos_token"] = "</s>" };
        if (!bpe)
            expected["unk_token"] = "<unk>";
        expected["model_max_length"] = 24;
        Assert.Equal(expected.ToJsonString(), JsonNode.Parse(File.ReadAllText(folder["policy", "tokenizer_config.json"]))!.ToJsonString());
        Assert.Equal(tokenizer.Encode("the cat"), PolicyDirectory.LoadTokenizer(folder["policy"], config).Encode("the cat"));
    }

    [Fact]
    public void Only_a_policy_or_nothing_may_be_replaced()
    {
        using var folder = new TempFolder();
        PolicyDirectory.CheckReplaceable(folder["absent"]);
        Directory.CreateDirectory(folder["empty"]);
        PolicyDirectory.CheckReplaceable(folder["empty"]);
        MadePolicy.Write(folder["policy"], Config);
        PolicyDirectory.CheckReplaceable(folder["policy"]);
        foreach (var stranger in new[] { "notes.txt", "model-00001-of-00002.safetensors", "sub/file", ".git/HEAD" })
        {
            var there = folder.Write($"other-{stranger.Length}/{stranger}", "x");
            folder.Write($"other-{stranger.Length}/config.json", "{}");
            var message = Told(() => PolicyDirectory.CheckReplaceable(folder[$"other-{stranger.Length}"]));
            Assert.Contains($"'{stranger.Split('/')[0]}'", message);
            Assert.Contains("Name another directory", message);
            Assert.True(File.Exists(there));
        }
        Assert.Contains("is a file", Told(() => PolicyDirectory.CheckReplaceable(folder.Write("file", "x"))));
    }

    [Fact]
    public void What_is_missing_is_named_with_what_should_be_there()
    {
        using var folder = new TempFolder();
        Assert.Contains($"{folder["absent"]} is no directory", Told(() => PolicyDirectory.LoadConfig(folder["absent"])));
        Assert.Contains(folder["config.json"], Told(() => PolicyDirectory.LoadConfig(folder.Path)));
        Assert.Contains(folder["tokenizer.json"], Told(() => PolicyDirectory.LoadTokenizer(folder.Path, Config)));
        folder.Write("pytorch_model.bin", "pickle");
        var message = Refusal(folder.Path);
        foreach (var part in new[] { folder.Path, "model.safetensors", "model.safetensors.index.json", "pickle" })
            Assert.Contains(part, message);
    }

    [Fact]
    public void A_tokenizer_with_more_tokens_than_the_vocabulary_is_refused()
    {
        using var folder = new TempFolder();
        folder.Write("tokenizer.json", WordLevelTokenizerTests.Numbered(50).ToJson().ToJsonString());
        Assert.Equal(50, PolicyDirectory.LoadTokenizer(folder.Path, Config with { VocabularySize = 50 }).VocabularySize);
        var message = Told(() => PolicyDirectory.LoadTokenizer(folder.Path, Config with { VocabularySize = 49 }));
        Assert.Contains("50 tokens", message);
        Assert.Contains("vocabulary of 49", message);
    }

    [Fact]
    public void A_tensor_that_is_missing_unknown_or_of_another_shape_is_named()
    {
        using var folder = new TempFolder();
        PolicyDirectory.LoadWeights(Made(folder, _ => { }), Config).Dispose();
        const string name = "model.layers.1.self_attn.k_proj.weight";
        Assert.Contains($"tensor '{name}' is missing", Message(Made(folder, tensors => tensors.Remove(name))));
        const string unknown = "model.layers.2.mlp.up_proj.weight";
        Assert.Contains($"tensor '{unknown}' is none", Message(Made(folder, tensors => tensors[unknown] = ones(1))));
        Assert.Contains("tensor 'lm_head.bias' is none", Message(Made(folder, tensors => tensors["lm_head.bias"] = ones(1))));
        var turned = Message(Made(folder, tensors => tensors[name] = tensors[name].transpose(0, 1)));
        Assert.Contains($"tensor '{name}' has shape [16, 8], config.json asks for [8, 16]", turned);
        Assert.Contains(folder["model.safetensors"], turned);
        Assert.Contains("tensor 'lm_head.weight' is missing", Message(Made(folder, tensors => tensors.Remove("lm_head.weight"))));
        // A tied policy may hold its output matrix too; it is the embedding all the same.
        using var tied = PolicyDirectory.LoadWeights(Made(folder, _ => { }), Config with { TiedEmbeddings = true });
        Assert.Same(tied.Embedding, tied.Output);

        static string Message(string directory) => Assert.Throws<PolicyFormatException>(() => PolicyDirectory.LoadWeights(directory, Config)).Message;
    }

    [Fact]
    public void Tensors_of_other_types_become_float32()
    {
        using var folder = new TempFolder();
        using var weights = PolicyDirectory.LoadWeights(Made(folder, tensors =>
        {
            foreach (var name in tensors.Keys.ToList())
                tensors[name] = tensors[name].to(name.Contains("layers.0", StringComparison.Ordinal) ? ScalarType.BFloat16 : ScalarType.Float64);
        }), Config);
        using var original = MadePolicy.Weights(Config);
        Assert.All(weights.Tensors.Values, tensor => Assert.Equal(ScalarType.Float32, tensor.dtype));
        Assert.Equal(original.FinalNorm.data<float>().ToArray(), weights.FinalNorm.data<float>().ToArray());
        Assert.Equal(original.Embedding.data<float>().ToArray(), weights.Embedding.data<float>().ToArray());
        using var rounded = original.Layers[0].Query.Weight.to(ScalarType.BFloat16).to(ScalarType.Float32);
        Assert.Equal(rounded.data<float>().ToArray(), weights.Layers[0].Query.Weight.data<float>().ToArray());
    }

    [Fact]
    public void A_policy_in_shards_is_the_same_as_a_whole_one_and_the_whole_file_goes_first()
    {
        using var folder = new TempFolder();
        using var original = MadePolicy.Weights(Config);
        using var weights = PolicyDirectory.LoadWeights(Sharded(folder), Config);
        Assert.Equal(original.ComputeHash(), weights.ComputeHash());
        using var other = MadePolicy.Weights(Config, seed: 2);
        WriteTensors(folder["model.safetensors"], other.Tensors);
        using var whole = PolicyDirectory.LoadWeights(folder.Path, Config);
        Assert.Equal(other.ComputeHash(), whole.ComputeHash());
    }

    [Fact]
    public void Shards_that_do_not_fit_their_index_are_refused()
    {
        using var folder = new TempFolder();
        Assert.Contains("tensor 'lm_head.weight'", Refusal(Sharded(folder, map => map["lm_head.weight"] = "one.safetensors")));
        var foreign = Refusal(Sharded(folder, map => map.Remove("lm_head.weight")));
        Assert.Contains(folder["two.safetensors"], foreign);
        Assert.Contains("'lm_head.weight', which model.safetensors.index.json does not place there", foreign);
        var lacking = Refusal(Sharded(folder, map => map["ghost"] = "two.safetensors"));
        Assert.Contains("places tensor 'ghost' in two.safetensors, which lacks it", lacking);
        Assert.Contains("names three.safetensors, which does not exist", Refusal(Sharded(folder, map => map["ghost"] = "three.safetensors")));
        Sharded(folder);
        File.Delete(folder["two.safetensors"]);
        Assert.Contains("names two.safetensors, which does not exist", Refusal(folder.Path));
        Sharded(folder);
        File.WriteAllBytes(folder["two.safetensors"], File.ReadAllBytes(folder["two.safetensors"])[..^1]);
        Assert.Contains(folder["two.safetensors"], Refusal(folder.Path));
    }

    [Theory]
    [InlineData("../one.safetensors")]
    [InlineData("sub/one.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    public void An_index_leads_nowhere_but_into_its_own_directory(string shard)
    {
        using var folder = new TempFolder();
        using (var weights = MadePolicy.Weights(Config))
        {
            // What it would lead to is there.
            Directory.CreateDirectory(folder["policy", "sub"]);
            WriteTensors(folder["one.safetensors"], weights.Tensors);
            WriteTensors(folder["policy", "sub", "one.safetensors"], weights.Tensors);
            var map = JsonSerializer.SerializeToNode(weights.Tensors.Keys.ToDictionary(name => name, _ => shard));
            folder.Write("policy/model.safetensors.index.json", new JsonObject { ["weight_map"] = map }.ToJsonString());
        }
        var message = Refusal(folder["policy"]);
        Assert.StartsWith(folder["policy", "model.safetensors.index.json"], message);
        Assert.Matches("is not a plain file name|does not exist", message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"weight_map\":[]}")]
    [InlineData("{\"weight_map\":{\"a\":7}}")]
    [InlineData("{\"weight_map\":{\"a\":null}}")]
    [InlineData("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}")]
    [InlineData("{\"weight_map\":{\"a\":\"\\ud800\"}}")]
    public void An_index_that_is_malformed_is_refused_by_name(string index)
    {
        using var folder = new TempFolder();
        folder.Write("model.safetensors.index.json", index);
        Assert.Contains(folder["model.safetensors.index.json"], Refusal(folder.Path));
    }

    [Fact]
    public void Whatever_is_done_to_an_index_the_policy_is_read_or_refused()
    {
        using var folder = new TempFolder();
        var whole = File.ReadAllBytes(Path.Combine(Sharded(folder), "model.safetensors.index.json"));
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var valid = 0;
        for (var i = 0; i < 1000; i++)
        {
            var random = new StableRandom(i, 0x1DE);
            var mutant = Mutations.Of(whole, ref random);
            File.WriteAllBytes(folder["model.safetensors.index.json"], mutant);
            try
            {
                PolicyDirectory.LoadWeights(folder.Path, Config).Dispose();
                valid++;
            }
            catch (PolicyFormatException)
            {
                // As it should be.
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{System.Text.Encoding.UTF8.GetString(mutant)}");
            }
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.InRange(valid, 10, 500);
    }

    [SharedDataFact("fixtures/hf")]
    public void A_policy_stored_in_bfloat16_is_loaded_saved_and_loaded_the_same()
    {
        using var folder = new TempFolder();
        var directory = SharedData.PathOf("fixtures/hf/smollm-bf16");
        var config = PolicyDirectory.LoadConfig(directory);
        using var weights = PolicyDirectory.LoadWeights(directory, config);
        Assert.All(weights.Tensors.Values, tensor => Assert.Equal(ScalarType.Float32, tensor.dtype));
        PolicyDirectory.Save(folder["policy"], config, WordLevelTokenizer.Create([], splitsAtWhitespace: false), weights);
        Assert.Equal(weights.ComputeHash(), Hash(folder["policy"]));
    }
}
