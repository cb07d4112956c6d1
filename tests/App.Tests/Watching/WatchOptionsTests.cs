using MassDpo.App.Running;
using MassDpo.App.Watching;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.App.Tests.Watching;

public sealed class WatchOptionsTests
{
    private const string Token = "c2VjcmV0-b~f._x/y+z==";

    [Fact]
    public void By_default_a_process_is_not_watched()
    {
        var options = From();
        Assert.Equal((null, null, null), (options.Listen, options.Token, options.Otlp));
    }

    [Theory]
    [InlineData("127.0.0.1:9464", "127.0.0.1", 9464)]
    [InlineData("127.9.9.9:0", "127.9.9.9", 0)]
    [InlineData("localhost:65535", "localhost", 65535)]
    [InlineData("[::1]:1", "::1", 1)]
    public void Where_only_this_machine_can_reach_it_no_token_is_needed(string listen, string host, int port) => Assert.Equal((host, port), From($"watch.listen=\"{listen}\"").Listen);

    [Theory]
    [InlineData("0.0.0.0:9464")]
    [InlineData("[::]:9464")]
    [InlineData("10.0.0.1:9464")]
    [InlineData("localhost.example.org:9464")]
    [InlineData("learner-0:9464")]
    public void Where_others_can_reach_it_a_token_is(string listen)
    {
        Assert.Equal("watch.listen", Refused($"watch.listen=\"{listen}\"", "set watch.token (MASSDPO__WATCH__TOKEN in the environment)"));
        var options = From($"watch.listen=\"{listen}\"", $"watch.token=\"{Token}\"");
        Assert.Equal((true, Token), (options.Listen is not null, options.Token));
    }

    [Theory]
    [InlineData("9464")]
    [InlineData(":9464")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("127.0.0.1:-1")]
    [InlineData("127.0.0.1:http")]
    [InlineData("::1:9464")]
    [InlineData("[1.2.3.4:9464")]
    [InlineData("http://127.0.0.1:9464")]
    [InlineData("a b:9464")]
    public void A_place_that_is_none_is_refused(string listen) => Assert.Equal("watch.listen", Refused($"watch.listen=\"{listen}\"", $"'{listen}'"));

    [Theory]
    [InlineData("localhost:4318")]
    [InlineData("ftp://localhost")]
    [InlineData("/v1/metrics")]
    [InlineData("http://me:hunter2@localhost:4318")]
    [InlineData("http://localhost:4318/?key=hunter2")]
    public void A_collector_that_is_none_is_refused_without_its_secrets(string otlp) => Assert.Equal("watch.otlp", Refused($"watch.otlp=\"{otlp}\"", "http://127.0.0.1:4318"));

    [Fact]
    public void The_token_is_told_nowhere()
    {
        Assert.Equal("watch.token", Refused("watch.token=\"hunter2 hunter2\"", "characters that a header cannot carry"));
        var settings = EffectiveSettings.Load(null, [], [$"watch.token=\"{Token}\""], []);
        Assert.DoesNotContain(settings.Effective, setting => setting.Value.Contains(Token, StringComparison.Ordinal));
        Assert.DoesNotContain(RunOptions.From(settings).Settings, setting => setting.Key.StartsWith("watch.", StringComparison.Ordinal) || setting.Value.Contains(Token, StringComparison.Ordinal));
        Assert.DoesNotContain(Token, $"{WatchOptions.From(settings)}");
    }

    private static WatchOptions From(params string[] assignments) => WatchOptions.From(EffectiveSettings.Load(null, [], assignments, []));

    private static string? Refused(string assignment, string message)
    {
        var error = Assert.Throws<HoconException>(() => From(assignment));
        Assert.Contains(message, error.Message);
        Assert.DoesNotContain("hunter2", error.Message);
        return error.Key;
    }
}
