using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;
using Microsoft.Extensions.Configuration;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public sealed class HoconConfigurationTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AFileFeedsTheConfiguration()
    {
        var path = _folder.Write("app.conf", """
            learner { beta = 0.50, "max-staleness" = 4, sub { on = true } }
            list = [a, { b = 1, c = [x, y] }, 2]
            empty-list = [], empty-block {}, nothing = null, text = ${learner.beta}"!"
            """);
        var configuration = new ConfigurationBuilder().AddHoconFile(path).Build();
        var expected = new Dictionary<string, string?>
        {
            ["learner:beta"] = "0.50",
            ["learner:max-staleness"] = "4",
            ["Learner:Sub:ON"] = "true",
            ["list:0"] = "a",
            ["list:1:b"] = "1",
            ["list:1:c:1"] = "y",
            ["list:2"] = "2",
            ["empty-list"] = "",
            ["empty-block"] = null,
            ["nothing"] = null,
            ["text"] = "0.50!",
        };
        Assert.All(expected, pair => Assert.Equal(pair.Value, configuration[pair.Key]));
        Assert.Equal(["0", "1", "2"], configuration.GetSection("list").GetChildren().Select(child => child.Key));
        Assert.Equal(["empty-block", "empty-list", "learner", "list", "nothing", "text"],
            configuration.GetChildren().Select(child => child.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void LaterSourcesWinAndReloadingReadsAgain()
    {
        var path = _folder.Write("app.conf", "a = 1, b = 1");
        var configuration = new ConfigurationBuilder().AddHocon(Resolve("a = 0, b = 0, c = 0")).AddHoconFile(path)
            .AddInMemoryCollection([new("b", "2")]).Build();
        Assert.Equal(["1", "2", "0"], new[] { "a", "b", "c" }.Select(key => configuration[key]));
        _folder.Write("app.conf", "a = 3");
        configuration.Reload();
        Assert.Equal(["3", "2", "0"], new[] { "a", "b", "c" }.Select(key => configuration[key]));
    }

    [Fact]
    public void AFileMayBeOptional()
    {
        Assert.Empty(new ConfigurationBuilder().AddHoconFile(_folder["no.conf"], optional: true).Build().AsEnumerable());
        Assert.Throws<HoconException>(() => new ConfigurationBuilder().AddHoconFile(_folder["no.conf"]).Build());
    }

    [Theory]
    [InlineData("a.b = 1\na.B = 2", 7, "a:B")]
    [InlineData("a.b = 1\n\"a:b\" = 2", 9, "a:b")]
    [InlineData("a.b = null\nA.b = null", 7, "A:b")]
    public void KeysThatTheConfigurationCannotTellApartAreRefused(string text, int column, string key) =>
        Refuses(() => new ConfigurationBuilder().AddHocon(Resolve(text)).Build(), $"test.conf:2:{column}", key, "test.conf:1:7");
}
