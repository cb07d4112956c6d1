using System.Security.Cryptography;
using MassDpo.Policy.Fused;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>
/// The parameters of one Llama policy, in float32, under the names that Hugging Face gives them. It owns its tensors. One that is published as a snapshot
/// is never changed.
/// </summary>
public sealed class PolicyWeights : ISnapshotTensors
{
    private readonly SortedDictionary<string, Tensor> _tensors;
    private readonly Lock _packing = new();
    private volatile FusedWeights? _packed;

    private PolicyWeights(PolicyConfig config, SortedDictionary<string, Tensor> tensors)
    {
        (Config, _tensors) = (config, tensors);
        Embedding = tensors[Names.Embedding];
        FinalNorm = tensors[Names.FinalNorm];
        Output = config.TiedEmbeddings ? Embedding : tensors[Names.Output];
        Layers = [.. Enumerable.Range(0, config.Layers).Select(layer => new LayerWeights(tensors, layer))];
    }

    public PolicyConfig Config { get; }

    /// <summary>By name, in ordinal order.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _tensors;

    /// <summary>[|V|, d]</summary>
    public Tensor Embedding { get; }

    /// <summary>[|V|, d]; the embedding itself where the two are tied.</summary>
    public Tensor Output { get; }

    /// <summary>[d]</summary>
    public Tensor FinalNorm { get; }

    public IReadOnlyList<LayerWeights> Layers { get; }

    public Device Device => Embedding.device;

    /// <summary>How many numbers the policy has.</summary>
    public long Parameters => _tensors.Values.Sum(tensor => tensor.numel());

    /// <summary>Bytes of all its tensors.</summary>
    public long Bytes => _tensors.Values.Sum(tensor => tensor.numel() * tensor.ElementSize);

    /// <summary>The names and shapes that a policy of this architecture has.</summary>
    public static SortedDictionary<string, long[]> ShapesOf(PolicyConfig config)
    {
        long d = config.HiddenSize, q = (long)config.Heads * config.HeadSize, kv = (long)config.KeyValueHeads * config.HeadSize;
        var shapes = new SortedDictionary<string, long[]>(StringComparer.Ordinal)
        {
            [Names.Embedding] = [config.VocabularySize, d],
            [Names.FinalNorm] = [d],
        };
        if (!config.TiedEmbeddings)
            shapes[Names.Output] = [config.VocabularySize, d];
        for (var layer = 0; layer < config.Layers; layer++)
        {
            shapes[Names.Of(layer, "input_layernorm")] = [d];
            shapes[Names.Of(layer, "self_attn.q_proj")] = [q, d];
            shapes[Names.Of(layer, "self_attn.k_proj")] = [kv, d];
            shapes[Names.Of(layer, "self_attn.v_proj")] = [kv, d];
            shapes[Names.Of(layer, "self_attn.o_proj")] = [d, q];
            shapes[Names.Of(layer, "post_attention_layernorm")] = [d];
            shapes[Names.Of(layer, "mlp.gate_proj")] = [config.IntermediateSize, d];
            shapes[Names.Of(layer, "mlp.up_proj")] = [config.IntermediateSize, d];
            shapes[Names.Of(layer, "mlp.down_proj")] = [d, config.IntermediateSize];
        }
        return shapes;
    }

