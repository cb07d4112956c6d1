using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.App.Watching;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.App.Tests.Watching;

/// <summary>What a process tells of itself over HTTP.</summary>
public sealed class ProcessWatchTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    private const string Token = "open-sesame";

    [Fact]
    public async Task Health_says_what_is_missing_until_nothing_is_and_why_the_host_gave_up()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        await using var watch = await Start(host, "watch.listen=\"127.0.0.1:0\"");
        using var client = new HttpClient { BaseAddress = watch.Address };
        Assert.Equal((200, """{"status":"live"}"""), await Get(client, "health/live"));
        Assert.Equal((503, """{"status":"not ready","lacking":{"process":"it has not begun"}}"""), await Get(client, "health/ready"));
        host.Lacks("selector-1", "it has no \"snapshot\"");
        host.Lacks("ingest", null);
        Assert.Equal((503, """{"status":"not ready","lacking":{"selector-1":"it has no \"snapshot\""}}"""), await Get(client, "health/ready"));
        host.Lacks("selector-1", null);
        Assert.Equal((200, """{"status":"ready"}"""), await Get(client, "health/ready"));
        host.Spawn<int>("broken", _ => throw new FatalActorException("the disk is full"));
        await Assert.ThrowsAsync<FatalActorException>(() => host.Failure);
        foreach (var path in new[] { "health/live", "health/ready" })
            Assert.Equal((503, """{"status":"failed","reason":"the disk is full"}"""), await Get(client, path));
    }

    [Fact]
    public async Task A_process_of_several_hosts_is_ready_when_all_are_and_shows_its_cluster()
    {
        using var instruments = new Instruments(TimeProvider.System);
        await using var first = new LocalHost(TimeProvider.System, NullLogger.Instance, instruments);
        await using var second = new LocalHost(TimeProvider.System, NullLogger.Instance, instruments);
        var options = WatchOptions.From(EffectiveSettings.Load(null, [], ["watch.listen=\"127.0.0.1:0\""], []));
        await using var watch = await ProcessWatch.StartAsync(options, new Watched(() => HostHealth.Of([first.Health, second.Health, HostHealth.NotBegun]), instruments.Meter)
        {
            Cluster = () => new JsonObject { ["node"] = "here" },
        }, NullLogger.Instance);
        using var client = new HttpClient { BaseAddress = watch.Address };
        first.Lacks("learner", null);
        second.Lacks("selector-1", "it has no snapshot");
        Assert.Equal((503, """{"status":"not ready","lacking":{"selector-1":"it has no snapshot"},"cluster":{"node":"here"}}"""), await Get(client, "health/ready"));
        second.Lacks("selector-1", null);
        Assert.Equal((200, """{"status":"ready","cluster":{"node":"here"}}"""), await Get(client, "health/ready"));
        second.Fail(new IOException("the disk is full"));
        Assert.Equal((503, """{"status":"failed","reason":"the disk is full","cluster":{"node":"here"}}"""), await Get(client, "health/live"));
    }

    [Fact]
    public async Task With_a_token_nothing_is_told_to_who_does_not_bring_it()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        await using var watch = await Start(host, "watch.listen=\"0.0.0.0:0\"", $"watch.token=\"{Token}\"");
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{watch.Address!.Port}") };
        foreach (var wrong in new[] { null, "Bearer", "Bearer open", $"Bearer {Token}x", $"Basic {Token}", Token })
            foreach (var path in new[] { "health/live", "health/ready", "metrics", "nothing" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, path);
                if (wrong is not null)
                    request.Headers.TryAddWithoutValidation("Authorization", wrong);
                using var answer = await client.SendAsync(request);
                Assert.Equal((HttpStatusCode.Unauthorized, "Bearer"), (answer.StatusCode, answer.Headers.WwwAuthenticate.Single().Scheme));
                Assert.DoesNotContain(Token, await answer.Content.ReadAsStringAsync());
            }
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("bearer", Token);
        Assert.Equal(200, (await Get(client, "health/live")).Status);
        Assert.Equal(200, (await Get(client, "metrics")).Status);
        Assert.Equal(404, (await Get(client, "nothing")).Status);
    }

    [Fact]
    public async Task A_place_that_is_taken_is_named()
    {
        await using var host = new LocalHost(TimeProvider.System, NullLogger.Instance);
        using var taken = new Socket(SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        var place = $"127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}";
        var error = await Assert.ThrowsAsync<IOException>(() => Start(host, $"watch.listen=\"{place}\""));
        Assert.Contains($"watch.listen = {place}", error.Message);
    }

    [Fact]
    public async Task A_run_tells_on_standard_error_where_it_can_be_watched_and_does_so_to_its_end()
    {
        var output = stream.NewOutput();
        using var process = ProgramProcess.Start(ProgramProcess.MassDpo, ["run", "--data", stream.Data, "--policy", stream.PolicyDirectory, "--output", output, "--batch", "8", "--selector", "random",
            "--passes", "100000", "--selectors", "2", "--max-staleness", "1", "--set", "runtime.progress=100ms", "--set", "checkpoint.updates=1", "--set", "watch.listen=\"127.0.0.1:0\""], ("MASSDPO__WATCH__TOKEN", Token));
        var told = await process.NextError();
        Assert.StartsWith("health and metrics are at http://127.0.0.1:", told);
        using var client = new HttpClient { BaseAddress = new Uri(told!.Split(' ')[^1]) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        Assert.Equal(200, (await Get(client, "health/live")).Status);
        // A second update was made: whoever was needed for it was there, and the first is in a checkpoint.
        Assert.Contains(" records · ", await process.NextError());
        Assert.Contains(" records · ", await process.NextError());
        Assert.Equal((200, """{"status":"ready"}"""), await Get(client, "health/ready"));
        var metrics = Exposition.Parse((await Get(client, "metrics")).Body);
        Assert.True(metrics["massdpo_records_applied_total"] > 0);
        Assert.Equal(["actor=learner", "actor=selector-1", "actor=selector-2"], metrics.SamplesOf("massdpo_version").Select(sample => sample.Labels));
        Assert.True(metrics["massdpo_checkpoint_duration_seconds_count"] > 0);
        await process.Signal("TERM");
        var end = await process.End();
        Assert.Equal(0, end.ExitCode);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync("health/live"));
        foreach (var file in Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories))
            Assert.DoesNotContain(Token, File.ReadAllText(file));
        Assert.DoesNotContain(Token, end.Out + end.Error);
        Assert.Null(JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!["settings"]!["watch.listen"]);
    }

    private static Task<ProcessWatch> Start(ActorHost host, params string[] assignments) =>
        ProcessWatch.StartAsync(WatchOptions.From(EffectiveSettings.Load(null, [], assignments, [])), host, NullLogger.Instance).AsTask();

    private static async Task<(int Status, string Body)> Get(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        var body = await answer.Content.ReadAsStringAsync();
        return ((int)answer.StatusCode, path == "metrics" ? body : body.TrimEnd('\n'));
    }
}
