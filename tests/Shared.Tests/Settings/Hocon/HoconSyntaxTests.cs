using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconSyntaxTests
{
    [Theory]
    [InlineData("{\"a\":1,\"b\":[true,false,null,-1.5e3,\"x\\u0041\\n\"],\"c\":{}}")]
    [InlineData("[]")]
    [InlineData("[[[1]],{},\"\"]")]
    [InlineData("{ \"a\" \n : \n 42 }")]
    public void JsonIsHocon(string json) => Means(json, json);

    [Theory]
    [InlineData("")]
    [InlineData(" \n\t\n")]
    [InlineData("# only a comment")]
    [InlineData("// only a comment\n{}")]
    [InlineData("{}")]
    [InlineData("\ufeff{}")]
    public void ATextWithoutFieldsIsAnEmptyObject(string text) => Means("{}", text);

    [Theory]
    [InlineData("a : 1 # b : 2")]
    [InlineData("a : 1 // b : 2")]
    [InlineData("a # c\n : // d\n 1")]
    [InlineData("# x\n// y\na=1")]
    [InlineData("{ a:1 } # after")]
    public void CommentsEndWithTheLine(string text) => Means("""{"a":1}""", text);

    [Fact]
    public void CommentSignsInQuotesAreText() => Means("""{"a":"x # y // z","b":"/a/b"}""", """a = "x # y // z", b = /a/b""");

    [Theory]
    [InlineData("a = 1, b = x")]
    [InlineData("a : 1\nb : x")]
    [InlineData("{ a = 1, b : x, }")]
    [InlineData("a = 1\n\n,\n\nb = x\n,\n")]
    [InlineData("\n{\n\"a\" = 1\r\n b = x\r\n}\n")]
    public void BracesSeparatorsAndCommasAreOptional(string text) => Means("""{"a":1,"b":"x"}""", text);

    [Theory]
    [InlineData("a { b : 1 }")]
    [InlineData("\"a\" { b = 1 }")]
    [InlineData("a\n{ b = 1 }")]
    [InlineData("a.b = 1")]
    [InlineData("a : { b : 1 }")]
    [InlineData("a = {} { b = 1 }")]
    public void TheSeparatorMayBeLeftOutBeforeABrace(string text) => Means("""{"a":{"b":1}}""", text);

    [Theory]
    [InlineData("[1,2,3,]")]
    [InlineData("[1\n2\n3]")]
    [InlineData("[1,2,3]")]
    [InlineData("[\n1\n,\n2\n,\n3\n,\n]")]
    [InlineData("[ 1 # one\n 2 // two\n 3 ]")]
    public void ListsTakeCommasOrLines(string text) => Means("[1,2,3]", text);

    [Theory]
    [InlineData("[1,2,3,,]", 1, 8)]
    [InlineData("[,1,2,3]", 1, 2)]
    [InlineData("[1,,2,3]", 1, 4)]
    [InlineData("{a:1,,b:2}", 1, 6)]
    [InlineData("{,a:1}", 1, 2)]
    [InlineData(",a:1", 1, 1)]
    [InlineData("a:1,,", 1, 5)]
    [InlineData("a:1\n,\n,b:2", 3, 1)]
    public void TwoCommasOrOneAtTheStartAreRefused(string text, int line, int column) =>
        Refuses(text, line, column, text == "[,1,2,3]" ? "[0]" : null, "found \",\"");

    [Theory]
    [InlineData("a = 1 }", 1, 7)]
    [InlineData("}", 1, 1)]
    [InlineData("{a = 1}}", 1, 8)]
    [InlineData("{a = 1", 1, 1)]
    [InlineData("{}{}", 1, 3)]
    [InlineData("[]x", 1, 3)]
    [InlineData("{a=1}\nb=2", 2, 1)]
    public void UnbalancedBracesAreRefused(string text, int line, int column) => Refuses(text, line, column, null);

    [Theory]
    [InlineData("\u00a0\u2007\u202f\u2003a\u2028=\u2029\ufeff1\u3000\v\f\u001c\u001d\u001e\u001f")]
    [InlineData("\ta\t=\t1\t\r\n")]
    public void WhiteSpaceIsWhatUnicodeSays(string text) => Means("""{"a":1}""", text);

    [Fact]
    public void OnlyTheLineFeedEndsALine() => Means("""{"a":"1\rb"}""", "a = 1\rb");

    [Theory]
    [InlineData("a = b c", "b c")]
    [InlineData("a =  foo bar baz  ", "foo bar baz")]
    [InlineData("a = foo   \"bar\" 10 true null", "foo   bar 10 true null")]
    [InlineData("a = truefoo", "truefoo")]
    [InlineData("a = footrue", "footrue")]
    [InlineData("a = 10.0bar", "10.0bar")]
    [InlineData("a = bar10.0", "bar10.0")]
    [InlineData("a = 127.0.0.1", "127.0.0.1")]
    [InlineData("a = -foo", "-foo")]
    [InlineData("a = 1-e3", "1-e3")]
    [InlineData("a = 10e3e3", "10e3e3")]
    [InlineData("a = 1.", "1.")]
    [InlineData("a = 007", "007")]
    [InlineData("a = 1e5 x", "1e5 x")]
    [InlineData("a = include", "include")]
    [InlineData("a = (42)", "(42)")]
    [InlineData("a = a/b", "a/b")]
    [InlineData("a = /a//b", "/a")]
    [InlineData("a = 5 m", "5 m")]
    [InlineData("a = \"\"", "")]
    public void UnquotedText(string text, string expected)
    {
        var value = Resolve(text).GetValue("a");
        Assert.Equal((HoconKind.String, expected), (value.Kind, value.AsString()));
    }

    [Theory]
    [InlineData("1", HoconKind.Number)]
    [InlineData("-0.5e+10", HoconKind.Number)]
    [InlineData("1E5", HoconKind.Number)]
    [InlineData("1e999999999999999999999", HoconKind.Number)]
    [InlineData("true", HoconKind.Boolean)]
    [InlineData("false", HoconKind.Boolean)]
    [InlineData("null", HoconKind.Null)]
    public void ALoneWordKeepsItsTypeAndItsForm(string text, HoconKind kind)
    {
        var value = Assert.IsType<HoconScalar>(Resolve($"a = {text} ").GetValue("a"));
        Assert.Equal((kind, text), (value.Kind, value.Text));
    }

    [Theory]
    [InlineData("$ x")]
    [InlineData("a`b")]
    [InlineData("a^b")]
    [InlineData("?")]
    [InlineData("a!")]
    [InlineData("@a")]
    [InlineData("*")]
    [InlineData("a&b")]
    [InlineData("\\\\a")]
    [InlineData("+")]
    [InlineData("10e+3e")]
    public void ReservedCharactersWantQuotes(string value) => Refuses($"a.b = {value}", 1, value.StartsWith('a') ? 8 : 7, "a.b", "quote");

    [Theory]
    [InlineData("a = \"x\ny\"", 1, 5, "does not end on its line")]
    [InlineData("a = \"x", 1, 5, "does not end on its line")]
    [InlineData("a = \"\tx\"", 1, 6, "U+0009")]
    [InlineData("a = \"\\x\"", 1, 6, "\\\\x")]
    [InlineData("a = \"\\u12G4\"", 1, 6, "\\u")]
    [InlineData("\na = \"\"\"x\n\"\"", 2, 5, "never closed")]
    public void BrokenStringsAreRefused(string text, int line, int column, string word) => Refuses(text, line, column, "a", word);

    [Theory]
    [InlineData("\"\"\"foo\"\"\"", "foo")]
    [InlineData("\"\"\"foo\"\"\"\"", "foo\"")]
    [InlineData("\"\"\"foo\"\"\"\"\"", "foo\"\"")]
    [InlineData("\"\"\"\"\"\"", "")]
    [InlineData("\"\"\" a\n  \\u0041 \" \"\" b \"\"\"", " a\n  \\u0041 \" \"\" b ")]
    [InlineData("\"\"\"${x} # no\r\n\"\"\"", "${x} # no\r\n")]
    public void TripleQuotesKeepEverything(string text, string expected) => Assert.Equal(expected, Resolve($"a = {text}\nb = 1").GetString("a"));

    [Fact]
    public void LinesAreCountedThroughTripleQuotes() =>
        Assert.Equal(new HoconOrigin("test.conf", 4, 5), Resolve("a = \"\"\"\n\n\"\"\"\nb = 1").GetValue("b").Origin);

    [Theory]
    [InlineData("foo.bar.baz : 42", """{"foo":{"bar":{"baz":42}}}""")]
    [InlineData("foo.\"hello.world\".x : 1", """{"foo":{"hello.world":{"x":1}}}""")]
    [InlineData("a b c : 42", """{"a b c":42}""")]
    [InlineData("true : 42", """{"true":42}""")]
    [InlineData("3 : 42", """{"3":42}""")]
    [InlineData("3.14 : 42", """{"3":{"14":42}}""")]
    [InlineData("10.0foo : 1", """{"10":{"0foo":1}}""")]
    [InlineData("foo10.0 : 1", """{"foo10":{"0":1}}""")]
    [InlineData("foo\"10.0\" : 1", """{"foo10.0":1}""")]
    [InlineData("1.2.3 : 1", """{"1":{"2":{"3":1}}}""")]
    [InlineData("a.\"\".b : 1", """{"a":{"":{"b":1}}}""")]
    [InlineData("\"\" : 1", """{"":1}""")]
    [InlineData("a . b : 1", """{"a ":{" b":1}}""")]
    [InlineData("a.x : 42, a.y : 43", """{"a":{"x":42,"y":43}}""")]
    [InlineData("/a/b : 1", """{"/a/b":1}""")]
    [InlineData("foo include : 42", """{"foo include":42}""")]
    [InlineData("\"include\" : 42", """{"include":42}""")]
    [InlineData("includes.include = 1", """{"includes":{"include":1}}""")]
    [InlineData("a { b { c = 1 }, b.d = 2 }\na.b.e = 3", """{"a":{"b":{"c":1,"d":2,"e":3}}}""")]
    public void KeysArePaths(string text, string json) => Means(json, text);

    [Theory]
    [InlineData("a..b = 1", 1)]
    [InlineData(".a = 1", 1)]
    [InlineData("a. = 1", 1)]
    [InlineData("x=1, .\"\" = 1", 6)]
    public void EmptyElementsOfAPathWantQuotes(string text, int column) => Refuses(text, 1, column, null, "empty element", "\"\"");

    [Theory]
    [InlineData("a", 2, "the end of the text")]
    [InlineData("a\nb = 1", 1, "the text \"b\"")]
    [InlineData("a = ", 5, "the end of the text")]
    [InlineData("a.b =\n\n}", 1, "\"}\"")]
    [InlineData("a = [1 2] 3", 5, "the number 3 side by side")]
    [InlineData("a = 1 b = 2", 9, "\"=\"")]
    [InlineData("{ a : y b : z }", 11, "\":\"")]
    [InlineData("url = http://example.org", 11, "\":\"")]
    [InlineData("a = ${b", 8, "the end of the text")]
    [InlineData("a = ${b\n}", 8, "the end of the line")]
    [InlineData("a = ${}", 7, "\"}\"")]
    [InlineData("a = ${?}", 8, "\"}\"")]
    [InlineData("a = ${ ?b}", 8, "\"?\"")]
    [InlineData("a = ${${b}}", 7, "\"${\"")]
    public void ValuesThatAreNoneAreRefused(string text, int column, string found)
    {
        var error = Assert.Throws<HoconException>(() => Resolve(text));
        Assert.Equal(column, error.Origin.Column);
        Assert.StartsWith("found " + found, error.Found, StringComparison.Ordinal);
        Assert.NotNull(error.Key);
    }

    [Theory]
    [InlineData("{ { a : 1 } : 1 }")]
    [InlineData("[1] = 1")]
    [InlineData("= 1")]
    [InlineData("{ [ a ] : 1 }")]
    [InlineData("${a} = 1")]
    [InlineData("a${b} = 1")]
    [InlineData("{ a : 1, true }")]
    [InlineData("[ 10, }]")]
    [InlineData("[ 10, {]")]
    [InlineData("[ a : b ]")]
    [InlineData("{ a [1] }")]
    [InlineData("+= 1")]
    [InlineData("10 +=")]
    public void WhatIsNoFieldIsRefused(string text) => Assert.Throws<HoconException>(() => Resolve(text));

    [Theory]
    [InlineData("[", "1", "]", 100)]
    [InlineData("{a:", "1", "}", 100)]
    [InlineData("{a=[", "1", "]}", 50)]
    [InlineData("a.", "a=1", "", 99)]
    public void DepthIsLimited(string open, string middle, string close, int limit)
    {
        string Nested(int levels) => string.Concat(Enumerable.Repeat(open, levels)) + middle + string.Concat(Enumerable.Repeat(close, levels));

        HoconDocument.Parse(Nested(limit)).ResolveValue(NoVariables);
        foreach (var levels in new[] { limit + 1, 10_000 })
        {
            var error = Assert.Throws<HoconException>(() => HoconDocument.Parse(Nested(levels)));
            Assert.Contains("nested deeper than 100 levels", error.Message, StringComparison.Ordinal);
        }
    }
}
