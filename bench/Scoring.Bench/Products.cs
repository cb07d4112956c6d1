using System.Diagnostics;
using MassDpo.Policy.Fused;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace MassDpo.Scoring.Bench;

/// <summary>Products of matrices as the workloads have them: native/fused against what tensor operations use.</summary>
internal static class Products
{
    // m rows, n outputs, k inputs.
    private static readonly (int M, int N, int K)[] Sizes =
        [(352, 128, 64), (352, 344, 64), (352, 64, 172), (32, 4609, 64), (556, 288, 288), (96, 1536, 288), (96, 288, 768), (96, 4096, 288)];

    public static void Compare()
    {
        Console.WriteLine("Products of matrices, GFLOP/s");
        foreach (var (m, n, k) in Sizes)
        {
            using var scope = NewDisposeScope();
            var (a, w, c) = (randn(m, k), randn(n, k), new float[m * n]);
            float[] given = a.data<float>().ToArray(), weights = w.data<float>().ToArray();
            var flops = 2.0 * m * n * k;
            var times = (int)Math.Max(1, 4e8 / flops);
            var (fused, tensors) = (new List<double>(), new List<double>());
            for (var round = 0; round < 25; round++)
            {
                var start = Stopwatch.GetTimestamp();
                FusedLibrary.Multiply(-1, m, n, k, given, weights, c, times);
                fused.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                start = Stopwatch.GetTimestamp();
                for (var i = 0; i < times; i++)
                    linear(a, w).Dispose();
                tensors.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
            Console.WriteLine($"  [{m} × {k}]·[{k} × {n}]: fused {Speed(Median(fused)):N1} (best {Speed(fused.Min()):N1}), "
                + $"tensor operations {Speed(Median(tensors)):N1} (best {Speed(tensors.Min()):N1})");

            double Speed(double seconds) => flops * times / seconds / 1e9;
        }
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
