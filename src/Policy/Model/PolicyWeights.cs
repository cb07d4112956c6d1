using MassDpo.Policy.Fused;
using MassDpo.Policy.Lora;
using MassDpo.Policy.Safetensors;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>
/// The parameters of one policy of the Llama family, under the names that Hugging Face gives them: all of them, or those of an adapter (LoRA, arXiv 2106.09685),
/// which are float32, on a base in the compute type that others may stand on too. Whole weights that are or were trained are held in float32, whatever type they
/// are computed in, since an update is often less than half a unit of a bfloat16's last place; beside them is a working copy in that type, which is what all
/// computing sees (mixed precision, arXiv 1710.03740). Weights that are published as a snapshot are never changed.
/// </summary>
public sealed class PolicyWeights : ISnapshotTensors
{
    private readonly BaseTensors _base;
    private readonly SortedDictionary<string, Tensor>? _adapter;
    // In the compute type, where the base is held in another one: see the remark on trained weights.
    private readonly SortedDictionary<string, Tensor>? _working;
    private readonly Lock _packing = new();
    private volatile FusedWeights? _packed;

    private PolicyWeights(PolicyConfig config, BaseTensors whole, LoraOptions? lora = null, SortedDictionary<string, Tensor>? adapter = null, bool isOff = false)
        : this(config, whole, lora, adapter, isOff, whole.ByName[WeightNames.Embedding].dtype)
    {
    }

    // Whole weights, computed in a type that need not be theirs.
    private PolicyWeights(PolicyConfig config, SortedDictionary<string, Tensor> tensors, ScalarType type) : this(config, new BaseTensors(tensors), null, null, false, type)
    {
    }

    private PolicyWeights(PolicyConfig config, BaseTensors whole, LoraOptions? lora, SortedDictionary<string, Tensor>? adapter, bool isOff, ScalarType type)
    {
        (Config, _base, Lora, _adapter, IsOff) = (config, whole, lora, adapter, isOff);
        if (whole.ByName[WeightNames.Embedding] is var held && held.dtype != type)
            _working = Copies(whole.ByName, new Placement(type, held.device), held.requires_grad);
        var tensors = Computed;
        Embedding = tensors[WeightNames.Embedding];
        FinalNorm = tensors[WeightNames.FinalNorm];
        Output = config.TiedEmbeddings ? Embedding : tensors[WeightNames.Output];
        Layers = [.. Enumerable.Range(0, config.Layers).Select(layer => new LayerWeights(tensors, layer, part => ProjectionOf(layer, part)))];
    }

    private PolicyWeights(PolicyConfig config, SortedDictionary<string, Tensor> tensors) : this(config, new BaseTensors(tensors))
    {
    }

    public PolicyConfig Config { get; }

    /// <summary>Of the adapter; null: all parameters are this one's own.</summary>
    public LoraOptions? Lora { get; }

    /// <summary>Whether the adapter is left off, as it adds nothing yet: the same numbers for less work.</summary>
    internal bool IsOff { get; }

    /// <summary>What is trained, published and saved, by name in ordinal order: the adapter's, or all.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => Own;

    /// <summary>[|V|, d]</summary>
    public Tensor Embedding { get; }

    /// <summary>[|V|, d]; the embedding itself where the two are tied.</summary>
    public Tensor Output { get; }

    /// <summary>[d]</summary>
    public Tensor FinalNorm { get; }

    public IReadOnlyList<LayerWeights> Layers { get; }

    public Device Device => Embedding.device;

    /// <summary>Compute type and device.</summary>
    public Placement Placement => new(Embedding.dtype, Embedding.device);

    /// <summary>How many numbers the policy has, those of its base included.</summary>
    public long Parameters => _base.ByName.Values.Concat(_adapter?.Values.AsEnumerable() ?? []).Sum(tensor => tensor.numel());

    /// <summary>Bytes of <see cref="Tensors"/>.</summary>
    public long Bytes => Own.Values.Sum(tensor => tensor.numel() * tensor.ElementSize);

    /// <summary>The hash of all parameters without those of an adapter; computed once.</summary>
    public string BaseHash => _base.Hash;

