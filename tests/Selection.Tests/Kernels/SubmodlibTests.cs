using System.IO.Compression;
using System.Text.Json;
using MassDpo.Selection.Kernels;
using MassDpo.TestKit;

namespace MassDpo.Selection.Tests.Kernels;

public class SubmodlibTests
{
    [SharedDataFact("fixtures/submodlib/greedy.jsonl.gz")]
    public void MassPicksAsSubmodlibDoesWithGainsTo1e6()
    {
        var workspace = new Workspace();
        using var file = File.OpenRead(SharedData.PathOf("fixtures/submodlib/greedy.jsonl.gz"));
        using var reader = new StreamReader(new GZipStream(file, CompressionMode.Decompress));
        var cases = 0;
        for (; reader.ReadLine() is { } line; cases++)
        {
            var golden = JsonSerializer.Deserialize<Golden>(line, JsonSerializerOptions.Web)!;
            var options = new KernelOptions { Negatives = golden.K, Beta = golden.Beta, Ridge = golden.Rho };
            var result = Kernel.Mass(new Pool(golden.Z, golden.U.SelectMany(row => row).ToArray(), golden.D), options, workspace);
            var picks = result.Picks.ToArray();
            Assert.Equal(golden.Gamma, result.Ridge!.Value, 1e-12 * golden.Gamma);
            Assert.Equal(golden.Picks, picks.Select(pick => pick.Index));
            Assert.All(golden.Gains.Zip(picks), pair => Assert.Equal(pair.First, pair.Second.Gain!.Value, 1e-6));
        }

        Assert.Equal(120, cases);
    }

    private sealed record Golden(int D, int K, double Beta, double Rho, double Gamma, double[] Z, double[][] U, int[] Picks, double[] Gains);
}
