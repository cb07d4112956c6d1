using MassDpo.Selection.Kernels;
using MassDpo.Shared.Numerics;

namespace MassDpo.Selection.Tests.Kernels;

public class FisherInformationTests
{
    private readonly Workspace _workspace = new();

    [Theory]
    [InlineData(1e4, 1e4)]
    [InlineData(-1e4, 0)]
    [InlineData(0, 0.6931471805599453)]
    [InlineData(-40, 4.248354255291589e-18)]
    public void LossOfOneNegativeIsSoftplusWithoutOverflowOrLoss(double z, double loss)
    {
        Assert.Equal(loss, FisherInformation.Loss([z]), 1e-15 * loss);
        var p = new double[1];
        var p0 = FisherInformation.Probabilities([z], p);
        Assert.Equal(1 / (1 + Math.Exp(-z)), p[0], 1e-14);
        Assert.Equal(1, p0 + p[0], 1e-14);
    }

    [Fact]
    public void LossOfNothingIsZero() => Assert.Equal(0, FisherInformation.Loss([]));

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void LossRefusesWhatIsNotFinite(double z) =>
        Assert.Equal(1, Assert.Throws<RefusedPoolException>(() => FisherInformation.Loss([0, z])).Index);

    [Fact]
    public void GradientAndHessianAreTheDerivativesOfTheLoss()
    {
        const double beta = 0.7, step = 1e-4;
        var (z, u) = Draw(n: 5, d: 3, seed: 1);
        double LossAt(double[] theta) => FisherInformation.Loss(
            [.. z.Select((value, j) => value + beta * Enumerable.Range(0, 3).Sum(i => u[j * 3 + i] * theta[i]))]);
        var (gradient, hessian) = (new double[3], new double[9]);
        FisherInformation.Gradient(new Pool(z, u, 3), beta, gradient);
        FisherInformation.Hessian(new Pool(z, u, 3), beta, hessian);
        for (var a = 0; a < 3; a++)
        {
            var slope = (LossAt(Unit((a, step))) - LossAt(Unit((a, -step)))) / (2 * step);
            Assert.Equal(slope, gradient[a], 1e-7);
            for (var b = 0; b < 3; b++)
            {
                var curvature = (LossAt(Unit((a, step), (b, step))) - LossAt(Unit((a, step), (b, -step)))
                    - LossAt(Unit((a, -step), (b, step))) + LossAt(Unit((a, -step), (b, -step)))) / (4 * step * step);
                Assert.Equal(curvature, hessian[a * 3 + b], 1e-6);
            }
        }

        static double[] Unit(params (int Index, double Step)[] steps)
        {
            var theta = new double[3];
            foreach (var (index, value) in steps)
                theta[index] += value;
            return theta;
        }
    }

    [Fact]
    public void HessianExceedsItsBoundByTheTermsBetweenNegatives()
    {
        const double beta = 1.3;
        var (z, u) = Draw(n: 6, d: 4, seed: 2);
        var (hessian, bound, p) = (new double[16], new double[16], new double[6]);
        FisherInformation.Hessian(new Pool(z, u, 4), beta, hessian);
        FisherInformation.HessianBound(new Pool(z, u, 4), beta, bound);
        FisherInformation.Probabilities(z, p);
        for (var a = 0; a < 4; a++)
            for (var b = 0; b < 4; b++)
            {
                var between = 0.0;
                for (var i = 0; i < 6; i++)
                    for (var j = 0; j < i; j++)
                        between += p[i] * p[j] * (u[i * 4 + a] - u[j * 4 + a]) * (u[i * 4 + b] - u[j * 4 + b]);
                Assert.Equal(beta * beta * between, hessian[a * 4 + b] - bound[a * 4 + b], 1e-14);
            }
    }

