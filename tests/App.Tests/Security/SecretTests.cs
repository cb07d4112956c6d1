using MassDpo.App.Tests.Running;
using MassDpo.Kafka.Development;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Security;

/// <summary>Secrets that are planted wherever one may be given stand nowhere in what is printed or written, whatever becomes of the call.</summary>
public sealed class SecretTests(SimulatedStream stream) : IClassFixture<SimulatedStream>, IDisposable
{
    // None is part of another, nor of anything else that is said.
    private static readonly string[] Secrets = ["hunter2-sasl", "hunter3-key", "hunter4-keystore", "hunter5-jaas", "hunter6-token", "hunter7-oauth", "hunter8-url", "hunter9-flag", "hunter10-pem", "hunter11-header"];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // Properties that librdkafka takes without TLS or SASL being on, so that runs work.
    private string Settings(params string[] more) => _folder.Write("run.conf", string.Join('\n',
    [
        "kafka.client { sasl.username = anna, sasl.password = hunter2-sasl, ssl.key.password = hunter3-key, ssl.keystore.password = hunter4-keystore, sasl.oauthbearer.config = hunter7-oauth,",
        "  fetch.wait.max.ms = 5, session.timeout.ms = 4000, heartbeat.interval.ms = 50 }",
        "watch { listen = \"127.0.0.1:0\", otlp = \"http://127.0.0.1:9\" }",
        "learner.batch = 8, selection.block = 3, runtime.progress = 100ms, checkpoint.updates = 2", .. more,
    ]));

    private static readonly (string, string)[] InEnvironment =
        [("MASSDPO__WATCH__TOKEN", "hunter6-token"), ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter11-header"), ("MASSDPO_TRACE", "1")];

    [Theory]
    [InlineData("validate", 0)]
    [InlineData("run on a file", 0)]
    [InlineData("run over topics", 0)]
    [InlineData("a broker that is not there", 1)]
    [InlineData("a property that is none", 1)]
    [InlineData("a value that is none", 1)]
    [InlineData("a value that is none under a key in quotes", 1)]
    [InlineData("a key that is none", 1)]
    [InlineData("a password in the address of a collector", 2)]
    [InlineData("a token that is none", 2)]
    [InlineData("a setting that is none", 2)]
    public async Task None_is_printed_or_written(string call, int code)
    {
        using var broker = new MockBroker();
        broker.CreateTopic("records", 1);
        var output = _folder["out"];
        string[] whole = ["--policy", stream.PolicyDirectory, "--output", output, "--config"];
        string[] topics = ["run", "--bootstrap", broker.Bootstrap, "--set", "kafka.topics.input=records", .. whole];
        if (call == "run over topics")
        {
            var fed = await Call(["produce", "--data", stream.Data, "--topic", "records", "--end", "--bootstrap", broker.Bootstrap, "--config", Settings()]);
            Assert.True(fed.ExitCode == 0, fed.Error);
        }
        var called = await Call(call switch
        {
            "validate" => ["validate", Settings()],
            "run on a file" => ["run", "--data", stream.Data, "--set", "kafka.client.sasl.password=hunter9-flag", .. whole, Settings()],
            "run over topics" => [.. topics, Settings(), "--set", "kafka.client.sasl.password=hunter9-flag"],
            "a broker that is not there" => ["produce", "--data", stream.Data, "--topic", "records", "--bootstrap", "127.0.0.1:1", "--set", "kafka.client.message.timeout.ms=1", "--config", Settings()],
            "a property that is none" => [.. topics, Settings("kafka.client.sasl.jaas.config = \"PlainLoginModule password=hunter5-jaas\"")],
            "a value that is none" => [.. topics, Settings("kafka.client.ssl.key.pem = \"hunter10-pem\"", "kafka.client.security.protocol = ssl")],
            "a value that is none under a key in quotes" => [.. topics, Settings("kafka.client.\"ssl.key.pem\" = \"hunter10-pem\"", "kafka.client.\"security.protocol\" = ssl")],
            "a key that is none" => [.. topics, Settings("kafka.client.sasl.passwort = hunter2-sasl")],
            "a password in the address of a collector" => ["run", "--data", stream.Data, .. whole, Settings("watch.otlp = \"http://me:hunter8-url@127.0.0.1:4318\"")],
            "a token that is none" => ["run", "--data", stream.Data, "--set", "watch.token=\"hunter9-flag with spaces\"", .. whole, Settings()],
            "a setting that is none" => ["run", "--data", stream.Data, "--set", "watch.tokem=hunter9-flag", .. whole, Settings()],
            _ => throw new ArgumentException(call, nameof(call)),
        });
        Assert.True(called.ExitCode == code, $"{called.ExitCode}\n{called.Error}");
        Search("standard output", called.Out);
        Search("standard error", called.Error);
        if (code == 0 && call != "validate")
            Assert.True(File.Exists(Path.Combine(output, "report.json")));
        if (Directory.Exists(output))
            foreach (var file in Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories))
                Search(file, File.ReadAllText(file, System.Text.Encoding.Latin1));
    }

    private static void Search(string place, string text)
    {
        foreach (var secret in Secrets)
            Assert.False(text.Contains(secret, StringComparison.Ordinal), $"{secret} stands in {place}:\n{(text.Length < 4000 ? text : "")}");
    }

    private static Task<Called> Call(IEnumerable<string> words) => ProgramProcess.Run(ProgramProcess.MassDpo, words, InEnvironment);
}
