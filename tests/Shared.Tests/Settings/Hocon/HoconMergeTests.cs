using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconMergeTests
{
    [Theory]
    [InlineData("a = 10, a = 11", """{"a":11}""")]
    [InlineData("foo : { a : 42 }, foo : { b : 43 }", """{"foo":{"a":42,"b":43}}""")]
    [InlineData("foo : { a : 42 }, foo : null, foo : { b : 43 }", """{"foo":{"b":43}}""")]
    [InlineData("a : { b : 1 }, a : 42, a : { c : 2 }", """{"a":{"c":2}}""")]
    [InlineData("a : { b : 1 }, a : [1], a : { c : 2 }", """{"a":{"c":2}}""")]
    [InlineData("a : { b { x : 1, y : 2 } }, a : { b : { x : 42, z : 100 } }", """{"a":{"b":{"x":42,"y":2,"z":100}}}""")]
    [InlineData("a : [1, 2], a : [3]", """{"a":[3]}""")]
    [InlineData("a.b = 1, a = {}, a.c = 2", """{"a":{"b":1,"c":2}}""")]
    public void LaterKeysOverrideAndObjectsMerge(string text, string json) => Means(json, text);

    [Theory]
    [InlineData("a : { b : 1, c : 2 }")]
    [InlineData("a : { b : 1 } { c : 2 }")]
    [InlineData("a : { b : 1 }\na : { c : 2 }")]
    [InlineData("a : { b : 1,\n } { c : 2\n }")]
    [InlineData("a : { b : 3, c : 2 } { b : 2 } { b : 1 }")]
    [InlineData("a : { b : 1 }, a : { b : 2, c : 2 } ${a}")]
    public void ObjectsSideBySideMerge(string text) => Means("""{"a":{"b":1,"c":2}}""", text);

    [Theory]
    [InlineData("a : [ 1, 2, 3, 4 ]")]
    [InlineData("a : [ 1, 2 ] [ 3, 4 ]")]
    [InlineData("a : [ 1, 2 ]\na : ${a} [ 3, 4 ]")]
    [InlineData("a : [1,2\n] [3,4]")]
    [InlineData("a : [1] { 0 : 2 } [3], a += 4")]
    [InlineData("a.7 = 2, a.0 = 1, a.x = no, a = ${a}[3,4]")]
    public void ListsSideBySideJoin(string text) => Means("""{"a":[1,2,3,4]}""", text);

    [Theory]
    [InlineData("[ 1 2 3 4 ]", """["1 2 3 4"]""")]
    [InlineData("[ 1\n2\n3\n4 ]", "[1,2,3,4]")]
    [InlineData("[ [ 1, 2 ] [ 3, 4 ] ]", "[[1,2,3,4]]")]
    [InlineData("[ [ 1, 2 ]\n[ 3, 4 ] ]", "[[1,2],[3,4]]")]
    [InlineData("[ { b : c } { x : y } ]", """[{"b":"c","x":"y"}]""")]
    [InlineData("[ { b : c }\n{ x : y } ]", """[{"b":"c"},{"x":"y"}]""")]
    [InlineData("[ \"4\" \"5\" \"6\" ]", """["4 5 6"]""")]
    public void WhiteSpaceJoinsAndLinesPart(string text, string json) => Means(json, text);

    [Theory]
    [InlineData("a : abc { x : y }", 5, "the text \"abc\" side by side with a block of 1 setting")]
    [InlineData("a : { x : y } 1", 5, "a block of 1 setting side by side with the number 1")]
    [InlineData("a : null { x : y }", 5, "null side by side with a block of 1 setting")]
    [InlineData("a : abc [1, 2]", 5, "the text \"abc\" side by side with a list of 2 values")]
    [InlineData("a : [1] { b : 2 }", 5, "a block of 1 setting side by side with a list of 1 value")]
    [InlineData("a : [1] {}", 5, "a block of 0 settings side by side with a list of 1 value")]
    [InlineData("a : abc ${x}, x : { y : z }", 5, "the text \"abc\" side by side with a block of 1 setting")]
    [InlineData("a : abc ${x}, x : [1,2]", 5, "the text \"abc\" side by side with a list of 2 values")]
    [InlineData("a : ${x}\" \"${x}, x : {}", 5, "a block of 0 settings side by side with the text \" \"")]
    public void MixturesAreRefused(string text, int column, string words) => Refuses(text, 1, column, "a", words);

    [Theory]
    [InlineData("a += 2", "[2]")]
    [InlineData("a = [], a += 2", "[2]")]
    [InlineData("a = [1], a += 2", "[1,2]")]
    [InlineData("a += 1, a += 2, a += 3", "[1,2,3]")]
    [InlineData("a = ${x}, a += ${y}, x = [1], y = 2", "[1,2]")]
    [InlineData("a += { b : 1 }\na += { b : 2 }", """[{"b":1},{"b":2}]""")]
    [InlineData("a += [1], a += x y", """[[1],"x y"]""")]
    [InlineData("a = [1], a = ${a} [2], a += 3, a = ${a} [4]", "[1,2,3,4]")]
    [InlineData("a = 7, a = ${?b}, a += 3, b = [1, 2]", "[1,2,3]")]
    [InlineData("a.0 = x, a += y", """["x","y"]""")]
    public void PlusEqualsAppends(string text, string json) => Same(json, Resolve(text).GetValue("a"));

    [Theory]
    [InlineData("a.b.c = [1], a.b.c += 2")]
    [InlineData("a : { b : { c : [1] } }, a : { b : { c += 2 } }")]
    [InlineData("a : { b : { c : [1], c += 2 } }")]
    [InlineData("d { c = [] }, a.b : ${d}, a.b { c += 1, c += 2 }")]
    [InlineData("d { c = [1] }, a.b : ${d}\na.b.c += 2")]
    [InlineData("a.b { c: [], c : ${a.b.c}[1], c : ${a.b.c}[2] }")]
    [InlineData("d { c = [] }, a.b : ${d}, a.b { c : ${a.b.c}[1], c : ${a.b.c}[2] }")]
    [InlineData("r: { d.c=[] }, a: ${r}, a : { d { c = [] }, b : ${a.d}, b { c : ${a.b.c}[1], c : ${a.b.c}[2] } }")]
    public void ListsGrowInNestedObjects(string text) => Same("[1,2]", Resolve(text).GetValue("a.b.c"));

    [Fact]
    public void ThousandsOfAppendedValuesAreNoChain()
    {
        var text = string.Concat(Enumerable.Range(0, 3_000).Select(i => $"a.b += {i}\n"));
        Assert.Equal(Enumerable.Range(0, 3_000), Resolve(text).GetList("a.b", (item, key) => item.AsInt32(key)));
    }

    [Theory]
    [InlineData("a = 10, a += 2", "the number 10 side by side with a list of 1 value")]
    [InlineData("a = abc, a += 2", "the text \"abc\" side by side with a list of 1 value")]
    [InlineData("a = { x : y }, a += 2", "a block of 1 setting side by side with a list of 1 value")]
    public void PlusEqualsWantsAListBelow(string text, string words) => Refuses(text, 1, text.Length - "a += 2".Length + 1, "a", words);

    [Fact]
    public void PlusEqualsInsideAListIsRefused() =>
        Refuses("x = [ { a += 1 } ]", 1, 9, "x[0].a", "+= in a block inside a list", "write the whole list");

    [Fact]
    public void PlusEqualsNeverReadsTheEnvironment() =>
        Same("""{"PATH":[1]}""", HoconDocument.Parse("PATH += 1").Resolve(name => name == "PATH" ? "/bin" : null));

    [Fact]
    public void FallbacksMergeAsIfWrittenBefore()
    {
        static HoconDocument Read(string text) => HoconDocument.Parse(text);

        // The spec's examples: the non-object hides what is below it, but only below it.
        Same("""{"a":{"x":1}}""", Read("a : { x : 1 }").WithFallback(Read("a : 42")).WithFallback(Read("a : { y : 2 }")).Resolve());
        Same("""{"a":{"x":1,"y":2}}""", Read("a : { x : 1 }").WithFallback(Read("a : { y : 2 }")).WithFallback(Read("a : 42")).Resolve());
        Same("""{"a":{"x":1}}""", Read("a : { x : 1 }").WithFallback(Read("a : 42").WithFallback(Read("a : { y : 2 }"))).Resolve());
        Same("""{"a":{"x":1}}""", Read("a = null, a : { x : 1 }").WithFallback(Read("a : { y : 2 }")).Resolve());
        Same("""{"a":{"x":1}}""", Read("a = null, a : { x : 1 }").Resolve().WithFallback(Read("a : { y : 2 }").Resolve()));
        Same("""{"a":[0,1],"b":"1;2","c":5,"d":5}""",
            Read("a += 1, b = ${b};2, c = ${d}").WithFallback(Read("a = [0], b = 1, d = 5, d = ${?no}")).Resolve());
    }

    [Fact]
    public void MergingChangesNeitherSide()
    {
        var (upper, lower) = (HoconDocument.Parse("a { x = 1, l { n = 1 } }, k += 2"), HoconDocument.Parse("a { y = 2, l { m = 2 } }, k = [1]"));
        var merged = upper.WithFallback(lower).WithFallback(HoconDocument.Parse("a.l.o = 3, k = [0]"));
        Same("""{"a":{"y":2,"x":1,"l":{"o":3,"m":2,"n":1}},"k":[1,2]}""", merged.Resolve());
        Same("""{"a":{"x":1,"l":{"n":1}},"k":[2]}""", upper.Resolve());
        Same("""{"a":{"y":2,"l":{"m":2}},"k":[1]}""", lower.Resolve());
    }
}