    /// <summary>
    /// Takes tensors over, as a checkpoint holds them: names and shapes must be exactly those of the architecture (a tied policy may hold its output matrix
    /// too). They become float32; the ones given are disposed.
    /// </summary>
    /// <exception cref="PolicyFormatException">a tensor is missing, of another shape, or not known</exception>
    public static PolicyWeights From(PolicyConfig config, IReadOnlyDictionary<string, Tensor> tensors, string source)
    {
        try
        {
            var shapes = ShapesOf(config);
            foreach (var name in tensors.Keys)
                if (!shapes.ContainsKey(name) && !(config.TiedEmbeddings && name == Names.Output))
                    throw new PolicyFormatException($"{source}: tensor '{name}' is none of this architecture's");
            var own = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
            foreach (var (name, shape) in shapes)
            {
                if (!tensors.TryGetValue(name, out var tensor))
                    throw new PolicyFormatException($"{source}: tensor '{name}' is missing");
                if (!tensor.shape.SequenceEqual(shape))
                    throw new PolicyFormatException($"{source}: tensor '{name}' has shape [{string.Join(", ", tensor.shape)}], config.json asks for [{string.Join(", ", shape)}]");
                own[name] = tensor.to(ScalarType.Float32, copy: true).DetachFromDisposeScope();
            }
            return new PolicyWeights(config, own);
        }
        finally
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    /// <summary>
    /// New weights: the embedding normal with <paramref name="embeddingDeviation"/>, matrices with 1/√(their inputs), the two that write into the residual
    /// stream divided by √(2·layers), norms one.
    /// </summary>
    public static PolicyWeights Initialise(PolicyConfig config, long seed, double embeddingDeviation)
    {
        var tensors = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        var number = 0;
        foreach (var (name, shape) in ShapesOf(config))
        {
            var random = new StableRandom(seed, number++, 0x1417);
            var values = new float[shape.Aggregate(1L, (product, dim) => product * dim)];
            if (shape.Length == 1)
            {
                Array.Fill(values, 1f);
            }
            else
            {
                var deviation = name is Names.Embedding or Names.Output ? embeddingDeviation : 1 / Math.Sqrt(shape[1]);
                if (name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal))
                    deviation /= Math.Sqrt(2 * config.Layers);
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)(random.Normal() * deviation);
            }
            tensors[name] = tensor(values, shape, dtype: ScalarType.Float32).DetachFromDisposeScope();
        }
        return new PolicyWeights(config, tensors);
    }

    /// <summary>A copy of its own; <paramref name="trainable"/>: its tensors collect gradients.</summary>
    public PolicyWeights Copy(bool trainable = false)
    {
        using var _ = no_grad();
        var copies = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in _tensors)
        {
            // The alias in between holds the memory too, and goes with the scope.
            using var scope = NewDisposeScope();
            var copy = tensor.detach().clone().DetachFromDisposeScope();
            copy.requires_grad = trainable;
            copies[name] = copy;
        }
        return new PolicyWeights(Config, copies);
    }

    /// <summary>A copy of its own with the values of saved tensors.</summary>
    /// <exception cref="InvalidDataException">they are of another policy</exception>
    public PolicyWeights With(IReadOnlyDictionary<string, Tensor> saved)
    {
        var copy = Copy();
        try
        {
            copy.CopyFrom(saved);
            return copy;
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    /// <summary>Takes over the values of saved tensors.</summary>
    /// <exception cref="InvalidDataException">they are of another policy</exception>
    public void CopyFrom(IReadOnlyDictionary<string, Tensor> saved)
    {
        using var _ = no_grad();
        foreach (var (name, own) in _tensors)
        {
            if (!saved.TryGetValue(name, out var tensor) || !tensor.shape.SequenceEqual(own.shape))
                throw new InvalidDataException($"the saved weights have no '{name}' of shape [{string.Join(", ", own.shape)}]");
            own.copy_(tensor);
        }
    }

    /// <inheritdoc/>
    public string ComputeHash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, tensor) in _tensors)
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} F32 [{string.Join(',', tensor.shape)}]\n"));
            using var scope = NewDisposeScope();
            hash.AppendData(tensor.detach().cpu().bytes);
        }
        return ContentHash.Current(hash);
    }

    /// <summary>Whether these can be laid out for native/fused.</summary>
    internal bool CanPack => _packed is not null || FusedWeights.CanPack(this);

    /// <summary>
    /// Calls with the weights laid out for native/fused. That is done once, by whoever asks first; weights that are being trained change, and are laid out
    /// anew for each call.
    /// </summary>
    internal T WithPacked<T>(Func<FusedWeights, T> body)
    {
        if (_tensors.Values.Any(tensor => tensor.requires_grad))
        {
            using var now = FusedWeights.Pack(this);
            return body(now);
        }
        if (_packed is null)
        {
            lock (_packing)
                _packed ??= FusedWeights.Pack(this);
        }
        return body(_packed);
    }

    public void Dispose()
    {
        _packed?.Dispose();
        foreach (var tensor in _tensors.Values)
            tensor.Dispose();
    }

    private static class Names
    {
        public const string Embedding = "model.embed_tokens.weight";
        public const string FinalNorm = "model.norm.weight";
        public const string Output = "lm_head.weight";

        public static string Of(int layer, string part) => $"model.layers.{layer}.{part}.weight";
    }

    /// <summary>One layer's parameters. Matrices are [outputs, inputs].</summary>
    public sealed class LayerWeights
    {
        internal LayerWeights(SortedDictionary<string, Tensor> tensors, int layer)
        {
            AttentionNorm = tensors[Names.Of(layer, "input_layernorm")];
            Query = tensors[Names.Of(layer, "self_attn.q_proj")];
            Key = tensors[Names.Of(layer, "self_attn.k_proj")];
            Value = tensors[Names.Of(layer, "self_attn.v_proj")];
            AttentionOutput = tensors[Names.Of(layer, "self_attn.o_proj")];
            MlpNorm = tensors[Names.Of(layer, "post_attention_layernorm")];
            Gate = tensors[Names.Of(layer, "mlp.gate_proj")];
            Up = tensors[Names.Of(layer, "mlp.up_proj")];
            Down = tensors[Names.Of(layer, "mlp.down_proj")];
        }

        public Tensor AttentionNorm { get; }
        public Tensor Query { get; }
        public Tensor Key { get; }
        public Tensor Value { get; }
        public Tensor AttentionOutput { get; }
        public Tensor MlpNorm { get; }
        public Tensor Gate { get; }
        public Tensor Up { get; }
        public Tensor Down { get; }
    }
}
