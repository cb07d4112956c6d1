using BenchmarkDotNet.Attributes;
using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Bench;

/// <summary>
/// Time and bytes per selection, on one core, with features as a model gives them. In this process: the tool's own build of a project apart does not
/// know where this repository's output lies.
/// </summary>
[InProcess]
[MemoryDiagnoser]
[MedianColumn]
public class KernelBenchmarks
{
    private readonly Workspace _workspace = new();
    private double[] _z = [];
    private float[] _features = [];
    private KernelOptions _options = new() { Negatives = 0, Beta = 1 };

    [Params("20,64,3", "20,256,3", "100,256,8", "1000,256,16")]
    public string Size { get; set; } = "";

    private int Dimension { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var size = Size.Split(',').Select(int.Parse).ToArray();
        Dimension = size[1];
        _options = new KernelOptions { Negatives = size[2], Beta = 1 };
        var random = new StableRandom(7);
        _z = new double[size[0]];
        _features = new float[size[0] * Dimension];
        foreach (ref var z in _z.AsSpan())
            z = 2 * random.Normal();
        foreach (ref var feature in _features.AsSpan())
            feature = (float)random.Normal();
    }

    [Benchmark(Baseline = true)]
    public double Mass() => Kernel.Mass(new Pool(_z, _features, Dimension), _options, _workspace).Information!.Value;

    [Benchmark]
    public double Exact() => Kernel.Exact(new Pool(_z, _features, Dimension), _options, _workspace).Information!.Value;
}
