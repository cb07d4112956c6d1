using MassDpo.Policy.Model;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// What the output matrix makes of the places of one pool, part by part, so that no matrix of all places times |V| is ever held. Its tensors belong to the
/// caller's dispose scope, lie where its hidden states are, and are float32; logits are those of the compute type.
/// </summary>
internal sealed class PoolHead
{
    private readonly Tensor _output_Vd;
    private readonly long _mostLogits;
    private readonly Tensor _normaliser_U;

    /// <param name="hidden_Ud">the last hidden states of the pool's places</param>
    /// <param name="output_Vd">the output matrix, W</param>
    /// <param name="mostLogits">held at a time</param>
    public PoolHead(Tensor hidden_Ud, Tensor output_Vd, long mostLogits)
    {
        (Hidden_Ud, _output_Vd, _mostLogits) = (hidden_Ud, output_Vd, mostLogits);
        _normaliser_U = ByPlaces(hidden_Ud.shape[0], logits_uV => logits_uV.logsumexp(1));
    }

    public Tensor Hidden_Ud { get; }

    /// <summary>Rows of the output matrix at tokens: [T, d].</summary>
    public Tensor RowsOf(Tensor token_T) => _output_Vd.index_select(0, token_T).InFloat32();

    /// <summary>log π of the pool's response tokens: [T].</summary>
    public Tensor TokenLogps(PoolPlaces places)
    {
        using var scope = NewDisposeScope();
        var device = Hidden_Ud.device;
        var (place_T, token_T) = (tensor(places.Place_T, dtype: ScalarType.Int64, device: device), tensor(places.Token_T, dtype: ScalarType.Int64, device: device));
        // Rounded as the normaliser's logits are.
        var logits_T = (Hidden_Ud.index_select(0, place_T).InFloat32() * RowsOf(token_T)).sum(1).InType(_output_Vd.dtype);
        return (logits_T - _normaliser_U.index_select(0, place_T)).MoveToOuterDisposeScope();
    }

    /// <summary>π of given tokens at all places: [U, T].</summary>
    public Tensor ProbabilitiesOf(Tensor token_T)
    {
        using var scope = NewDisposeScope();
        return (linear(Hidden_Ud, _output_Vd.index_select(0, token_T)) - _normaliser_U.unsqueeze(1)).exp().MoveToOuterDisposeScope();
    }

    /// <summary>E_π[W] at all places: [U, d].</summary>
    public Tensor ExpectedRows() => ExpectedRows(_output_Vd);

    /// <summary>The same of another matrix with a row for each token, [V, q]: [U, q].</summary>
    public Tensor ExpectedRows(Tensor rows_Vq) => ByPlaces(Hidden_Ud.shape[0], logits_uV => logits_uV.softmax(1).InType(rows_Vq.dtype).matmul(rows_Vq).InFloat32());

    /// <summary>π at all places of some tokens at a time, [U, v], over the whole vocabulary.</summary>
    public void ForProbabilities(Action<Tensor> ofTokens)
    {
        var step = Math.Max(1, _mostLogits / Hidden_Ud.shape[0]);
        for (var first = 0L; first < _output_Vd.shape[0]; first += step)
        {
            using var scope = NewDisposeScope();
            ofTokens((linear(Hidden_Ud, _output_Vd.narrow(0, first, Math.Min(step, _output_Vd.shape[0] - first))) - _normaliser_U.unsqueeze(1)).exp());
        }
    }

    private Tensor ByPlaces(long places, Func<Tensor, Tensor> ofLogits)
    {
        using var scope = NewDisposeScope();
        var step = Math.Max(1, _mostLogits / _output_Vd.shape[0]);
        var parts = new List<Tensor>();
        for (var first = 0L; first < places; first += step)
        {
            using var ofPart = NewDisposeScope();
            parts.Add(ofLogits(linear(Hidden_Ud.narrow(0, first, Math.Min(step, places - first)), _output_Vd).InFloat32()).MoveToOuterDisposeScope());
        }
        return (parts.Count == 1 ? parts[0] : cat(parts, 0)).MoveToOuterDisposeScope();
    }
}
