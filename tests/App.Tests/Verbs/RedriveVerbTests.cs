using System.Text;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Development;
using MassDpo.Kafka.Sinks;
using MassDpo.Kafka.Topics;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Tests.Verbs;

public sealed class RedriveVerbTests
{
    [Fact]
    public async Task What_became_of_the_letters_is_told_by_code_and_what_cannot_be_put_back_ends_with_1()
    {
        using var broker = new MockBroker();
        string[] options = ["--bootstrap", broker.Bootstrap, "--set", "kafka.client.fetch.wait.max.ms=10"];
        using (var sink = new TopicOutcomes(new KafkaOptions(broker.Bootstrap, []), KafkaTopics.From(EffectiveSettings.Load(null, [], [], []))))
        {
            foreach (var (index, code, raw) in new[] { (1, "json", "{"), (2, "field", "{}"), (3, "too-long", new string('x', 5000)) })
                sink.Died(new DeadLetter(new Position("a.jsonl", 0, index), code, "made to die", RecordOrigin.Of("a.jsonl", index, Encoding.UTF8.GetBytes(raw))), version: 1, epoch: 1);
            sink.Flush();
        }
        var dry = await Called.Well(["redrive", .. options, "--dry-run", "--code", "json", "--code", "none"]);
        Assert.Equal(["field: 0 to put back, 0 put back before, 0 cannot be, 1 not asked for", "json: 1 to put back, 0 put back before, 0 cannot be, 0 not asked for",
            "too-long: 0 to put back, 0 put back before, 0 cannot be, 1 not asked for", "none: no letters", "1 records would be put back in 'preferences'."], dry.Out.TrimEnd().Split('\n'));
        Assert.EndsWith("1 records are back in 'others'.", (await Called.Well(["redrive", .. options, "--code", "json", "--to", "others"])).Out.TrimEnd());
        var rest = await Called.With(["redrive", .. options, "--to", "others"]);
        Assert.Equal(1, rest.ExitCode);
        Assert.Contains("a.jsonl:0:3 (too-long) cannot be put back", rest.Error);
        Assert.Contains("json: 0 put back, 1 put back before, 0 cannot be, 0 not asked for", rest.Out);
    }
}