    private SortedDictionary<string, Tensor> Own => _adapter ?? _base.ByName;

    private SortedDictionary<string, Tensor> Computed => _working ?? _base.ByName;

    /// <summary>The names and shapes that a policy of this architecture has.</summary>
    public static SortedDictionary<string, long[]> ShapesOf(PolicyConfig config)
    {
        long d = config.HiddenSize, q = (long)config.Heads * config.HeadSize, kv = (long)config.KeyValueHeads * config.HeadSize;
        var shapes = new SortedDictionary<string, long[]>(StringComparer.Ordinal)
        {
            [WeightNames.Embedding] = [config.VocabularySize, d],
            [WeightNames.FinalNorm] = [d],
        };
        if (!config.TiedEmbeddings)
            shapes[WeightNames.Output] = [config.VocabularySize, d];
        for (var layer = 0; layer < config.Layers; layer++)
        {
            shapes[WeightNames.Weight(layer, WeightNames.AttentionNorm)] = [d];
            shapes[WeightNames.Weight(layer, WeightNames.Query)] = [q, d];
            shapes[WeightNames.Weight(layer, WeightNames.Key)] = [kv, d];
            shapes[WeightNames.Weight(layer, WeightNames.Value)] = [kv, d];
            shapes[WeightNames.Weight(layer, WeightNames.AttentionOutput)] = [d, q];
            shapes[WeightNames.Weight(layer, WeightNames.MlpNorm)] = [d];
            shapes[WeightNames.Weight(layer, WeightNames.Gate)] = [config.IntermediateSize, d];
            shapes[WeightNames.Weight(layer, WeightNames.Up)] = [config.IntermediateSize, d];
            shapes[WeightNames.Weight(layer, WeightNames.Down)] = [d, config.IntermediateSize];
            if (config.HasQkvBias)
                foreach (var (part, size) in new[] { (WeightNames.Query, q), (WeightNames.Key, kv), (WeightNames.Value, kv) })
                    shapes[WeightNames.Bias(layer, part)] = [size];
            if (config.HasQueryKeyNorm)
                foreach (var part in new[] { WeightNames.QueryNorm, WeightNames.KeyNorm })
                    shapes[WeightNames.Weight(layer, part)] = [config.HeadSize];
        }
        return shapes;
    }

