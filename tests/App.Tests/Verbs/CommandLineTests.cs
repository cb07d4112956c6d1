using System.CommandLine;
using MassDpo.App.Verbs;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Verbs;

/// <summary>The names of verbs and options are a contract: scripts of others hold them.</summary>
public sealed class CommandLineTests
{
    private const string One = "one value";
    private const string Flag = "no value";
    private const string Required = "one value, required";

    private static readonly Dictionary<string, (string[] Arguments, Dictionary<string, string> Options)> Contract = new()
    {
        ["demo"] = ([], new() { ["--output"] = One, ["--kafka"] = Flag, ["--records"] = One, ["--seed"] = One }),
        ["sft"] = ([], new()
        {
            ["--data"] = "several values, required", ["--policy"] = Required, ["--items"] = One, ["--eval"] = One, ["--layers"] = One, ["--hidden"] = One, ["--heads"] = One,
            ["--epochs"] = One, ["--learning-rate"] = One, ["--threads"] = One, ["--seed"] = One, ["--tokenizer"] = One, ["--vocabulary"] = One,
        }),
        ["run"] = ([], new()
        {
            ["--data"] = "several values", ["--policy"] = One, ["--output"] = One, ["--eval"] = One, ["--roles"] = One, ["--continue-with-changes"] = Flag, ["--force-claim"] = Flag,
            ["--bootstrap"] = One, ["--topic"] = One, ["--from"] = One, ["--selector"] = One,
            ["--features"] = One, ["--negatives"] = One, ["--beta"] = One, ["--learning-rate"] = One,
            ["--batch"] = One, ["--passes"] = One, ["--shuffle"] = One, ["--max-records"] = One,
            ["--max-staleness"] = One, ["--selectors"] = One, ["--compute-type"] = One, ["--device"] = One, ["--threads"] = One, ["--seed"] = One, ["--evaluate-every"] = One,
        }),
        ["eval"] = ([], new() { ["--data"] = "several values, required", ["--policy"] = Required, ["--reference"] = One, ["--json"] = Flag, ["--beta"] = One, ["--compute-type"] = One, ["--device"] = One, ["--threads"] = One }),
        ["compare"] = ([], new()
        {
            ["--data"] = "several values, required", ["--eval"] = Required, ["--policy"] = Required, ["--output"] = Required, ["--selectors"] = One, ["--negatives"] = One,
            ["--seeds"] = One, ["--baseline"] = One, ["--points"] = One, ["--jobs"] = One, ["--learning-rate"] = One, ["--batch"] = One, ["--passes"] = One, ["--shuffle"] = One,
        }),
        ["score"] = ([], new() { ["--data"] = "several values, required", ["--policy"] = Required, ["--compute-type"] = One, ["--device"] = One, ["--threads"] = One }),
        ["generate"] = ([], new()
        {
            ["--policy"] = Required, ["--prompt"] = "one value, several times", ["--ids"] = "one value, several times", ["--greedy"] = Flag, ["--json"] = Flag,
            ["--max-tokens"] = One, ["--temperature"] = One, ["--top-p"] = One, ["--seed"] = One, ["--compute-type"] = One, ["--device"] = One, ["--threads"] = One,
        }),
        ["replay"] = (["OUTPUT"], new() { ["--output"] = Required }),
        ["checkpoints list"] = (["OUTPUT"], new() { ["--check"] = Flag, ["--json"] = Flag }),
        ["checkpoints promote"] = (["OUTPUT"], new() { ["--checkpoint"] = One, ["--to"] = Required, ["--merge"] = Flag, ["--eval"] = One, ["--gate"] = "one value, several times" }),
        ["checkpoints rollback"] = (["OUTPUT", "CHECKPOINT"], []),
        ["validate"] = (["FILE"], new() { ["--policy"] = One }),
        ["broker"] = ([], new() { ["--topic"] = "one value, several times", ["--port"] = One }),
        ["produce"] = ([], new() { ["--data"] = "several values, required", ["--topic"] = Required, ["--rate"] = One, ["--end"] = Flag, ["--bootstrap"] = One }),
        ["tail"] = ([], new() { ["--topic"] = Required, ["--from-beginning"] = Flag, ["--until-end"] = Flag, ["--bootstrap"] = One }),
        ["redrive"] = ([], new() { ["--topic"] = One, ["--to"] = One, ["--code"] = "one value, several times", ["--group"] = One, ["--dry-run"] = Flag, ["--bootstrap"] = One }),
    };

