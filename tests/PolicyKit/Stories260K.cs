using System.Runtime.InteropServices;
using MassDpo.Policy;
using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.PolicyKit;

/// <summary>
/// Reads a checkpoint in llama2.c's format into the Hugging Face layout: rows of the query and key matrices go from interleaved rotary pairs to
/// halves.
/// </summary>
public sealed class Stories260K : IDisposable
{
    private Stories260K(PolicyWeights weights) => (Weights, Model) = (weights, new LlamaModel(weights.Config));

    public PolicyWeights Weights { get; }

    public LlamaModel Model { get; }

    public static Stories260K Load(string file)
    {
        var bytes = File.ReadAllBytes(file);
        var header = MemoryMarshal.Cast<byte, int>(bytes.AsSpan(0, 28));
        var (d, hidden, layers, heads, keyValueHeads, vocabulary, positions) = (header[0], header[1], header[2], header[3], header[4], header[5], header[6]);
        var config = new PolicyConfig
        {
            HiddenSize = d,
            IntermediateSize = hidden,
            Layers = layers,
            Heads = heads,
            KeyValueHeads = keyValueHeads,
            HeadSize = d / heads,
            VocabularySize = vocabulary,
            MaxPositions = positions,
            RmsNormEpsilon = 1e-5,
            TiedEmbeddings = true,
            BosTokenId = 1,
            EosTokenId = 2,
        };
        var floats = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(28)).ToArray();
        var at = 0;
        var tensors = new Dictionary<string, Tensor>();
        var keyValue = keyValueHeads * d / heads;
        Take("model.embed_tokens", vocabulary, d);
        Layers("input_layernorm", d);
        Layers("self_attn.q_proj", d, d, heads);
        Layers("self_attn.k_proj", keyValue, d, keyValueHeads);
        Layers("self_attn.v_proj", keyValue, d);
        Layers("self_attn.o_proj", d, d);
        Layers("post_attention_layernorm", d);
        Layers("mlp.gate_proj", hidden, d);
        Layers("mlp.down_proj", d, hidden);
        Layers("mlp.up_proj", hidden, d);
        Take("model.norm", d);
        return new Stories260K(PolicyWeights.From(config, tensors, file));

        void Layers(string part, int rows, int columns = 0, int interleavedHeads = 0)
        {
            for (var layer = 0; layer < layers; layer++)
                Take($"model.layers.{layer}.{part}", rows, columns, interleavedHeads);
        }

        void Take(string name, int rows, int columns = 0, int interleavedHeads = 0)
        {
            var values = floats[at..(at + rows * Math.Max(1, columns))];
            at += values.Length;
            if (interleavedHeads > 0)
                values = Halves(values, rows / interleavedHeads, columns);
            tensors[name + ".weight"] = columns == 0 ? tensor(values) : tensor(values, [rows, columns]);
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        Weights.Dispose();
    }

    // Row 2i of a head becomes row i, row 2i+1 becomes row i + half.
    private static float[] Halves(float[] matrix, int size, int columns)
    {
        var result = new float[matrix.Length];
        for (var row = 0; row < matrix.Length / columns; row++)
        {
            var within = row % size;
            var target = row - within + within / 2 + (within % 2 == 0 ? 0 : size / 2);
            matrix.AsSpan(row * columns, columns).CopyTo(result.AsSpan(target * columns));
        }
        return result;
    }
}
