using MassDpo.App.Comparison;
using MassDpo.Selection;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Tests.Comparison;

public sealed class ComparisonOptionsTests
{
    [Fact]
    public void Each_selector_is_tried_with_each_number_and_the_full_pool_once()
    {
        var options = Read("compare.selectors=\"random, mass,all\"", "compare.negatives=\"1,3\"");
        Assert.Equal(["random-1", "random-3", "mass-1", "mass-3", "all"], options.Arms.Select(arm => arm.FullName));
        Assert.Equal(["", "", "random-1", "random-3", "random-1"], options.Arms.Select(arm => options.BaselineOf(arm)?.FullName ?? ""));
    }

    [Fact]
    public void Against_the_full_pool_or_against_nobody()
    {
        Assert.Equal("all", Read("compare.selectors=\"mass,all\"", "compare.baseline=all") is var all ? all.BaselineOf(all.Arms[0])!.FullName : null);
        Assert.Null(Read("compare.selectors=\"mass,all\"") is var none ? none.BaselineOf(none.Arms[0]) : null);
    }

    [Theory]
    [InlineData("compare.selectors=\"mass,masss\"", "'masss'")]
    [InlineData("compare.selectors=\"\"", "''")]
    [InlineData("compare.selectors=\"mass:heads\"", "'mass:heads'")]
    [InlineData("compare.selectors=\"random:head\"", "'random:head'")]
    [InlineData("compare.selectors=\"mass,mass\"", "'mass' twice")]
    [InlineData("compare.negatives=\"0\"", "'0'")]
    [InlineData("compare.negatives=\"3,x\"", "'x'")]
    [InlineData("compare.seeds=0", "compare.seeds")]
    [InlineData("compare.points=0", "compare.points")]
    [InlineData("compare.jobs=0", "compare.jobs")]
    public void What_cannot_be_compared_is_named(string setting, string named) =>
        Assert.Contains(named, Assert.Throws<HoconException>(() => Read(setting)).Message);

    [Fact]
    public void The_default_is_random_mass_and_the_full_pool() =>
        Assert.Equal([(SelectionMethod.Random, 3), (SelectionMethod.Mass, 3), (SelectionMethod.All, 3)], Read().Arms.Select(arm => (arm.Method, arm.Negatives)));

    [Fact]
    public void Features_may_be_named_with_a_selector() =>
        Assert.Equal(["mass-3", "mass:head-3", "exact:output-3"], Read("compare.selectors=\"mass,mass:head,exact:output\"").Arms.Select(arm => arm.FullName));

    private static ComparisonOptions Read(params string[] settings) => ComparisonOptions.From(EffectiveSettings.Load(null, [], settings, []));
}