    // No setting has a say in what they do.
    private static readonly string[] WithoutSettings = ["checkpoints list", "checkpoints rollback", "broker"];

    public static TheoryData<string> Verbs => [.. Contract.Keys];

    [Fact]
    public void There_are_these_verbs() => Assert.Equal(Contract.Keys, CommandLine.Create().Subcommands
        .SelectMany(command => command.Subcommands.Count == 0 ? [command.Name] : command.Subcommands.Select(below => $"{command.Name} {below.Name}")));

    [Theory]
    [MemberData(nameof(Verbs))]
    public void A_verb_has_these_arguments_and_options(string verb)
    {
        var command = Find(verb);
        var (arguments, options) = Contract[verb];
        Assert.Equal(arguments, command.Arguments.Select(argument => argument.Name));
        Assert.All(command.Arguments, argument => Assert.Equal(ArgumentArity.ExactlyOne, argument.Arity));
        var expected = new Dictionary<string, string>(options);
        if (!WithoutSettings.Contains(verb))
            (expected["--config"], expected["--set"]) = (One, "one value, several times");
        Assert.Equal(expected.OrderBy(option => option.Key, StringComparer.Ordinal),
            command.Options.Select(option => KeyValuePair.Create(option.Name, Describe(option))).OrderBy(option => option.Key, StringComparer.Ordinal));

        static string Describe(Option option)
        {
            var values = option.Arity.MaximumNumberOfValues switch { 0 => "no value", 1 => "one value", _ => option.AllowMultipleArgumentsPerToken ? "several values" : "one value, several times" };
            return option.ValueType == typeof(bool) ? "no value" : values + (option.Required ? ", required" : "");
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_of_a_verb_tells_every_option_and_shows_examples_that_can_be_given(string verb)
    {
        var help = await Called.Well([.. verb.Split(' '), "--help"]);
        Assert.Empty(help.Error);
        var command = Find(verb);
        Assert.All(command.Options, option => Assert.Contains($"{option.Name} ", help.Out));
        var examples = help.Out.Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("massdpo ", StringComparison.Ordinal) && !line.Contains("[options]")).ToList();
        Assert.NotEmpty(examples);
        Assert.All(examples, example =>
        {
            var parsed = CommandLine.Create().Parse(example.Split(" > ")[0].Split(' ')[1..]);
            Assert.Empty(parsed.Errors);
            Assert.Equal(command.Name, parsed.CommandResult.Command.Name);
        });
    }

    private static Command Find(string verb) =>
        verb.Split(' ').Aggregate((Command)CommandLine.Create(), (command, name) => command.Subcommands.Single(below => below.Name == name));

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData]
    public async Task Help_of_the_program_tells_every_verb_in_one_line_and_how_to_begin(params string[] words)
    {
        var help = await Called.Well(words);
        Assert.Empty(help.Error);
        Assert.All(Contract.Keys.Select(verb => verb.Split(' ')[0]).Distinct(), verb => Assert.Single(help.Out.Split('\n'), line => line.StartsWith($"  {verb} ", StringComparison.Ordinal)));
        Assert.Contains("massdpo run --help", help.Out);
        Assert.Contains("massdpo demo", help.Out);
    }

