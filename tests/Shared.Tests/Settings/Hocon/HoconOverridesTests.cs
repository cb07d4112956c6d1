using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconOverridesTests
{
    private static readonly HoconObject Known = Resolve("""
        learner { beta = 0.1, max-staleness = 4, tags = [], "odd.key" = 1, "A-b" = 1, a-B = 2 }
        source.path = "x"
        """);

    [Theory]
    [InlineData("learner.beta=0.5", """{"learner":{"beta":0.5}}""")]
    [InlineData("learner.beta = 0.5", """{"learner":{"beta":0.5}}""")]
    [InlineData("a : b c", """{"a":"b c"}""")]
    [InlineData("a=[1, {b:2}]", """{"a":[1,{"b":2}]}""")]
    [InlineData("a{ b = 1\nc = 2 }", """{"a":{"b":1,"c":2}}""")]
    [InlineData("a+=1", """{"a":[1]}""")]
    [InlineData("a=\"x=y, z\"", """{"a":"x=y, z"}""")]
    [InlineData("a=\"\"", """{"a":""}""")]
    public void AnAssignmentIsOneField(string assignment, string json) => Same(json, HoconDocument.FromAssignment(assignment).Resolve());

    [Fact]
    public void AnAssignmentNamesItsOrigin()
    {
        var value = HoconDocument.FromAssignment("learner.beta=x").Resolve().GetValue("learner.beta");
        Assert.Equal("--set", value.Origin.Name);
        Refuses(() => value.AsDouble("learner.beta"), "--set, column 14", "learner.beta", "found the text \"x\" where a number is wanted");
        Assert.Equal("--beta", HoconDocument.FromAssignment("a=1", "--beta").Resolve().GetValue("a").Origin.Name);
    }

    [Theory]
    [InlineData("learner.beta", 13, "learner.beta")]
    [InlineData("learner.beta=", 14, "learner.beta")]
    [InlineData("=1", 1, null)]
    [InlineData("", 1, null)]
    [InlineData("a=1,b=2", 4, "a")]
    [InlineData("a=1\nb=2", 4, "a")]
    [InlineData("a=h:1", 4, "a")]
    [InlineData("{a=1}", 1, null)]
    [InlineData("a..b=1", 1, null)]
    public void WhatIsNoAssignmentIsRefused(string assignment, int column, string? key)
    {
        var error = Assert.Throws<HoconException>(() => HoconDocument.FromAssignment(assignment));
        Assert.Equal(($"--set, column {column}", key), (error.Origin.ToString(), error.Key));
        Assert.NotEmpty(error.Remedy);
    }

    [Fact]
    public void AssignmentsReferAndAppendLikeAFile()
    {
        var file = HoconDocument.Parse("a = [1], b = 2, c { d = 1 }");
        string[] assignments = ["a+=${b}", "b=3", "c.d=${b}${c.d}"];
        var merged = assignments.Aggregate(file, (below, assignment) => HoconDocument.FromAssignment(assignment).WithFallback(below));
        Same("""{"a":[1,3],"b":3,"c":{"d":"31"}}""", merged.Resolve());
    }

    [Theory]
    [InlineData("0.5", HoconKind.Number)]
    [InlineData("true", HoconKind.Boolean)]
    [InlineData("localhost:9092 # x = {", HoconKind.String)]
    [InlineData("", HoconKind.String)]
    public void PlainTextHasNothingSpecial(string text, HoconKind kind)
    {
        var value = HoconDocument.FromPlainText("a.b", text, "--brokers").Resolve().GetValue("a.b");
        Assert.Equal((kind, text, "--brokers"), (value.Kind, value.AsString(), value.Origin.ToString()));
    }

    [Theory]
    [InlineData("MASSDPO__LEARNER__BETA", "0.5", """{"learner":{"beta":0.5}}""")]
    [InlineData("massdpo__Learner__beta", "0.5", """{"learner":{"beta":0.5}}""")]
    [InlineData("MASSDPO__LEARNER__MAX_STALENESS", "8", """{"learner":{"max-staleness":8}}""")]
    [InlineData("MASSDPO__LEARNER__MAX-STALENESS", "8", """{"learner":{"max-staleness":8}}""")]
    [InlineData("MASSDPO__LEARNER__TAGS", "[a, b]", """{"learner":{"tags":["a","b"]}}""")]
    [InlineData("MASSDPO__LEARNER__TAGS", " [a", """{"learner":{"tags":" [a"}}""")]
    [InlineData("MASSDPO__LEARNER", "{ beta = 2 }", """{"learner":{"beta":2}}""")]
    [InlineData("MASSDPO__SOURCE__PATH", "kafka://h:1/t?x=${y}#z", """{"source":{"path":"kafka://h:1/t?x=${y}#z"}}""")]
    [InlineData("MASSDPO__SOURCE__PATH", "\"1\"", """{"source":{"path":"1"}}""")]
    [InlineData("MASSDPO__SOURCE__PATH", "", """{"source":{"path":""}}""")]
    [InlineData("MASSDPO_SHARED", "x", "{}")]
    [InlineData("HOME", "x", "{}")]
    public void VariablesAreMatchedToKnownSettings(string name, string value, string json) =>
        Same(json, HoconDocument.FromEnvironment(Known, [KeyValuePair.Create(name, value)]).Resolve(NoVariables));

    [Theory]
    [InlineData("MASSDPO__LEARNER__BETTA", "1", "learner", "\"BETTA\", which names no setting", "use one of beta, max-staleness, tags, \"odd.key\"")]
    [InlineData("MASSDPO__TEACHER__BETA", "1", null, "\"TEACHER\"", "use one of learner, source")]
    [InlineData("MASSDPO__LEARNER__BETA__X", "1", "learner.beta", "\"X\", which names no setting", "leave it out")]
    [InlineData("MASSDPO__LEARNER__A_B", "1", "learner", "\"A_B\", which names more than one setting", "A-b, a-B")]
    [InlineData("MASSDPO__", "1", null, "\"\"", "use one of")]
    [InlineData("MASSDPO__LEARNER", "1", "learner", "the number 1 for a block", "name a setting in the block")]
    public void VariablesThatMatchNothingAreRefused(string name, string value, string? key, params string[] words) =>
        Refuses(() => HoconDocument.FromEnvironment(Known, [KeyValuePair.Create(name, value)]), $"environment variable {name}", key, words);

    [Fact]
    public void HoconInAVariableHasToBeHocon() =>
        Refuses(() => HoconDocument.FromEnvironment(Known, [KeyValuePair.Create("MASSDPO__LEARNER__TAGS", "[a")]),
            "environment variable MASSDPO__LEARNER__TAGS, column 1", "learner.tags", "never closed");

    [Fact]
    public void EverySourceTakesItsPlace()
    {
        KeyValuePair<string, string>[] variables = [new("MASSDPO__LEARNER__LOSS", "no"), new("MASSDPO__LEARNER__RATE", "3")];
        var reference = HoconDocument.Parse("learner { beta = 0.1, rate = 1, loss = sigmoid, seed = 0, name = r }", "reference.conf");
        var merged = HoconDocument.FromPlainText("learner.seed", "5", "--seed")
            .WithFallback(HoconDocument.FromAssignment("learner.seed=4"))
            .WithFallback(HoconDocument.FromAssignment("learner.loss=${learner.name}x"))
            .WithFallback(HoconDocument.FromEnvironment(reference.Resolve(), variables))
            .WithFallback(HoconDocument.Parse("learner { rate = 2, name = f }", "app.conf"))
            .WithFallback(reference).Resolve();
        Same("""{"learner":{"beta":0.1,"rate":3,"loss":"fx","seed":5,"name":"f"}}""", merged);
        Assert.Equal(["reference.conf", "environment variable MASSDPO__LEARNER__RATE", "--set", "--seed", "app.conf"],
            merged.Paths().Select(leaf => leaf.Value.Origin.Name));
    }

    [Fact]
    public void TheProcessEnvironmentIsReadByDefault() =>
        Assert.Empty(HoconDocument.FromEnvironment(Known, prefix: "MASSDPO_NO_SUCH_PREFIX__").Resolve().Paths());
}
