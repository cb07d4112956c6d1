using MassDpo.Policy.Safetensors;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Safetensors;

public sealed class SafetensorsMutationTests
{
    private const int Mutants = 10_000;

    [Fact]
    public void Whatever_is_done_to_a_file_it_is_read_or_refused_and_nothing_is_left_behind()
    {
        byte[] whole;
        using (NewDisposeScope())
        {
            var (empty, halves) = (zeros(0, dtype: ScalarType.Int64), zeros(2, 2, dtype: ScalarType.BFloat16));
            whole = MadeFile.Written(("model.norm.weight", ones(3)), ("b", halves), ("empty", empty), ("one", tensor(5L)));
        }
        var header = whole[8..(8 + (int)BitConverter.ToInt64(whole))];
        var data = whole[(8 + header.Length)..];
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var (valid, reasons) = (0, new HashSet<string>());
        for (var i = 0; i < Mutants; i++)
        {
            var random = new StableRandom(i, 0x5AFE);
            // Half of them keep a prefix that fits, or the length of the header would be all that is ever tested.
            var mutant = i % 2 == 0 ? Mutations.Of(whole, ref random) : MadeFile.Of(Mutations.Of(header, ref random), data);
            try
            {
                using var stream = new MemoryStream(mutant);
                foreach (var t in SafetensorsFile.Read(stream, "x").Values)
                    t.Dispose();
                valid++;
            }
            catch (PolicyFormatException e)
            {
                reasons.Add(e.Message.Split(' ')[7]);
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{System.Text.Encoding.UTF8.GetString(mutant)}");
            }
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.InRange(valid, Mutants / 50, Mutants / 2);
        Assert.InRange(reasons.Count, 4, 100);
    }
}
