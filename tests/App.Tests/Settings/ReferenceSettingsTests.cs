using System.Text.RegularExpressions;
using MassDpo.App.Running;
using MassDpo.App.Sft;
using MassDpo.App.Verbs;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Settings;

/// <summary>hocon/reference.conf is what the program reads: no more, no less, and explained.</summary>
public sealed partial class ReferenceSettingsTests
{
    public static TheoryData<string> Recipes =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "hocon"), "*.conf").Select(file => Path.GetFileName(file)).Where(name => name != "reference.conf")];

    [Fact]
    public void Every_setting_is_read_and_every_setting_that_is_read_exists_with_a_default_in_its_range()
    {
        var settings = EffectiveSettings.Load(null, [], [], []);
        ValidateVerb.CheckAll(settings);
        Assert.Equal(EffectiveSettings.Documented.Select(leaf => leaf.Path).Order(), settings.Read.Order());
    }

    [Fact]
    public void The_program_carries_the_file_of_the_repository() =>
        Assert.Equal(HoconDocument.Load(Path.Combine(Repository.Root, "hocon", "reference.conf")).Resolve().Paths().Where(leaf => leaf.Value is not HoconObject).Select(leaf => (leaf.Path, leaf.Value.AsString())),
            EffectiveSettings.Documented.Select(leaf => (leaf.Path, leaf.Value.AsString())));

    // A setting has a comment just above it, or stands beside one of its section that has.
    [Fact]
    public void Every_setting_has_a_comment_or_shares_one_with_its_neighbour()
    {
        var (settings, sections, comment) = (new List<(string Section, string Name, bool HasComment)>(), new List<string>(), false);
        foreach (var line in File.ReadLines(Path.Combine(Repository.Root, "hocon", "reference.conf")).Select(line => line.Trim()))
        {
            if (Section().Match(line) is { Success: true } begin)
                sections.Add(begin.Groups[1].Value);
            else if (line == "}")
                sections.RemoveAt(sections.Count - 1);
            else if (Setting().Match(line) is { Success: true } setting)
                settings.Add((string.Join('.', sections), setting.Groups[1].Value, comment));
            comment = line.StartsWith('#');
        }
        Assert.Equal(EffectiveSettings.Documented.Select(leaf => leaf.Path), settings.Select(setting => $"{setting.Section}.{setting.Name}"));
        for (var i = 0; i < settings.Count; i++)
        {
            var near = settings[Math.Max(0, i - 1)..Math.Min(settings.Count, i + 2)].Where(setting => setting.Section == settings[i].Section);
            Assert.True(near.Any(setting => setting.HasComment), $"{settings[i].Section}.{settings[i].Name} is not explained");
        }
    }

    [Theory]
    [MemberData(nameof(Recipes))]
    public void Every_recipe_is_good(string name)
    {
        var settings = EffectiveSettings.Load(Path.Combine(Repository.Root, "hocon", name), [], [], []);
        ValidateVerb.CheckAll(settings);
        Assert.Contains(settings.Effective, setting => EffectiveSettings.Reference.GetString(setting.Key) != setting.Value);
    }

    [Theory]
    [InlineData("ingest.duplicates=merge")]
    [InlineData("ingest.max-record-bytes=2 GiB")]
    [InlineData("ingest.max-record-bytes=1023")]
    [InlineData("ingest.shuffle=1")]
    [InlineData("ingest.shuffle=some")]
    [InlineData("ingest.passes=0")]
    [InlineData("ingest.max-records=-1")]
    [InlineData("selection.method=best")]
    [InlineData("selection.negatives=0")]
    [InlineData("selection.features=fisher")]
    [InlineData("selection.normalize=perhaps")]
    [InlineData("selection.ridge=0")]
    [InlineData("selection.z-cap=31")]
    [InlineData("selection.probability-cap=0")]
    [InlineData("selection.selectors=0")]
    [InlineData("selection.block=0")]
    [InlineData("selection.reference-cache=-1")]
    [InlineData("selection.reference-cache-disk=63 KiB")]
    [InlineData("selection.effective-rank=perhaps")]
    [InlineData("slots.max-staleness=-1")]
    [InlineData("slots.max-attempts=0")]
    [InlineData("slots.lease=0s")]
    [InlineData("slots.lease=50 days")]
    [InlineData("learner.loss=kto")]
    [InlineData("learner.beta=0")]
    [InlineData("learner.batch=0")]
    [InlineData("learner.micro-batch=-1")]
    [InlineData("learner.learning-rate=0")]
    [InlineData("learner.schedule=steep")]
    [InlineData("learner.warmup=-1")]
    [InlineData("learner.first-step=2")]
    [InlineData("learner.adam-beta1=1")]
    [InlineData("learner.adam-beta2=1")]
    [InlineData("learner.adam-epsilon=0")]
    [InlineData("learner.weight-decay=-1")]
    [InlineData("learner.max-gradient-norm=-1")]
    [InlineData("checkpoint.updates=0")]
    [InlineData("checkpoint.keep=1")]
    [InlineData("logs.segment=-1")]
    [InlineData("logs.keep=-1")]
    [InlineData("reference.refresh=-1")]
    [InlineData("reference.mix=0")]
    [InlineData("reference.mix=1.1")]
    [InlineData("metrics.evaluate-every=-1")]
    [InlineData("metrics.window=0")]
    [InlineData("metrics.sample=1.1")]
    [InlineData("runtime.threads=0")]
    [InlineData("runtime.seed=-1")]
    [InlineData("runtime.progress=1 ms")]
    [InlineData("kafka.topics.input=a topic")]
    [InlineData("kafka.topics.events=..")]
    [InlineData("kafka.topics.replication=-1")]
    [InlineData("kafka.topics.input-partitions=0")]
    [InlineData("kafka.topics.snapshot-partitions=3")]
    [InlineData("kafka.topics.retention=6d")]
    [InlineData("kafka.topics.snapshot-retention=4m")]
    [InlineData("kafka.topics.snapshot-retention=25h")]
    [InlineData("kafka.topics.max-message-bytes=7 MiB")]
    [InlineData("sft.tokenizer=unigram")]
    [InlineData("sft.vocabulary=257")]
    [InlineData("sft.vocabulary=1048577")]
    [InlineData("sft.layers=0")]
    [InlineData("sft.hidden=1")]
    [InlineData("sft.heads=3")]
    [InlineData("sft.max-positions=3")]
    [InlineData("sft.dropout=1")]
    [InlineData("sft.history-places=-2")]
    [InlineData("eval.beta=0")]
    [InlineData("eval.batch=0")]
    [InlineData("generation.max-tokens=0")]
    [InlineData("generation.temperature=0")]
    [InlineData("generation.top-p=0")]
    [InlineData("generation.top-p=1.1")]
    [InlineData("demo.records=63")]
    [InlineData("demo.held-out=9")]
    [InlineData("demo.noise=0.6")]
    public void A_value_outside_its_range_is_refused_by_name(string assignment)
    {
        var error = Assert.Throws<HoconException>(() => ValidateVerb.CheckAll(EffectiveSettings.Load(null, [], [assignment], [])));
        Assert.Equal(assignment[..assignment.IndexOf('=')], error.Key);
        Assert.StartsWith("--set", error.Message);
    }

    [Theory]
    [InlineData("learner.total-updates", "learner.schedule=cosine")]
    [InlineData("learner.loss", "learner.loss=hinge")]
    [InlineData("learner.loss", "learner.loss=ipo", "selection.negatives=1", "selection.method=all")]
    [InlineData("slots.max-staleness", "slots.max-staleness=10000", "learner.batch=1000000")]
    [InlineData("sft.heads", "sft.hidden=12", "sft.heads=4")]
    [InlineData("kafka.topics.events", "kafka.topics.events=preferences")]
    public void Values_that_do_not_go_together_are_refused_by_name(string key, params string[] assignments)
    {
        var error = Assert.Throws<HoconException>(() => ValidateVerb.CheckAll(EffectiveSettings.Load(null, [], assignments, [])));
        Assert.Equal(key, error.Key);
    }

    [Fact]
    public void A_run_keeps_its_own_settings_and_a_resume_may_differ_in_those_that_change_no_result()
    {
        var before = RunOptions.From(EffectiveSettings.Load(null, [], [], []));
        Assert.Equal(["checkpoint", "ingest", "kafka", "learner", "logs", "lora", "metrics", "reference", "runtime", "selection", "slots"], before.Settings.Keys.Select(key => key[..key.IndexOf('.')]).Distinct().Order());
        string[] free = ["ingest.passes=2", "ingest.max-records=5", "ingest.validators=1", "selection.selectors=2", "selection.reference-cache=1 MiB", "selection.reference-cache-directory=kept", "selection.reference-cache-disk=1 MiB", "selection.effective-rank=off", "selection.include-meta=on",
            "slots.max-staleness=1", "slots.max-attempts=9", "slots.lease=5s", "slots.drain=1s", "kafka.bootstrap=other", "kafka.group=other", "kafka.from=latest", .. before.Settings.Keys.Where(key => key.StartsWith("kafka.topics.", StringComparison.Ordinal)).Select(key => $"{key}={before.Settings[key]}"), "checkpoint.updates=1", "checkpoint.keep=9", "logs.segment=1", "logs.keep=9", "lora.adapter=other", "metrics.evaluate-every=9", "metrics.window=1", "metrics.sample=1", "runtime.progress=1s"];
        Assert.Empty(Identity(free).Identity("policy", "data", "fused").DifferencesTo(before.Identity("policy", "data", "fused")));
        foreach (var key in before.Settings.Keys.Except(free.Select(assignment => assignment[..assignment.IndexOf('=')])))
        {
            var changed = before with { Settings = new Dictionary<string, string>(before.Settings) { [key] = "another" } };
            Assert.Equal([$"{key} was {before.Settings[key]} and is another"], before.Identity("policy", "data", "fused").DifferencesTo(changed.Identity("policy", "data", "fused")));
        }
        Assert.Equal(["data was data and is more", "policy was policy and is new", "scoring was fused and is tensors"], before.Identity("policy", "data", "fused").DifferencesTo(before.Identity("new", "more", "tensors")));

        static RunOptions Identity(string[] assignments) => RunOptions.From(EffectiveSettings.Load(null, [], assignments, []));
    }

    [Fact]
    public void The_width_of_the_MLP_follows_the_hidden_size_where_it_is_not_given()
    {
        Assert.Equal(172, Sft().Intermediate);
        Assert.Equal(128, Sft("sft.hidden=48").Intermediate);
        Assert.Equal(20, Sft("sft.intermediate=20").Intermediate);

        static SftJobOptions Sft(params string[] assignments) => SftJobOptions.From(EffectiveSettings.Load(null, [], assignments, []));
    }

    [GeneratedRegex(@"^([a-z-]+) \{$")]
    private static partial Regex Section();

    [GeneratedRegex("^([a-z0-9-]+) = ")]
    private static partial Regex Setting();
}
