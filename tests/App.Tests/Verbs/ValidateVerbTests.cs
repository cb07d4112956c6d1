using MassDpo.App.Tests.Running;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

public sealed class ValidateVerbTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task Good_settings_are_told_with_what_differs_from_the_defaults()
    {
        var file = Settings("learner { beta = 0.5, batch = ${sft.batch} }\nakka { loglevel = INFO }\n");
        var called = await Called.Well("validate", file);
        Assert.Equal($"{file} is good: 2 settings differ from their defaults.\n  learner.beta = 0.5\n  learner.batch = 64\n", called.Out);
    }

    [Theory]
    [InlineData("demo.noise = 2", "demo.noise")]
    [InlineData("sft.epochs = -1", "sft.epochs")]
    [InlineData("learner.bata = 1", "did you mean learner.beta?")]
    [InlineData("learner {", "")]
    public async Task Bad_settings_end_with_2_and_are_named_with_file_and_line(string text, string words)
    {
        var file = Settings($"# one\n# two\n{text}\n");
        await Called.Refused(2, ["validate", file], $"{file}:", words);
    }

    [Fact]
    public async Task The_recipes_of_the_repository_are_good()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "hocon"), "*.conf"))
            Assert.Contains($"{file} is good", (await Called.Well("validate", file)).Out);
    }

    [Fact]
    public async Task Records_are_told_with_line_code_and_reason_and_nothing_changes()
    {
        var before = Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(stream.Data)!).Order().ToList();
        var plain = await Called.With("validate", stream.Data);
        Assert.Equal(1, plain.ExitCode);
        Assert.Contains($"{stream.Data}, line 5: json: ", plain.Out);
        Assert.Contains($"{stream.Data}, line 12: field: ", plain.Out);
        Assert.Contains($"{stream.Data}, line 50: encoding: ", plain.Out);
        Assert.EndsWith("47 records are good, 3 are not (encoding: 1, field: 1, json: 1).\n", plain.Out);
        var held = await Called.With("validate", stream.Data, "--policy", stream.PolicyDirectory);
        Assert.Contains($"{stream.Data}, line 24: unknown-item: ", held.Out);
        Assert.EndsWith($"45 records are good for {stream.PolicyDirectory}, 5 are not (empty-pool: 1, encoding: 1, field: 1, json: 1, unknown-item: 1).\n", held.Out);
        Assert.Equal(before, Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(stream.Data)!).Order());
    }

    [Fact]
    public async Task Good_records_end_with_0()
    {
        var file = Records(Enumerable.Repeat("{\"prompt\": {\"history\": [\"i1\"]}, \"chosen\": \"i2\", \"rejected\": [\"i3\"]}", 3));
        Assert.Equal("3 records are good, 0 are not.\n", (await Called.Well("validate", file)).Out);
    }

    [Fact]
    public async Task Of_many_bad_records_the_first_are_told_and_the_others_counted()
    {
        var called = await Called.With("validate", Records(Enumerable.Repeat("no record", 1025)));
        Assert.Equal(1, called.ExitCode);
        var lines = called.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(22, lines.Length);
        Assert.Equal(("… and 1,005 more", "0 records are good, 1,025 are not (json: 1,025)."), (lines[20], lines[21]));
    }

    [Fact]
    public async Task A_record_longer_than_it_may_be_is_told()
    {
        var record = "{\"prompt\": \"" + new string('x', 2000) + "\", \"chosen\": \"a\", \"rejected\": [\"b\"]}";
        var file = Records([record]);
        Assert.Equal(0, (await Called.With("validate", file)).ExitCode);
        var called = await Called.With("validate", file, "--set", "ingest.max-record-bytes=1 KiB");
        Assert.Equal(1, called.ExitCode);
        Assert.Contains($"line 1: too-large: the record has {record.Length} bytes, one may have 1024", called.Out);
    }

    [Fact]
    public async Task No_records_are_no_good_records() => Assert.Equal(1, (await Called.With("validate", Records([]))).ExitCode);

    private string Settings(string text)
    {
        var file = stream.NewOutput() + ".conf";
        File.WriteAllText(file, text);
        return file;
    }

    private string Records(IEnumerable<string> lines)
    {
        var file = stream.NewOutput() + ".jsonl";
        File.WriteAllLines(file, lines);
        return file;
    }
}
