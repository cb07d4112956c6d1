using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconSubstitutionTests
{
    [Theory]
    [InlineData("a = ${b}, b = 1", """{"a":1,"b":1}""")]
    [InlineData("a = ${b.c}x${b.c}, b.c = 1", """{"a":"1x1","b":{"c":1}}""")]
    [InlineData("a=1,b=${a},a=2", """{"a":2,"b":2}""")]
    [InlineData("k : ${n.f} is my favorite animal, n.f = cat", """{"k":"cat is my favorite animal","n":{"f":"cat"}}""")]
    [InlineData("k : ${n}\" is it\", n = \"${x}\"", """{"k":"${x} is it","n":"${x}"}""")]
    [InlineData("a = [${b}, ${b}], b = {c=[]}", """{"a":[{"c":[]},{"c":[]}],"b":{"c":[]}}""")]
    [InlineData("\"x.y\" = 1, a = ${\"x.y\"}, b = ${ \"x.y\" }", """{"x.y":1,"a":1,"b":1}""")]
    [InlineData("a = ${true}${1.5}, true = yes, 1.5 = no", """{"a":"yesno","true":"yes","1":{"5":"no"}}""")]
    [InlineData("a = null, b = ${a}, c = ${a}x", """{"a":null,"b":null,"c":"nullx"}""")]
    [InlineData("g = { size = 6 }, e = ${g} { name = east }", """{"g":{"size":6},"e":{"size":6,"name":"east"}}""")]
    [InlineData("p = [ /bin ], p = ${p} [ /usr/bin ]", """{"p":["/bin","/usr/bin"]}""")]
    [InlineData("f={a:1}, b={c:2}, x = ${f} ${b}, y = ${f}${b}", """{"f":{"a":1},"b":{"c":2},"x":{"a":1,"c":2},"y":{"a":1,"c":2}}""")]
    [InlineData("foo=${bar}, bar=${a.b.c}, a.b { c = 57, d = ${foo} }, o = ${a.b}, x = ${o.d}",
        """{"foo":57,"bar":57,"a":{"b":{"c":57,"d":57}},"o":{"c":57,"d":57},"x":57}""")]
    [InlineData("foo : ${does-not-exist}, foo : 42", """{"foo":42}""")]
    public void ASubstitutionTakesTheFinalValueWithItsType(string text, string json) => Means(json, text);

    [Theory]
    [InlineData("a = ${?no}", "{}")]
    [InlineData("a = 42, a = ${?no}", """{"a":42}""")]
    [InlineData("a = {b=1}, a = ${?no}", """{"a":{"b":1}}""")]
    [InlineData("a = [1, ${?no}, 2]", """{"a":[1,2]}""")]
    [InlineData("a = ${?no}${?none}", "{}")]
    [InlineData("a = ${?no} ${?none}", """{"a":" "}""")]
    [InlineData("a = x${?no}", """{"a":"x"}""")]
    [InlineData("a = ${?no} x", """{"a":" x"}""")]
    [InlineData("a = [1] ${?no}", """{"a":[1]}""")]
    [InlineData("a = ${?no} {b=1}", """{"a":{"b":1}}""")]
    [InlineData("a = ${?no}${b}, b = 5", """{"a":5,"b":5}""")]
    [InlineData("a = \"\"${?no}", """{"a":""}""")]
    [InlineData("a { b = ${?no} }", """{"a":{}}""")]
    [InlineData("a = 1, a { b = 2 }, a = ${?a.no}", """{"a":{"b":2}}""")]
    public void AnUndefinedOptionalSubstitutionLeavesNothing(string text, string json) => Means(json, text);

    // Each is written out from a passage of "Self-Referential Substitutions" or its examples.
    [Theory]
    [InlineData("path : \"a:b:c\", path : ${path}\":d\"", """{"path":"a:b:c:d"}""")]
    [InlineData("foo : { a : 1 }, foo : ${foo}", """{"foo":{"a":1}}""")]
    [InlineData("foo : ${?foo}", "{}")]
    [InlineData("foo : ${foo}, foo : 42", """{"foo":42}""")]
    [InlineData("foo : { a : { c : 1 } }, foo : ${foo.a}, foo : { a : 2 }", """{"foo":{"a":2,"c":1}}""")]
    [InlineData("bar : { foo : 42, baz : ${bar.foo} }", """{"bar":{"foo":42,"baz":42}}""")]
    [InlineData("bar : { foo : 42, baz : ${bar.foo} }, bar : { foo : 43 }", """{"bar":{"foo":43,"baz":43}}""")]
    [InlineData("bar : 101, bar : { foo : 42, baz : ${bar.foo} }", """{"bar":{"foo":42,"baz":42}}""")]
    [InlineData("bar : { a : ${foo.d}, b : 1 }, bar.b = 3, foo : { c : ${bar.b}, d : 2 }, foo.d = 4",
        """{"bar":{"a":4,"b":3},"foo":{"c":3,"d":4}}""")]
    [InlineData("a = ${?a}foo", """{"a":"foo"}""")]
    [InlineData("a = ${?a}foo${?a}", """{"a":"foo"}""")]
    [InlineData("a = 1, a = ${?a}foo${?a}", """{"a":"1foo1"}""")]
    [InlineData("a = 1, a = ${a}x, a = ${a}y, a = ${a}z", """{"a":"1xyz"}""")]
    [InlineData("a = 1, a = ${a}, a = 2", """{"a":2}""")]
    [InlineData("a = {b=5}, a = ${a}, a = {c=6}", """{"a":{"b":5,"c":6}}""")]
    [InlineData("a.b.c = 1, a.b.c = ${a.b.c}", """{"a":{"b":{"c":1}}}""")]
    [InlineData("a = {b={c=5}}, a = { x : ${a.b} }, a = {b=2}", """{"a":{"b":2,"x":2}}""")]
    [InlineData("a = 1, a = ${b}, b = ${a}", """{"a":1,"b":1}""")]
    [InlineData("a = 1, a = ${b}, b = ${c}, c = ${a}", """{"a":1,"b":1,"c":1}""")]
    [InlineData("a : 1, b : 2, a : ${b}, b : ${a}", """{"a":1,"b":1}""")]
    [InlineData("a = ${?b}, b = ${?a}", "{}")]
    [InlineData("a = ${?b}foo, b = ${?a}", """{"a":"foo","b":"foo"}""")]
    [InlineData("a { b = ${?a} }", """{"a":{}}""")]
    [InlineData("a = {x=1}, a = ${a}{y=2}, a = ${a}{z=3}", """{"a":{"x":1,"y":2,"z":3}}""")]
    public void ASelfReferenceLooksBack(string text, string json) => Means(json, text);

    // Objects refer into each other and themselves, through values that other substitutions give.
    [Theory]
    [InlineData("d {a=1,b=2}, i = ${d}, i.b = 3, j = ${i.b}", """{"d":{"a":1,"b":2},"i":{"a":1,"b":3},"j":3}""")]
    [InlineData("d {a=1,b=2}, i = ${d}, i.b = {c=43}, j = ${i.b}", """{"d":{"a":1,"b":2},"i":{"a":1,"b":{"c":43}},"j":{"c":43}}""")]
    [InlineData("d {a=1,b{c=31}}, i = ${d}, i.b = {e=41}", """{"d":{"a":1,"b":{"c":31}},"i":{"a":1,"b":{"c":31,"e":41}}}""")]
    [InlineData("d {a=1}, i = ${d}, i.c = ${j.d}, j = ${d}, j.d = ${i.a}", """{"d":{"a":1},"i":{"a":1,"c":1},"j":{"a":1,"d":1}}""")]
    [InlineData("i.a = 1, i.b = ${j.d}, j.d = 2, j.e = ${i.b}, j.f = ${j.e}", """{"i":{"a":1,"b":2},"j":{"d":2,"e":2,"f":2}}""")]
    [InlineData("a = ${b} {x=1}, b = {z = ${a.x}}", """{"a":{"z":1,"x":1},"b":{"z":1}}""")]
    [InlineData("b {n = 1, n = ${b.n}2}, x = ${b}, x.n = ${x.n}3", """{"b":{"n":"12"},"x":{"n":"123"}}""")]
    [InlineData("x = ${b}, x.n = ${x.n}3, b {n = 1, n = ${b.n}2}", """{"x":{"n":"123"},"b":{"n":"12"}}""")]
    [InlineData("x = ${b}, x.n = ${x.n}3, b.n = ${?b.n}2", """{"x":{"n":"23"},"b":{"n":2}}""")]
    [InlineData("x {a=1, a=${x.a}2}, x = ${x}{a=${x.a}3}", """{"x":{"a":"123"}}""")]
    [InlineData("y.a = [0], x = ${y}, x { a = ${?q}, a += 1 }", """{"y":{"a":[0]},"x":{"a":[0,1]}}""")]
    [InlineData("y.a = [0], x = ${y}, x { a = ${?q}, a += 1 }, q = [5]", """{"y":{"a":[0]},"x":{"a":[5,1]},"q":[5]}""")]
    [InlineData("y.l += 7, x.l = [0], x = ${y}, x.l += 1", """{"y":{"l":[7]},"x":{"l":[7,1]}}""")]
    [InlineData("i = 345, i = ${?no}, i = ${e}, i = {}, i = ${f}, i.b = {c=4}, e.m = ${z}, f.x = ${z}, z = 1",
        """{"i":{"m":1,"x":1,"b":{"c":4}},"e":{"m":1},"f":{"x":1},"z":1}""")]
    // i = ${d} is no reason to resolve what d holds, so its parts look forward. (Lightbend's library looks back there.)
    [InlineData("i.b = 7, d { a = ${i.b}, b = 2 }, i = ${d}", """{"i":{"b":2,"a":2},"d":{"a":2,"b":2}}""")]
    public void ObjectsResolveNoFurtherThanNeeded(string text, string json) => Means(json, text);

    [Theory]
    [InlineData("foo : ${foo}", 7, "foo", "foo → foo")]
    [InlineData("foo : ${foo}, foo : { a : 1 }", 7, "foo", "foo → foo")]
    [InlineData("bar : ${foo}\nfoo : ${bar}", 7, "foo", "bar → foo → bar")]
    [InlineData("a : ${b}\nb : ${c}\nc : ${a}", 5, "c", "a → b → c → a")]
    [InlineData("x = ${a}, a : ${b}z\nb : ${a}", 5, "b", "a → b → a")]
    [InlineData("foo = ${?bar}\nbar = ${a.b}\na.b = ${foo}", 7, "a.b", "foo → bar → a.b → foo")]
    [InlineData("a : { b : ${a} }", 11, "a.b", "a → a.b → a")]
    [InlineData("a : [${a}]", 6, "a[0]", "a → a[0] → a")]
    [InlineData("a = 1, a = [${a}, 2]", 13, "a[0]", "a → a[0] → a")]
    [InlineData("a : { b : ${a} {c = 1} }", 11, "a.b.b", "a.b → a.b.b → a.b")]
    [InlineData("a { x = ${b} }, b { y = [${a}] }", 26, "a.x.y[0]", "a → a.x.y[0] → a")]
    public void CyclesAreNamed(string text, int column, string key, string chain)
    {
        var error = Assert.Throws<HoconException>(() => Resolve(text));
        Assert.Equal(key, error.Key);
        Assert.Contains($"a cycle of substitutions, {chain}, ", error.Message, StringComparison.Ordinal);
        Assert.Equal(column, error.Origin.Column);
        Assert.StartsWith("test.conf:", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a = 1\nb.c = ${no.such}", 2, 7, "b.c", "${no.such}")]
    [InlineData("b = [1, x ${a.b.c}]\na.b = 1", 1, 11, "b[1]", "${a.b.c}")]
    [InlineData("a=${nonexistent}, a={ b : 42 }", 1, 3, "a", "${nonexistent}")]
    public void UndefinedSubstitutionsAreRefused(string text, int line, int column, string key, string substitution) =>
        Refuses(text, line, column, key, substitution, "no such setting", "${?…}");

    [Fact]
    public void TheEnvironmentServesWhatIsNoSetting()
    {
        string? Variables(string name) => name switch { "HOME" => "/root", "EMPTY" => "", "N" => "5", "x.y" => "dotted", _ => null };

        var settings = HoconDocument.Parse("""
            home = ${HOME}/x, empty = ${EMPTY}, n = ${N}, dotted = ${x.y}
            N = ${N}5   # its own value, so the environment's
            set { HOME = null, blocked = ${set.HOME} }
            none = ${?NONE}
            """).Resolve(Variables);
        Same("""{"home":"/root/x","empty":"","n":"55","dotted":"dotted","N":"55","set":{"HOME":null,"blocked":null}}""", settings);
        Assert.Equal("environment variable EMPTY", settings.GetValue("empty").Origin.ToString());
        Assert.Equal(55, settings.GetInt32("n"));
    }

    [Fact]
    public void NullBlocksTheEnvironment() =>
        Same("""{"HOME":null,"a":null}""", HoconDocument.Parse("HOME = null, a = ${HOME}").Resolve(_ => "/root"));

    [Fact]
    public void TheProcessEnvironmentIsTheDefault() =>
        Assert.Equal(Environment.GetEnvironmentVariable("PATH"), HoconDocument.Parse("a = ${PATH}").Resolve().GetString("a"));

    [Fact]
    public void DocumentsAreResolvedAsOne()
    {
        var merged = HoconDocument.Parse("a = ${b}, c { x = ${c.y} }, l = ${l} [2]").WithFallback(HoconDocument.Parse("b = ${d}, c.y = 7, l = [1]"))
            .WithFallback(HoconDocument.Parse("d = 4, b = 3, l = [0]"));
        Same("""{"d":4,"b":4,"l":[1,2],"c":{"y":7,"x":7},"a":4}""", merged.Resolve(NoVariables));
    }

    // Small texts whose resolved form, or the way to it, would be enormous.
    [Theory]
    [InlineData("text")]
    [InlineData("tree")]
    [InlineData("list")]
    [InlineData("depth")]
    [InlineData("chain")]
    [InlineData("chain back")]
    [InlineData("tangle")]
    public void BombsAreRefused(string kind)
    {
        var text = string.Join('\n', kind switch
        {
            "text" => Enumerable.Range(1, 40).Select(i => $"a{i} = ${{a{i - 1}}}${{a{i - 1}}}").Prepend("a0 = x"),
            "tree" => Enumerable.Range(1, 40).Select(i => $"a{i} {{ x = ${{a{i - 1}}}, y = ${{a{i - 1}}} }}").Prepend("a0 = x"),
            "list" => Enumerable.Range(1, 40).Select(i => $"a{i} = ${{a{i - 1}}} ${{a{i - 1}}}").Prepend("a0 = [x]"),
            "depth" => Enumerable.Range(1, 200).Select(i => $"a{i} {{ x = ${{a{i - 1}}} }}").Prepend("a0 = x"),
            "chain" => Enumerable.Range(1, 20_000).Select(i => $"a{i} = ${{a{i + 1}}}"),
            "chain back" => Enumerable.Range(1, 20_000).Select(i => "a = ${a}x").Prepend("a = x"),
            _ => Enumerable.Range(1, 30).Select(i => $"a{i} = {string.Concat(Enumerable.Range(1, 30).Select(j => $"${{?a{j}}}"))}"),
        });
        var error = Assert.Throws<HoconException>(() => Resolve(text));
        Assert.StartsWith("test.conf:", error.Message, StringComparison.Ordinal);
        Assert.Contains("more than ", error.Message.Replace("deeper than", "more than", StringComparison.Ordinal), StringComparison.Ordinal);
    }
}
