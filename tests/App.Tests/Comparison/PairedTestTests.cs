using MassDpo.App.Comparison;

namespace MassDpo.App.Tests.Comparison;

public sealed class PairedTestTests
{
    [Fact]
    public void It_is_the_t_test_of_the_tables()
    {
        // Differences −1, 2, 3, 4: mean 2, standard deviation √(14/3), t = 1.8516 with 3 degrees of freedom.
        var test = PairedTest.Of([0, 3, 5, 8], [1, 1, 2, 4]);
        Assert.Equal(2, test.Difference);
        Assert.Equal(0.161, test.P!.Value, 0.0005);
        // With 1 degree of freedom t is Cauchy's: p = 1 − (2/π) atan t.
        Assert.Equal(1 - 2 / Math.PI * Math.Atan(3), PairedTest.Of([1, 2], [0, 0]).P!.Value, 1e-12);
        Assert.Equal(PairedTest.Of([0, 3, 5, 8], [1, 1, 2, 4]).P, PairedTest.Of([1, 1, 2, 4], [0, 3, 5, 8]).P);
    }

    [Fact]
    public void Without_spread_it_is_certain_and_of_one_pair_it_says_nothing()
    {
        Assert.Equal(new PairedTest(0, 1), PairedTest.Of([1, 2], [1, 2]));
        Assert.Equal(new PairedTest(1, 0), PairedTest.Of([2, 3], [1, 2]));
        Assert.Equal(new PairedTest(0.5, null), PairedTest.Of([1], [0.5]));
    }

    [Fact]
    public void A_deviation_is_that_of_a_sample()
    {
        Assert.Equal(new Statistics(2, 1), Statistics.Of([1, 2, 3]));
        Assert.Equal(new Statistics(7, null), Statistics.Of([7]));
    }
}
