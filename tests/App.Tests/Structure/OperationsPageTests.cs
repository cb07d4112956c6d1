using MassDpo.Kafka.Topics;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Tests.Structure;

/// <summary>docs/operations.md says of topics what the program asks of them.</summary>
public sealed class OperationsPageTests
{
    private static readonly KafkaTopics Topics = KafkaTopics.From(EffectiveSettings.Load(null, [], [], []));

    [Fact]
    public void The_table_of_topics_has_each_with_what_it_is_made_with_and_must_have()
    {
        var rows = SourceFiles.Read("docs/operations.md").Split('\n').Where(line => line.StartsWith('|') && line.Contains("(`kafka.topics.", StringComparison.Ordinal)).ToList();
        Assert.Equal(Topics.All.Select(Row), rows);
    }

    [Fact]
    public void Every_setting_of_topics_that_the_page_names_exists()
    {
        var known = EffectiveSettings.Documented.Select(leaf => leaf.Path).ToHashSet();
        var named = SourceFiles.Read("docs/operations.md").Split('`').Where((_, i) => i % 2 == 1).Select(code => code.Split(' ')[0])
            .Where(code => new[] { "kafka.", "slots.", "selection.", "checkpoint.", "logs." }.Any(section => code.StartsWith(section, StringComparison.Ordinal))).Distinct().ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Except(known));
    }

    private static string Row(TopicRequirement topic)
    {
        var made = topic.MadeWith(replicas: 1);
        var wanted = topic.Settings.Select(setting => $"{setting.Name} {setting.Wanted}");
        return $"| `{topic.Name}` (`{topic.Key}`) | {topic.Carries} | {topic.MadePartitions}, {topic.LeastPartitions} "
            + $"| {(made.Count == 0 ? "the cluster's defaults" : string.Join(' ', made.Select(setting => $"{setting.Key}={setting.Value}")))} "
            + $"| {(topic.Dubious is var (name, value, _) ? $"anything; of `{name} = {value}` it warns" : string.Join("; ", wanted))} |";
    }
}
