using MassDpo.Shared.Settings;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;

namespace MassDpo.Shared.Tests.Settings;

public sealed class EffectiveSettingsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_layer_lies_over_the_ones_before_it()
    {
        var recipe = HoconDocument.Parse("learner.beta = 0.2", "a recipe");
        var file = _folder.Write("mine.conf", "learner.beta = 0.3");
        var environment = new[] { KeyValuePair.Create("MASSDPO__LEARNER__BETA", "0.4"), KeyValuePair.Create("PATH", "/bin") };
        string[] assignments = ["learner.beta=0.5"];
        (string, string, string)[] flags = [("learner.beta", "0.6", "--beta")];

        Assert.Equal("0.1", Beta(null, null, [], [], []));
        Assert.Equal("0.2", Beta(recipe, null, [], [], []));
        Assert.Equal("0.3", Beta(recipe, file, [], [], []));
        Assert.Equal("0.4", Beta(recipe, file, environment, [], []));
        Assert.Equal("0.5", Beta(recipe, file, environment, assignments, []));
        Assert.Equal("0.6", Beta(recipe, file, environment, assignments, flags));

        // Each one alone over the reference, and one that says nothing of a setting leaves it as it is below.
        Assert.Equal("0.3", Beta(null, file, [], [], []));
        Assert.Equal("0.4", Beta(null, null, environment, [], []));
        Assert.Equal("0.5", Beta(null, null, [], assignments, []));
        Assert.Equal("0.6", Beta(null, null, [], [], flags));
        Assert.Equal("0.3", Beta(recipe, file, [KeyValuePair.Create("MASSDPO__LEARNER__BATCH", "8")], ["learner.warmup=5"], [("runtime.seed", "2", "--seed")]));

        static string Beta(HoconDocument? recipe, string? file, IEnumerable<KeyValuePair<string, string>> environment, IEnumerable<string> assignments,
            IEnumerable<(string, string, string)> flags) => EffectiveSettings.Load(file, environment, assignments, flags, recipe).Text("learner.beta");
    }

    [Fact]
    public void The_last_of_several_assignments_counts() => Assert.Equal(7, Load("learner.batch=5", "learner.batch=7").Integer("learner.batch", 1));

    [Fact]
    public void A_setting_can_refer_to_one_of_any_layer()
    {
        var file = _folder.Write("mine.conf", "learner.warmup = ${learner.batch}");
        Assert.Equal(9, EffectiveSettings.Load(file, [], ["learner.batch=9"], []).Integer("learner.warmup", 0));
        Assert.Equal(32, EffectiveSettings.Load(file, [], [], []).Integer("learner.warmup", 0));
    }

    [Fact]
    public void A_flag_is_plain_text_and_an_assignment_is_HOCON()
    {
        Assert.Equal("${learner.batch}", EffectiveSettings.Load(null, [], [], [("ingest.shuffle", "${learner.batch}", "--shuffle")]).Text("ingest.shuffle"));
        Assert.Equal("32", Load("ingest.shuffle=${learner.batch}").Text("ingest.shuffle"));
    }

    [Fact]
    public void Effective_tells_every_setting_of_the_reference_but_what_is_secret_in_its_order()
    {
        var settings = Load("learner.beta=0.7");
        Assert.Equal(EffectiveSettings.Documented.Select(leaf => leaf.Path).Except(["watch.token"]), settings.Effective.Select(setting => setting.Key));
        Assert.Equal("0.7", settings.Effective.Single(setting => setting.Key == "learner.beta").Value);
        Assert.Equal(EffectiveSettings.Reference.GetString("learner.batch"), settings.Effective.Single(setting => setting.Key == "learner.batch").Value);
    }

    [Fact]
    public void What_was_asked_for_is_remembered()
    {
        var settings = Load();
        Assert.Empty(settings.Read);
        settings.Integer("learner.batch", 1);
        settings.Flag("selection.effective-rank");
        settings.Duration("slots.lease", TimeSpan.Zero, TimeSpan.MaxValue);
        Assert.Equal(["learner.batch", "selection.effective-rank", "slots.lease"], settings.Read.Order());
    }

    [Fact]
    public void The_block_akka_is_let_through_as_it_stands()
    {
        var file = _folder.Write("mine.conf", "akka { actor { provider = cluster }, \"loggers.with.dots\" = [a, b] }\nlearner.beta = 0.2");
        var settings = EffectiveSettings.Load(file, [], ["akka.loglevel=INFO"], []);
        Assert.Equal(0.2, settings.Number("learner.beta", 0, 1));
        Assert.DoesNotContain(settings.Effective, setting => setting.Key.StartsWith("akka", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("learner.bata = 1", "learner.bata", "did you mean learner.beta?")]
    [InlineData("lerner.beta = 1", "lerner.beta", "learner.beta")]
    [InlineData("beta = 1", "beta", "did you mean learner.beta or eval.beta?")]
    [InlineData("learner.max-staleness = 1", "learner.max-staleness", "did you mean slots.max-staleness?")]
    [InlineData("something.quite.different = 1", "something.quite.different", "see hocon/reference.conf")]
    [InlineData("learner.beta.more = 1", "learner.beta.more", "learner.beta holds one value: write learner.beta = …")]
    [InlineData("akka = 1", "akka", "it is a block: write akka { … }")]
    [InlineData("learner.\"a.b\" = 1", "learner.\"a.b\"", "see hocon/reference.conf")]
    [InlineData("empty {}", "empty", "see hocon/reference.conf")]
    public void A_setting_that_does_not_exist_is_named_with_file_and_line_and_the_nearest(string text, string key, string remedy)
    {
        var file = _folder.Write("mine.conf", $"# a comment\n{text}\n");
        var error = Refused(() => EffectiveSettings.Load(file, [], [], []), key, remedy);
        Assert.StartsWith($"{file}:2:", error.Message);
    }

    [Theory]
    [InlineData("learner = 1", "learner", "found the number 1 for a block of settings; name one of its settings, such as learner.beta")]
    [InlineData("learner = null", "learner", "for a block of settings")]
    [InlineData("learner.beta = {}", "learner.beta", "found a block for a setting that holds one value; write learner.beta = …")]
    public void A_block_and_a_value_do_not_take_each_others_place(string text, string key, string words)
    {
        var file = _folder.Write("mine.conf", $"{text}\n");
        Assert.StartsWith($"{file}:1:", Refused(() => EffectiveSettings.Load(file, [], [], []), key, words).Message);
    }

    [Fact]
    public void An_empty_block_of_settings_changes_nothing()
    {
        var file = _folder.Write("mine.conf", "learner {}\nakka {}\n");
        Assert.Equal(0.1, EffectiveSettings.Load(file, [], [], []).Number("learner.beta", 0, 1));
    }

    [Theory]
    [InlineData("learner.batch = many", "learner.batch", "many")]
    [InlineData("learner.batch = 1.5", "learner.batch", "1.5")]
    [InlineData("learner.batch = 0", "learner.batch", "found 0; write a value from 1 to 100")]
    [InlineData("learner.batch = 101", "learner.batch", "found 101; write a value from 1 to 100")]
    [InlineData("learner.batch = null", "learner.batch", "null")]
    [InlineData("learner.batch = [1]", "learner.batch", "list")]
    public void A_value_of_another_type_or_outside_its_range_is_named_with_file_and_line(string text, string key, string words) =>
        RefusedInFile(text, settings => settings.Integer(key, 1, 100), key, words);

    [Fact]
    public void Every_kind_of_value_keeps_its_range()
    {
        RefusedInFile("runtime.seed = -1", settings => settings.Long("runtime.seed", 0), "runtime.seed", $"found -1; write a value from 0 to {long.MaxValue}");
        RefusedInFile("learner.beta = 2", settings => settings.Number("learner.beta", 0, 1.5), "learner.beta", "found 2; write a value from 0 to 1.5");
        RefusedInFile("slots.lease = 1 ms", settings => settings.Duration("slots.lease", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), "slots.lease", "write a value from");
        RefusedInFile("slots.lease = soon", settings => settings.Duration("slots.lease", TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)), "slots.lease", "soon");
        RefusedInFile("ingest.max-record-bytes = 2 GiB", settings => settings.Size("ingest.max-record-bytes", 1, 1 << 30), "ingest.max-record-bytes", $"write a value from 1 to {1 << 30}");
        RefusedInFile("selection.effective-rank = maybe", settings => settings.Flag("selection.effective-rank"), "selection.effective-rank", "maybe");
        RefusedInFile("selection.method = best", settings => settings.Choice("selection.method", new Dictionary<string, int> { ["mass"] = 1, ["all"] = 2 }), "selection.method",
            "found 'best'; write one of: mass, all");
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("100", true)]
    [InlineData("0", false)]
    [InlineData("101", false)]
    public void Both_ends_of_a_range_belong_to_it(string value, bool within)
    {
        var settings = Load($"learner.batch={value}");
        if (within)
            Assert.Equal(value, settings.Integer("learner.batch", 1, 100).ToString());
        else
            Assert.Throws<HoconException>(() => settings.Integer("learner.batch", 1, 100));
    }

    [Fact]
    public void Not_a_number_is_in_no_range() => Assert.Throws<HoconException>(() => Load("learner.beta=NaN").Number("learner.beta", 0, 1));

    [Fact]
    public void A_value_from_outside_a_file_is_named_by_where_it_came_from()
    {
        Refused(() => EffectiveSettings.Load(null, [KeyValuePair.Create("MASSDPO__LEARNER__BATA", "1")], [], []), null, "environment variable MASSDPO__LEARNER__BATA");
        Refused(() => EffectiveSettings.Load(null, [KeyValuePair.Create("MASSDPO__LEARNER__BETA", "x")], [], []).Number("learner.beta", 0, 1), "learner.beta",
            "environment variable MASSDPO__LEARNER__BETA", "x");
        Refused(() => Load("learner.beta=x").Number("learner.beta", 0, 1), "learner.beta", "--set", "x");
        Refused(() => Load("learner.bata=1"), "learner.bata", "--set", "learner.beta");
        Refused(() => Load("learner.beta"), null, "--set");
        Refused(() => EffectiveSettings.Load(null, [], [], [("learner.beta", "x", "--beta")]).Number("learner.beta", 0, 1), "learner.beta", "--beta", "x");
    }

    [Fact]
    public void A_name_in_a_block_that_is_handed_on_is_the_same_in_quotes()
    {
        var settings = EffectiveSettings.Load(_folder.Write("mine.conf", "kafka.client { \"sasl.password\" = a, ssl { \"key.pem\" = b }, security.protocol = c }"), [], [], []);
        Assert.Equal(["sasl.password=a", "security.protocol=c", "ssl.key.pem=b"], settings.Block("kafka.client").Select(property => $"{property.Key}={property.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_that_is_absent_or_malformed_is_named()
    {
        Refused(() => EffectiveSettings.Load(_folder["none.conf"], [], [], []), null, _folder["none.conf"]);
        var file = _folder.Write("bad.conf", "learner {\n  beta = 1\n");
        Refused(() => EffectiveSettings.Load(file, [], [], []), null, file);
    }

    private static EffectiveSettings Load(params string[] assignments) => EffectiveSettings.Load(null, [], assignments, []);

    private void RefusedInFile(string text, Action<EffectiveSettings> read, string key, params string[] words)
    {
        var file = _folder.Write("mine.conf", $"\n\n{text}\n");
        var error = Refused(() => read(EffectiveSettings.Load(file, [], [], [])), key, words);
        Assert.StartsWith($"{file}:3:", error.Message);
    }

    private static HoconException Refused(Action load, string? key, params string[] words)
    {
        var error = Assert.Throws<HoconException>(load);
        if (key is not null)
            Assert.Equal(key, error.Key);
        Assert.All(words, word => Assert.Contains(word, error.Message));
        return error;
    }
}