    [Fact]
    public void MassObjectiveIsTheDeterminantOfRidgeAndBoundOverTheRidge()
    {
        const double beta = 0.8, ridge = 0.02;
        var (z, u) = Draw(n: 6, d: 2, seed: 3);
        var bound = new double[4];
        FisherInformation.HessianBound(new Pool(z, u, 2), beta, bound);
        var determinant = (1 + bound[0] / ridge) * (1 + bound[3] / ridge) - bound[1] * bound[2] / (ridge * ridge);
        var options = new KernelOptions { Negatives = 6, Beta = beta, AbsoluteRidge = ridge };
        Assert.Equal(Math.Log(determinant), FisherInformation.Of(Objective.Mass, new Pool(z, u, 2), [0, 1, 2, 3, 4, 5], options, _workspace), 1e-12);
        Assert.Equal(Math.Log(determinant), Kernel.Mass(new Pool(z, u, 2), options, _workspace).Information!.Value, 1e-12);
    }

    [Fact]
    public void ExactObjectiveOfTheWholePoolIsTheDeterminantOfRidgeAndHessianOverTheRidge()
    {
        const double beta = 0.8, ridge = 0.02;
        var (z, u) = Draw(n: 6, d: 2, seed: 4);
        var hessian = new double[4];
        FisherInformation.Hessian(new Pool(z, u, 2), beta, hessian);
        var determinant = (1 + hessian[0] / ridge) * (1 + hessian[3] / ridge) - hessian[1] * hessian[2] / (ridge * ridge);
        var options = new KernelOptions { Negatives = 6, Beta = beta, AbsoluteRidge = ridge };
        Assert.Equal(Math.Log(determinant), FisherInformation.Of(Objective.Exact, new Pool(z, u, 2), [0, 1, 2, 3, 4, 5], options, _workspace), 1e-12);
        Assert.Equal(Math.Log(determinant), Kernel.Exact(new Pool(z, u, 2), options, _workspace).Information!.Value, 1e-12);
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(3, 7)]
    [InlineData(7, 3)]
    public void EffectiveRankCountsEqualDirectionsOnEitherSide(int n, int d)
    {
        // Candidate j points along axis j mod d, with the same z.
        var u = new float[n * d];
        for (var j = 0; j < n; j++)
            u[j * d + j % d] = 2;
        var perAxis = Enumerable.Range(0, n).GroupBy(j => j % d).Select(group => (double)group.Count()).ToArray();
        var expected = n * n / perAxis.Sum(count => count * count);
        var options = new KernelOptions { Negatives = 1, Beta = 1 };
        Assert.Equal(expected, FisherInformation.EffectiveRank(new Pool(new double[n], u, d), options, _workspace), 1e-12);
    }

    [Fact]
    public void EffectiveRankIsTheSameFromEitherSideOfK()
    {
        var (z, u) = Draw(n: 5, d: 3, seed: 5);
        // Columns of zeros change nothing but which side is the smaller.
        var wide = Enumerable.Range(0, 5).SelectMany(j => u[(3 * j)..(3 * j + 3)].Concat(new double[4])).ToArray();
        var options = new KernelOptions { Negatives = 1, Beta = 1 };
        var narrow = FisherInformation.EffectiveRank(new Pool(z, u, 3), options, _workspace);
        Assert.InRange(narrow, 1.1, 2.9);
        Assert.Equal(narrow, FisherInformation.EffectiveRank(new Pool(z, wide, 7), options, _workspace), 1e-12);
    }

    [Fact]
    public void EffectiveRankOfOneDirectionIsOneAndOfNoneZero()
    {
        var options = new KernelOptions { Negatives = 1, Beta = 1 };
        Assert.Equal(1, FisherInformation.EffectiveRank(new Pool([0, 1, 2], [1d, 1, 2, 2, -3, -3], 2), options, _workspace), 1e-12);
        Assert.Equal(0, FisherInformation.EffectiveRank(new Pool([0, 1, 2], new float[6], 2), options, _workspace));
    }

    private static (double[] Z, double[] U) Draw(int n, int d, long seed)
    {
        var random = new StableRandom(seed);
        var (z, u) = (new double[n], new double[n * d]);
        foreach (ref var value in z.AsSpan())
            value = random.Normal();
        foreach (ref var value in u.AsSpan())
            value = random.Normal();
        return (z, u);
    }
}
