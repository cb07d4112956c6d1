using MassDpo.Learner.Checkpoints;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Checkpoints;

/// <summary>States and tensors to commit, each version's different from every other's.</summary>
internal static class MadeCheckpoint
{
    public static CheckpointState State(long version, long epoch = 1, IReadOnlyDictionary<string, LogMark>? logs = null)
    {
        var settled = new SettledPositions();
        for (var i = 0; i < 3 * version; i++)
            settled.Add(new Position("data:é", i % 2, i / 2 * 3));
        settled.EndPass("data:é", 0, 1000 + version);
        return new CheckpointState(version, epoch, OptimizerSteps: version + 1, settled,
            logs ?? new Dictionary<string, LogMark> { ["updates.jsonl"] = new(17 * version, ContentHash.Of("u" + version)) },
            new RunCounts(2 * version, version, version / 2, 5, 0.1 + version) { Truncated = version / 3, CutTokens = 7 * version }, new SortedDictionary<long, long> { [0] = version, [2] = 1 },
            new RunIdentity(new Dictionary<string, string> { ["learner.beta"] = "0.1", ["policy \"x\"\n"] = "ümlaut" }), "hash-" + version);
    }

    public static Dictionary<string, Tensor> Tensors(long version, string kind)
    {
        var random = new StableRandom(version, kind.Length, 0xC4);
        float[] Values(int count)
        {
            var values = new float[count];
            for (var i = 0; i < count; i++)
                values[i] = (float)random.Normal();
            return values;
        }
        return new Dictionary<string, Tensor>
        {
            [kind + ".matrix"] = tensor(Values(12), [3, 4], dtype: ScalarType.Float32),
            [kind + ".norm"] = tensor(Values(5), dtype: ScalarType.Float32),
        };
    }

    public static string Write(CheckpointStore store, long version, long epoch = 1, IReadOnlyDictionary<string, LogMark>? logs = null) =>
        store.Write(State(version, epoch, logs), Tensors(version, "weights"), Tensors(version, "state")).ToString();

    /// <summary>That a checkpoint is, to the last bit, the one of this version.</summary>
    public static void AssertIs(long version, Checkpoint? checkpoint, long epoch = 1, IReadOnlyDictionary<string, LogMark>? logs = null)
    {
        Assert.NotNull(checkpoint);
        AssertSame(State(version, epoch, logs), checkpoint.State);
        foreach (var (kind, actual) in new[] { ("weights", checkpoint.Weights), ("state", checkpoint.Optimizer) })
        {
            var expected = Tensors(version, kind);
            Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
            foreach (var (name, tensor) in expected)
            {
                Assert.Equal(tensor.shape, actual[name].shape);
                Assert.Equal(tensor.bytes.ToArray(), actual[name].bytes.ToArray());
            }
        }
    }

    public static void AssertSame(CheckpointState expected, CheckpointState actual)
    {
        Assert.Equal((expected.Version, expected.Epoch, expected.OptimizerSteps, expected.PolicyHash, expected.Counts),
            (actual.Version, actual.Epoch, actual.OptimizerSteps, actual.PolicyHash, actual.Counts));
        Assert.Equal(expected.Settled.ToJson().ToJsonString(), actual.Settled.ToJson().ToJsonString());
        Assert.Equal(expected.Settled.Count, actual.Settled.Count);
        Assert.Equal(expected.Logs.OrderBy(log => log.Key), actual.Logs.OrderBy(log => log.Key));
        Assert.Equal(expected.Lags.OrderBy(lag => lag.Key), actual.Lags.OrderBy(lag => lag.Key));
        Assert.Equal(expected.Identity.Values.OrderBy(value => value.Key), actual.Identity.Values.OrderBy(value => value.Key));
    }
}
