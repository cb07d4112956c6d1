using System.Globalization;
using static TorchSharp.torch;

namespace MassDpo.Learner.Checkpoints;

/// <summary>The name of a checkpoint, and of its folder. Of two the newer one is greater.</summary>
/// <param name="Version">batches closed</param>
/// <param name="Epoch">that wrote it</param>
/// <param name="Settled">positions applied or dead</param>
public readonly record struct CheckpointName(long Version, long Epoch, long Settled) : IComparable<CheckpointName>
{
    /// <summary>Null for what is no checkpoint's name.</summary>
    public static CheckpointName? TryParse(string folder) =>
        folder.Split('-') is [['v', .. var version], ['e', .. var epoch], ['s', .. var settled]]
            && long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var v)
            && long.TryParse(epoch, NumberStyles.None, CultureInfo.InvariantCulture, out var e)
            && long.TryParse(settled, NumberStyles.None, CultureInfo.InvariantCulture, out var s)
            && new CheckpointName(v, e, s) is var name && name.ToString() == folder
            ? name
            : null;

    public int CompareTo(CheckpointName other) => (Version, Epoch, Settled).CompareTo((other.Version, other.Epoch, other.Settled));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"v{Version:D12}-e{Epoch:D6}-s{Settled:D12}");
}

/// <summary>A checkpoint read back; the caller disposes the tensors.</summary>
/// <param name="Name">see there</param>
/// <param name="State">all but tensors</param>
/// <param name="Weights">of the policy, by name</param>
/// <param name="Optimizer">its state, by name</param>
/// <param name="Reference">weights of the reference; null: still those that the run found</param>
public sealed record Checkpoint(CheckpointName Name, CheckpointState State, Dictionary<string, Tensor> Weights, Dictionary<string, Tensor> Optimizer,
    Dictionary<string, Tensor>? Reference) : IDisposable
{
    public void Dispose()
    {
        foreach (var tensor in Weights.Values.Concat(Optimizer.Values).Concat(Reference?.Values.AsEnumerable() ?? []))
            tensor.Dispose();
    }
}