    /// <summary>
    /// Takes tensors over, as a checkpoint holds them: names and shapes must be exactly those of the architecture (a tied policy may hold its output matrix
    /// too).
    /// </summary>
    /// <param name="config">the architecture</param>
    /// <param name="tensors">by name, of any type and on any device; disposed</param>
    /// <param name="source">what errors call them</param>
    /// <param name="placement">what they become; null: <see cref="Placement.Default"/></param>
    /// <exception cref="PolicyFormatException">a tensor is missing, of another shape, or not known</exception>
    public static PolicyWeights From(PolicyConfig config, IReadOnlyDictionary<string, Tensor> tensors, string source, Placement? placement = null)
    {
        try
        {
            return new PolicyWeights(config, Taken(ShapesOf(config), tensors, source, config.TiedEmbeddings ? WeightNames.Output : null, "config.json", placement ?? Placement.Default));
        }
        finally
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    /// <summary>Reads the tensors of a checkpoint one by one, so that no more is held beside them than a piece of one; else as <see cref="From"/>.</summary>
    /// <exception cref="PolicyFormatException">a tensor is missing, of another shape, or not known</exception>
    public static PolicyWeights Load(PolicyConfig config, MappedTensors checkpoint, Placement? placement = null) =>
        new(config, Read(ShapesOf(config), checkpoint, config.TiedEmbeddings ? WeightNames.Output : null, "config.json", placement ?? Placement.Default));

    /// <summary>Takes over tensors that are made one by one, by name and shape, all in the same place.</summary>
    public static PolicyWeights Of(PolicyConfig config, Func<string, long[], Tensor> make)
    {
        var tensors = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, shape) in ShapesOf(config))
            tensors[name] = make(name, shape).DetachFromDisposeScope();
        return new PolicyWeights(config, tensors);
    }

    /// <summary>A copy in another type or on another device; what an adapter adds stays float32.</summary>
    public PolicyWeights On(Placement placement)
    {
        var whole = new BaseTensors(Copies(_base.ByName, placement));
        return _adapter is null ? new PolicyWeights(Config, whole) : new PolicyWeights(Config, whole, Lora, Copies(_adapter, placement.OfTrained), IsOff);
    }

    /// <summary>The same policy with a fresh adapter, which adds nothing yet. The base stays shared.</summary>
    /// <exception cref="PolicyFormatException">a target is none of the policy's matrices</exception>
    public PolicyWeights WithFreshAdapter(LoraOptions options, long seed)
    {
        var own = AdapterTensors.Fresh(Config, options, seed, Device);
        return new PolicyWeights(Config, Bare(), options, own, isOff: true);
    }

    /// <summary>The same policy with an adapter that was trained. The base stays shared.</summary>
    /// <exception cref="PolicyFormatException">it is none of this policy's</exception>
    public PolicyWeights WithAdapter(LoraOptions options, MappedTensors adapter)
    {
        var own = Read(AdapterTensors.ShapesOf(Config, options), adapter, mayHold: null, "the adapter's config", Placement.OfTrained);
        return new PolicyWeights(Config, Bare(), options, own);
    }

    /// <summary>Weights of their own of the same kind, from tensors that <see cref="Tensors"/> of such weights gave. They are taken over; the base stays shared.</summary>
    /// <exception cref="PolicyFormatException">names or shapes are others</exception>
    public PolicyWeights Take(IReadOnlyDictionary<string, Tensor> tensors, string source)
    {
        try
        {
            if (_adapter is null)
                return new PolicyWeights(Config, Taken(ShapesOf(Config), tensors, source, Config.TiedEmbeddings ? WeightNames.Output : null, "config.json", Placement.OfTrained), Placement.Type);
            var own = Taken(AdapterTensors.ShapesOf(Config, Lora!), tensors, source, mayHold: null, "the adapter's config", Placement.OfTrained);
            return new PolicyWeights(Config, _base.Hold(), Lora, own);
        }
        finally
        {
            foreach (var tensor in tensors.Values)
                tensor.Dispose();
        }
    }

    /// <summary>The same policy without an adapter: what that adds is added to the matrices, in float32, in which they are held.</summary>
    public PolicyWeights Merged()
    {
        using var _ = no_grad();
        var merged = Copies(_base.ByName, Placement.OfTrained);
        for (var layer = 0; layer < Config.Layers; layer++)
        {
            foreach (var part in WeightNames.Projections)
            {
                using var scope = NewDisposeScope();
                if (ProjectionOf(layer, part).Adapter is { } low)
                    merged[WeightNames.Weight(layer, part)].add_(low.B.matmul(low.A) * low.Scale);
            }
        }
        return new PolicyWeights(Config, merged, Embedding.dtype);
    }

    /// <summary>
    /// New weights: the embedding normal with <paramref name="embeddingDeviation"/>, matrices with 1/√(their inputs), the two that write into the residual
    /// stream divided by √(2·layers), norms one, biases zero.
    /// </summary>
    public static PolicyWeights Initialise(PolicyConfig config, long seed, double embeddingDeviation)
    {
        var number = 0;
        return Of(config, (name, shape) =>
        {
            var random = new StableRandom(seed, number++, 0x1417);
            var values = new float[shape.Aggregate(1L, (product, dim) => product * dim)];
            if (shape.Length == 1)
            {
                Array.Fill(values, name.EndsWith(".bias", StringComparison.Ordinal) ? 0f : 1f);
            }
            else
            {
                var deviation = name is WeightNames.Embedding or WeightNames.Output ? embeddingDeviation : 1 / Math.Sqrt(shape[1]);
                if (name.Contains("o_proj", StringComparison.Ordinal) || name.Contains("down_proj", StringComparison.Ordinal))
                    deviation /= Math.Sqrt(2 * config.Layers);
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)(random.Normal() * deviation);
            }
            return tensor(values, shape, dtype: ScalarType.Float32, device: CPU);
        });
    }

    /// <summary>A copy of its own, with the same base where it has an adapter.</summary>
    /// <param name="trainable">whether its tensors collect gradients; whole weights are then held in float32</param>
    public PolicyWeights Copy(bool trainable = false) => Copy(trainable, trainable ? ScalarType.Float32 : Own.Values.First().dtype);

    /// <summary>A copy of its own with the values of saved tensors.</summary>
    /// <exception cref="InvalidDataException">they are of another policy</exception>
    public PolicyWeights With(IReadOnlyDictionary<string, Tensor> saved)
    {
        var copy = Copy(trainable: false, ScalarType.Float32);
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
        foreach (var (name, own) in Own)
        {
            if (!saved.TryGetValue(name, out var tensor) || !tensor.shape.SequenceEqual(own.shape))
                throw new InvalidDataException($"the saved weights have no '{name}' of shape [{string.Join(", ", own.shape)}]");
            own.copy_(tensor);
        }
        Changed();
    }

    /// <summary>To be told when <see cref="Tensors"/> have been changed in place: what computes sees them from then on.</summary>
    public void Changed()
    {
        if (_working is null)
            return;
        using var _ = no_grad();
        foreach (var (name, held) in _base.ByName)
            _working[name].copy_(held);
    }

    /// <summary>
    /// To be told when gradients have been computed: those that the working copy has collected are added to those of <see cref="Tensors"/>, in float32, so that
    /// they add up there.
    /// </summary>
    public void GradientsAreThere()
    {
        if (_working is null)
            return;
        using var _ = no_grad();
        foreach (var (name, held) in _base.ByName)
        {
            using var scope = NewDisposeScope();
            if (_working[name].grad is not { } gradient)
                continue;
            if (held.grad is { } sum)
                sum.add_(gradient);
            else
                held.grad = gradient.InFloat32().DetachFromDisposeScope();
            gradient.zero_();
        }
    }

    /// <inheritdoc/>
    /// <remarks>An adapter's is that of its base too; one that is off is its base.</remarks>
    public string ComputeHash() => _adapter is null ? TensorHash.Of(_base.ByName) : IsOff ? BaseHash : TensorHash.Of(_adapter, $"{BaseHash} {PeftConfig.Fingerprint(Lora!)}\n");

    /// <summary>Whether these can be laid out for native/fused.</summary>
    internal bool CanPack => _packed is not null || FusedWeights.CanPack(this);

    /// <summary>
    /// Calls with the weights laid out for native/fused. That is done once, by whoever asks first; weights that are being trained change, and are laid out
    /// anew for each call.
    /// </summary>
    internal T WithPacked<T>(Func<FusedWeights, T> body)
    {
        if (Own.Values.Any(tensor => tensor.requires_grad))
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
        foreach (var tensor in _working?.Values.AsEnumerable() ?? [])
            tensor.Dispose();
        foreach (var tensor in _adapter?.Values.AsEnumerable() ?? [])
            tensor.Dispose();
        _base.Release();
    }

    private BaseTensors Bare() => _adapter is null ? _base.Hold() : throw new InvalidOperationException("this policy has an adapter already: merge it first");

    private Projection ProjectionOf(int layer, string part)
    {
        var module = WeightNames.Module(layer, part);
        var low = !IsOff && _adapter is not null && _adapter.TryGetValue(AdapterTensors.A(module), out var a)
            ? new LowRank(a, _adapter[AdapterTensors.B(module)], Lora!.ScaleOf(module))
            : null;
        var number = layer * WeightNames.Projections.Length + WeightNames.Projections.IndexOf(part);
        return new Projection(Computed[module + ".weight"], Computed.GetValueOrDefault(module + ".bias"), low, number);
    }

    // Whole weights are held in a type, and computed in the same as these.
    private PolicyWeights Copy(bool trainable, ScalarType held)
    {
        var copies = Copies(Own, new Placement(held, Device), trainable);
        return _adapter is null ? new PolicyWeights(Config, copies, Embedding.dtype) : new PolicyWeights(Config, _base.Hold(), Lora, copies);
    }

    private static SortedDictionary<string, Tensor> Copies(SortedDictionary<string, Tensor> tensors, Placement placement, bool trainable = false)
    {
        using var _ = no_grad();
        var copies = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            // The alias in between holds the memory too, and goes with the scope.
            using var scope = NewDisposeScope();
            var copy = tensor.detach().to(placement.Type, placement.Device, copy: true).DetachFromDisposeScope();
            copy.requires_grad = trainable;
            copies[name] = copy;
        }
        return copies;
    }

    // Tensors of exactly these names and shapes; those given stay the caller's.
    private static SortedDictionary<string, Tensor> Taken(SortedDictionary<string, long[]> shapes, IReadOnlyDictionary<string, Tensor> tensors, string source, string? mayHold,
        string config, Placement placement)
    {
        Check(shapes, tensors.ToDictionary(tensor => tensor.Key, tensor => tensor.Value.shape), source, mayHold, config);
        var own = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var name in shapes.Keys)
            own[name] = tensors[name].to(placement.Type, placement.Device, copy: true).DetachFromDisposeScope();
        return own;
    }

    private static SortedDictionary<string, Tensor> Read(SortedDictionary<string, long[]> shapes, MappedTensors source, string? mayHold, string config, Placement placement)
    {
        Check(shapes, source.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Shape), source.Name, mayHold, config);
        var own = new SortedDictionary<string, Tensor>(StringComparer.Ordinal);
        try
        {
            foreach (var name in shapes.Keys)
                own[name] = source.Read(name, placement);
            return own;
        }
        catch
        {
            foreach (var tensor in own.Values)
                tensor.Dispose();
            throw;
        }
    }

    private static void Check(SortedDictionary<string, long[]> shapes, Dictionary<string, long[]> found, string source, string? mayHold, string config)
    {
        foreach (var name in found.Keys)
            if (!shapes.ContainsKey(name) && name != mayHold)
                throw new PolicyFormatException($"{source}: tensor '{name}' is none of this architecture's");
        foreach (var (name, shape) in shapes)
        {
            if (!found.TryGetValue(name, out var there))
                throw new PolicyFormatException($"{source}: tensor '{name}' is missing");
            if (!there.SequenceEqual(shape))
                throw new PolicyFormatException($"{source}: tensor '{name}' has shape [{string.Join(", ", there)}], {config} asks for [{string.Join(", ", shape)}]");
        }
    }

    /// <summary>One layer's parameters. Matrices are [outputs, inputs].</summary>
    public sealed class LayerWeights
    {
        internal LayerWeights(SortedDictionary<string, Tensor> tensors, int layer, Func<string, Projection> projection)
        {
            AttentionNorm = tensors[WeightNames.Weight(layer, WeightNames.AttentionNorm)];
            QueryNorm = tensors.GetValueOrDefault(WeightNames.Weight(layer, WeightNames.QueryNorm));
            KeyNorm = tensors.GetValueOrDefault(WeightNames.Weight(layer, WeightNames.KeyNorm));
            MlpNorm = tensors[WeightNames.Weight(layer, WeightNames.MlpNorm)];
            Query = projection(WeightNames.Query);
            Key = projection(WeightNames.Key);
            Value = projection(WeightNames.Value);
            AttentionOutput = projection(WeightNames.AttentionOutput);
            Gate = projection(WeightNames.Gate);
            Up = projection(WeightNames.Up);
            Down = projection(WeightNames.Down);
        }

        public Tensor AttentionNorm { get; }
        /// <summary>[head size]; null: queries are not normed.</summary>
        public Tensor? QueryNorm { get; }
        /// <summary>[head size]; null: keys are not normed.</summary>
        public Tensor? KeyNorm { get; }
        public Tensor MlpNorm { get; }
        public Projection Query { get; }
        public Projection Key { get; }
        public Projection Value { get; }
        public Projection AttentionOutput { get; }
        public Projection Gate { get; }
        public Projection Up { get; }
        public Projection Down { get; }

        /// <summary>Whether it has matrices and the two norms alone, as Llama's layers have.</summary>
        internal bool IsPlain => QueryNorm is null && KeyNorm is null
            && Query.IsPlain && Key.IsPlain && Value.IsPlain && AttentionOutput.IsPlain && Gate.IsPlain && Up.IsPlain && Down.IsPlain;
    }
}
