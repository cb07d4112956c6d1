using MassDpo.Selection.Kernels;

namespace MassDpo.Selection.Tests.Kernels;

/// <summary>Numbers worked out by hand and checked by numerical differentiation: any implementation must give them.</summary>
public class WorkedExampleTests
{
    private const double Beta = 0.5;
    private static readonly double[] Z = [0.5, -1, 2, 1.9];
    private static readonly double[] U = [1, 0, 0, 2, 1, 1, 1, 0.9];
    private readonly Workspace _workspace = new();

    private static KernelOptions Options(int negatives) => new() { Negatives = negatives, Beta = Beta, AbsoluteRidge = 0.1 };

    [Fact]
    public void LossAndLogSumExp()
    {
        Assert.Equal(2.838584262644317, FisherInformation.Loss(Z), 1e-14);
        Assert.Equal(2.7782943673627356, FisherInformation.LogSumExp(Z), 1e-14);
    }

    [Fact]
    public void Probabilities()
    {
        var p = new double[4];
        Assert.Equal(0.05850843994161775, FisherInformation.Probabilities(Z, p), 1e-15);
        AssertClose([0.096464109, 0.021524052, 0.432322145, 0.391181253], p, 1e-9);
    }

    [Fact]
    public void Gradient()
    {
        var gradient = new double[2];
        FisherInformation.Gradient(new Pool(Z, U, 2), Beta, gradient);
        AssertClose([0.459983754, 0.413716689], gradient, 1e-9);
    }

    [Fact]
    public void HessianAndItsBound()
    {
        var (hessian, bound) = (new double[4], new double[4]);
        FisherInformation.Hessian(new Pool(Z, U, 2), Beta, hessian);
        FisherInformation.HessianBound(new Pool(Z, U, 2), Beta, bound);
        AssertClose([0.018406823, 0.005793363, 0.005793363, 0.037657294], hessian, 1e-9);
        AssertClose([0.013456466, 0.011473290, 0.011473290, 0.012217662], bound, 1e-9);
    }

    [Fact]
    public void MassFirstGainsOfEveryCandidate()
    {
        double[] expected = [0.014011293, 0.012514750, 0.119091043, 0.098546308];
        for (var j = 0; j < 4; j++)
            Assert.Equal(expected[j], FisherInformation.Of(Objective.Mass, new Pool(Z, U, 2), [j], Options(1), _workspace), 1e-9);
    }

    [Fact]
    public void MassPicksInOrderWithTheirGains()
    {
        var picks = Kernel.Mass(new Pool(Z, U, 2), Options(3), _workspace).Picks.ToArray();
        Assert.Equal([2, 3, 0], picks.Select(pick => pick.Index));
        AssertClose([0.119091043, 0.087983418, 0.012647469], picks.Select(pick => pick.Gain!.Value), 1e-9);
        Assert.Equal(3, picks[0].RunnerUp);
        Assert.Equal(0.098546308, picks[0].RunnerUpGain!.Value, 1e-9);
    }

    [Theory]
    [InlineData(0, 1, .026526, 1.176425)]
    [InlineData(0, 2, .132321, .579499)]
    [InlineData(0, 3, .111836, .541913)]
    [InlineData(1, 2, .130907, .592331)]
    [InlineData(1, 3, .110539, .615377)]
    [InlineData(2, 3, .207074, .263929)]
    public void BothObjectivesOfEveryPair(int first, int second, double mass, double exact)
    {
        var pool = new Pool(Z, U, 2);
        Assert.Equal(mass, FisherInformation.Of(Objective.Mass, pool, [first, second], Options(2), _workspace), 1e-6);
        Assert.Equal(exact, FisherInformation.Of(Objective.Exact, pool, [first, second], Options(2), _workspace), 1e-6);
    }

    [Fact]
    public void TheObjectivesWantOppositePairs()
    {
        var pool = new Pool(Z, U, 2);
        Assert.Equal([2, 3], Indices(Kernel.Exhaustive(pool, Objective.Mass, Options(2), _workspace)));
        Assert.Equal([0, 1], Indices(Kernel.Exhaustive(pool, Objective.Exact, Options(2), _workspace)));
        Assert.Equal([2, 3], Indices(Kernel.Mass(pool, Options(2), _workspace)));
    }

    [Fact]
    public void GreedyIsNotAlwaysOptimal()
    {
        // z = 0 gives c = β²/16 = 1, so that v = u.
        var h = Math.Sqrt(0.5);
        double[] z = [0, 0, 0], v = [1.1, 0, h, h, h, -h];
        var options = new KernelOptions { Negatives = 2, Beta = 4, AbsoluteRidge = 1 };
        var greedy = Kernel.Mass(new Pool(z, v, 2), options, _workspace);
        Assert.Equal(0, greedy.Picks[0].Index);
        Assert.Equal(3.815, Math.Exp(greedy.Information!.Value), 1e-9);
        var best = Kernel.Exhaustive(new Pool(z, v, 2), Objective.Mass, options, _workspace);
        Assert.Equal([1, 2], Indices(best));
        Assert.Equal(4, Math.Exp(best.Information!.Value), 1e-9);
    }

    private static int[] Indices(SelectionResult result) => [.. result.Picks.ToArray().Select(pick => pick.Index)];

    private static void AssertClose(double[] expected, IEnumerable<double> actual, double tolerance) =>
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, tolerance));
}
