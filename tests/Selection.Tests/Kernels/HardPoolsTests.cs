namespace MassDpo.Selection.Tests.Kernels;

public class HardPoolsTests
{
    [Fact]
    public void TenThousandHardPoolsAreChosenFromAsTheReferenceDoesWithinTheCertificateAndWithoutAllocating()
    {
        var pools = new HardPools();
        for (var number = 0; number < 10_000; number++)
            Assert.Null(pools.Check(number));
        Assert.Equal(0, pools.Allocated);
        Assert.InRange(pools.WorstIncrease, 0, 1e-9);
        Assert.InRange(pools.WorstBound, -1e-9, double.PositiveInfinity);
        Assert.InRange(pools.Exhausted, 8_000, 10_000);
        Assert.Equal(6, pools.Checked.Count);
    }
}