    [Theory]
    [InlineData("'fly'", "See massdpo --help", "fly")]
    [InlineData("'--fly'", "See massdpo run --help", "run", "--data", "a", "--policy", "b", "--output", "c", "--fly")]
    [InlineData("'--data' is required", "--bootstrap", "run", "--policy", "b", "--output", "c")]
    [InlineData("'--data' is required", "See massdpo produce --help", "produce", "--topic", "a")]
    [InlineData("'--policy' is required", "See massdpo eval --help", "eval", "--data", "a")]
    [InlineData("'--output' is required", "See massdpo replay --help", "replay", "out")]
    [InlineData("'--to' is required", "See massdpo checkpoints promote --help", "checkpoints", "promote", "out")]
    [InlineData("'validate'", "See massdpo validate --help", "validate")]
    [InlineData("'--beta'", "See massdpo run --help", "run", "--data", "a", "--policy", "b", "--output", "c", "--beta")]
    public async Task A_call_that_cannot_be_understood_ends_with_2(string what, string where, params string[] words) => await Called.Refused(2, words, what, where);

    [Theory]
    [InlineData("--beta: learner.beta", "many", "--beta", "many")]
    [InlineData("--batch: learner.batch", "found 0", "--batch", "0")]
    [InlineData("--selector: selection.method", "mass, exact, random, hardest, all", "--selector", "best")]
    [InlineData("--shuffle: ingest.shuffle", "all, none", "--shuffle", "some")]
    [InlineData("--set", "learner.beta", "--set", "learner.bata=1")]
    [InlineData("--set", "learner.beta", "--set", "learner.beta")]
    [InlineData("none.conf", "", "--config", "none.conf")]
    public async Task A_setting_that_cannot_be_ends_with_2_before_anything_is_read_or_written(string origin, string what, params string[] words)
    {
        using var folder = new TempFolder();
        await Called.Refused(2, ["run", "--data", folder["none.jsonl"], "--policy", folder["none"], "--output", folder["out"], .. words], origin, what);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Fact]
    public async Task A_flag_lies_over_an_assignment_which_lies_over_a_file()
    {
        using var folder = new TempFolder();
        var file = folder.Write("mine.conf", "learner { beta = wrong-in-file, batch = wrong-in-file, warmup = wrong-in-file }");
        string[] words = ["run", "--data", folder["none.jsonl"], "--policy", folder["none"], "--output", folder["out"], "--config", file];
        await Called.Refused(2, [.. words, "--set", "learner.warmup=1", "--set", "learner.batch=1"], "learner.beta", "wrong-in-file", $"{file}:1:");
        await Called.Refused(2, [.. words, "--set", "learner.warmup=1", "--set", "learner.beta=1", "--set", "learner.batch=wrong-in-set"], "--set", "wrong-in-set");
        await Called.Refused(2, [.. words, "--set", "learner.warmup=1", "--set", "learner.beta=1", "--set", "learner.batch=wrong-in-set", "--batch", "wrong-in-flag"], "--batch", "wrong-in-flag");
    }

    [Fact]
    public async Task A_policy_or_data_that_is_absent_is_named_with_what_to_do()
    {
        using var folder = new TempFolder();
        var data = folder.Write("data.jsonl", "{}\n");
        foreach (var verb in new string[][] { ["run", "--output", folder["out"]], ["eval"], ["score"] })
            await Called.Refused(1, [.. verb, "--data", data, "--policy", folder["none"]], folder["none"], "massdpo sft");
        await Called.Refused(1, ["validate", data, "--policy", folder["none"]], folder["none"], "massdpo sft");
        await Called.Refused(1, ["generate", "--prompt", "a", "--policy", folder["none"]], folder["none"], "massdpo sft");
        await Called.Refused(1, ["sft", "--data", folder["none.jsonl"], "--policy", folder["new"]], folder["none.jsonl"], "does not exist");
        await Called.Refused(2, ["validate", folder["none.jsonl"]], folder["none.jsonl"], "does not exist");
        await Called.Refused(2, ["replay", folder["none"], "--output", folder["again"]], folder["none"], "no directory");
        Assert.Equal([data], Directory.EnumerateFileSystemEntries(folder.Path));
    }
}
