using System.Text.Json.Nodes;
using MassDpo.App.Tests.Running;
using MassDpo.Ingest.Records;
using MassDpo.Kafka.Development;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Kafka;

/// <summary>Processes of one run that are joined over a Kafka in this process, on the records and the policy of <see cref="SimulatedStream"/>.</summary>
internal sealed class KafkaProcesses : IDisposable
{
    private readonly MockBroker _broker = new();
    private readonly TempFolder _folder = new();
    private readonly SimulatedStream _stream;
    private readonly List<ProgramProcess> _started = [];
    private readonly string _settings;

    public KafkaProcesses(SimulatedStream stream, int partitions, params string[] settings)
    {
        _stream = stream;
        _broker.CreateTopic("records", partitions);
        // The mock cluster answers a fetch late and shares partitions out when a session could have timed out.
        _settings = _folder.Write("run.conf", string.Join('\n',
        [
            $"kafka.bootstrap = \"{_broker.Bootstrap}\"", "kafka.topics.input = records",
            "kafka.client { fetch.wait.max.ms = 5, session.timeout.ms = 4000, heartbeat.interval.ms = 50 }",
            $"learner.batch = {SimulatedStream.Batch}", "selection.block = 3", "learner.learning-rate = 2e-2", "learner.beta = 0.5", "learner.warmup = 3",
            "checkpoint.updates = 3", "runtime.progress = 100ms", .. settings,
        ]));
    }

    public string Output => _folder["out"];

    /// <summary>The good records of the stream, several times over, as one file.</summary>
    public async Task<string> Records(string name, int copies)
    {
        var options = SimulatedStream.Options("ingest.shuffle=none", "ingest.passes=1");
        var validator = new RecordValidator(_stream.Policy.Encoder, options.Duplicates, options.Files.MaxRecordBytes);
        var good = new List<byte>();
        await using var source = _stream.Open(options);
        await foreach (var entry in source.ReadAsync(new SettledPositions(), CancellationToken.None))
            if (entry is SourceEntry.Bytes line && validator.Validate(line).Dead is null)
                good.AddRange([.. line.Json.ToArray(), (byte)'\n']);
        var path = _folder[name];
        File.WriteAllBytes(path, [.. Enumerable.Repeat(good, copies).SelectMany(lines => lines)]);
        return path;
    }

    public ProgramProcess Start(params string[] words)
    {
        var process = ProgramProcess.Start(ProgramProcess.MassDpo, [.. words, "--config", _settings]);
        _started.Add(process);
        return process;
    }

    public Task<Called> Run(params string[] words) => Start(words).End();

    public ProgramProcess Learner(params string[] words) => Start(["run", "--roles", "learner", "--policy", _stream.PolicyDirectory, "--output", Output, .. words]);

    public ProgramProcess Selector(params string[] words) => Start(["run", "--roles", "selector", "--policy", _stream.PolicyDirectory, .. words]);

    /// <summary>Every line of the update log.</summary>
    public IReadOnlyList<UpdateEntry> Updates() => [.. File.ReadLines(Path.Combine(Output, "updates.jsonl")).Select(line => UpdateEntry.Read(System.Text.Encoding.UTF8.GetBytes(line)))];

    public string PolicyHash(string output) => JsonNode.Parse(File.ReadAllText(Path.Combine(output, "report.json")))!["policy_hash"]!.GetValue<string>();

    public void Dispose()
    {
        foreach (var process in _started)
            process.Dispose();
        _broker.Dispose();
        _folder.Dispose();
    }
}
