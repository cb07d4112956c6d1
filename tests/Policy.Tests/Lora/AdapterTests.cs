using MassDpo.Policy.Lora;
using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Lora;

public sealed class AdapterTests
{
    private static readonly PolicyConfig Config = MadePolicy.Config();
    private static readonly LoraOptions Options = new() { Rank = 3, Alpha = 6, Targets = ["q_proj", "v_proj", "down_proj"] };

    private static EncodedPool Pool()
    {
        var random = new StableRandom(5);
        return MadePolicy.Pool(ref random, Config.VocabularySize, candidates: 5, longestPrompt: 9, longestResponse: 4);
    }

    // Fresh ones add nothing: B is made something.
    private static PolicyWeights Moved(PolicyWeights fresh)
    {
        var moved = fresh.Copy();
        using var _ = no_grad();
        foreach (var (name, tensor) in moved.Tensors)
            if (name.Contains("lora_B", StringComparison.Ordinal))
                tensor.fill_(0.125f);
        return moved;
    }

    [Fact]
    public void A_fresh_adapter_adds_nothing_and_is_the_same_for_the_same_seed()
    {
        using var whole = MadePolicy.Weights(Config);
        using var model = new LlamaModel(Config);
        using var fresh = whole.WithFreshAdapter(Options, seed: 1);
        using var on = fresh.Copy(trainable: true);
        var scorer = new PoolScorer(model, tensorOperationsOnly: true);
        var expected = scorer.ScoreAlone(whole, Pool());
        Assert.Equal(expected, scorer.ScoreAlone(fresh, Pool()));
        Assert.Equal(expected, scorer.ScoreAlone(on, Pool()));
        Assert.Equal(whole.ComputeHash(), fresh.ComputeHash());
        Assert.Equal(whole.Parameters + fresh.Tensors.Values.Sum(tensor => tensor.numel()), fresh.Parameters);

        using var again = whole.WithFreshAdapter(Options, seed: 1).Copy();
        using var other = whole.WithFreshAdapter(Options, seed: 2).Copy();
        Assert.Equal(on.ComputeHash(), again.ComputeHash());
        Assert.NotEqual(on.ComputeHash(), other.ComputeHash());
        // Kaiming's bound for uniform numbers, as PEFT draws them: ±1/√inputs.
        var a = on.Tensors["base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"].detach().data<float>().ToArray();
        Assert.All(a, value => Assert.InRange(Math.Abs(value), 0, 1 / Math.Sqrt(Config.IntermediateSize)));
        Assert.True(a.Max(Math.Abs) > 0.8 / Math.Sqrt(Config.IntermediateSize));
    }

    [Fact]
    public void Weights_with_adapters_share_a_base_that_lives_as_long_as_the_last_of_them()
    {
        var whole = MadePolicy.Weights(Config);
        using var model = new LlamaModel(Config);
        var scorer = new PoolScorer(model, tensorOperationsOnly: true);
        var fresh = whole.WithFreshAdapter(Options, seed: 1);
        using var moved = Moved(fresh);
        Assert.Same(whole.Layers[0].Query.Weight, moved.Layers[0].Query.Weight);
        Assert.Equal(fresh.Bytes, moved.Bytes);
        Assert.True(moved.Bytes < whole.Bytes / 4);
        var before = scorer.ScoreAlone(moved, Pool());
        Assert.NotEqual(scorer.ScoreAlone(whole, Pool()), before);
        whole.Dispose();
        fresh.Dispose();
        Assert.Equal(before, scorer.ScoreAlone(moved, Pool()));
    }

    [Fact]
    public void The_hash_of_an_adapter_is_that_of_its_base_too()
    {
        using var whole = MadePolicy.Weights(Config);
        using var other = MadePolicy.Weights(Config, seed: 2);
        using var moved = Moved(whole.WithFreshAdapter(Options, seed: 1));
        using var elsewhere = Moved(other.WithFreshAdapter(Options, seed: 1));
        using var scaled = Moved(whole.WithFreshAdapter(Options with { Alpha = 7 }, seed: 1));
        Assert.Equal(3, new[] { moved.ComputeHash(), elsewhere.ComputeHash(), scaled.ComputeHash() }.Distinct().Count());
    }

    [Fact]
    public void A_snapshot_is_the_adapter_alone_and_fits_no_other()
    {
        using var whole = MadePolicy.Weights(Config);
        using var fresh = whole.WithFreshAdapter(Options, seed: 1);
        using var moved = Moved(fresh);
        var format = new PolicySnapshotFormat(fresh);
        using var stream = new MemoryStream();
        format.Write(moved, stream);
        Assert.InRange(stream.Length, moved.Bytes, moved.Bytes + 4096);
        Assert.True(format.MaxBytes < new PolicySnapshotFormat(whole).MaxBytes);
        stream.Position = 0;
        using var read = format.Read(stream);
        Assert.Equal(moved.ComputeHash(), read.ComputeHash());
        stream.Position = 0;
        Assert.Contains("is none of this architecture's", Assert.Throws<InvalidDataException>(() => new PolicySnapshotFormat(whole).Read(stream)).Message);
        using var wider = whole.WithFreshAdapter(Options with { Rank = 4 }, seed: 1);
        stream.Position = 0;
        Assert.Contains("has shape [3, ", Assert.Throws<InvalidDataException>(() => new PolicySnapshotFormat(wider).Read(stream)).Message);
    }

    [Fact]
    public void An_adapter_finds_its_base_by_the_path_that_it_names()
    {
        using var folder = new TempFolder();
        MadePolicy.Write(folder["base"], Config);
        using var whole = PolicyDirectory.LoadWeights(folder["base"], Config);
        using var moved = Moved(whole.WithFreshAdapter(Options, seed: 1));
        PolicyDirectory.SaveLike(new PolicyOrigin(folder["base"]), folder["adapter"], PhysicalFiles.Instance, moved);
        Assert.Equal(new PolicyOrigin(folder["base"], folder["adapter"]), PolicyOrigin.Of(folder["adapter"]));

        // Beside the adapter, and then nowhere.
        var config = folder["adapter/adapter_config.json"];
        File.WriteAllText(config, File.ReadAllText(config).Replace(folder["base"], "../base"));
        Assert.Equal(folder["base"], Path.GetFullPath(PolicyOrigin.Of(folder["adapter"]).Base));
        File.WriteAllText(config, File.ReadAllText(config).Replace("../base", "someone/a-model"));
        var message = Assert.Throws<PolicyFormatException>(() => PolicyOrigin.Of(folder["adapter"])).Message;
        Assert.Contains("its base 'someone/a-model' is no directory here", message);
        Assert.Contains("lora.adapter", message);
        Assert.Equal(new PolicyOrigin(folder["base"], folder["adapter"]), PolicyOrigin.Of(folder["base"], folder["adapter"]));
        Assert.Contains("holds no adapter", Assert.Throws<PolicyFormatException>(() => PolicyOrigin.Of(folder["base"], folder["base"])).Message);
        Assert.Contains("a second one", Assert.Throws<PolicyFormatException>(() => PolicyOrigin.Of(folder["adapter"], folder["adapter"])).Message);
    }
}
