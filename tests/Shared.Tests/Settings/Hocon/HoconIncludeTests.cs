using System.Text;
using MassDpo.Shared.Settings.Hocon;
using MassDpo.TestKit;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public sealed class HoconIncludeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private HoconObject Load(string main) => HoconDocument.Load(_folder.Write("main.conf", main)).Resolve(NoVariables);

    private HoconException Refuses(string main, int line, int column, string? key, params string[] words) =>
        HoconAssert.Refuses(() => Load(main), $"{_folder["main.conf"]}:{line}:{column}", key, words);

    [Theory]
    [InlineData("include \"foo.conf\"")]
    [InlineData("include\"foo.conf\"")]
    [InlineData("include\n\n  \"foo.conf\"")]
    [InlineData("include file(\"foo.conf\")")]
    [InlineData("include file( \n\"foo.conf\" \n)")]
    [InlineData("include required(\"foo.conf\")")]
    [InlineData("include required(file(\"foo.conf\"))")]
    [InlineData("include required( file( \"foo.conf\" ) )")]
    [InlineData("include required (file (\"foo.conf\"))")]
    [InlineData("include \"foo\"")]
    [InlineData("{ include \"foo.conf\", }")]
    public void EveryFormOfInclude(string statement)
    {
        _folder.Write("foo.conf", "x : 10, y : ${x}");
        Same("""{"x":10,"y":10}""", Load(statement));
    }

    [Fact]
    public void NamesAreRelativeToTheIncludingFile()
    {
        _folder.Write("sub/foo.conf", "x = 1, include \"bar\"\ninclude \"../top.conf\"");
        _folder.Write("sub/bar.conf", "y = 2");
        _folder.Write("top.conf", "z = 3");
        _folder.Write("bar.conf", "y = wrong");
        var settings = Load("include \"sub/foo.conf\"");
        Same("""{"x":1,"y":2,"z":3}""", settings);
        Assert.Equal(new HoconOrigin(_folder["sub/bar.conf"], 1, 5), settings.GetValue("y").Origin);
        Same("""{"z":3}""", Load($"include \"{_folder["top.conf"]}\""));
        Same("""{"z":3}""", HoconDocument.Parse("include \"top\"", "text", _folder.Path).Resolve());
    }

    [Fact]
    public void OrderDecides()
    {
        _folder.Write("foo.conf", "a = 2, o { x = 2 }");
        Same("""{"a":2,"o":{"x":2,"y":1}}""", Load("a = 1, o { x = 1, y = 1 }, include \"foo\""));
        Same("""{"a":3,"o":{"x":3}}""", Load("include \"foo\", a = 3, o.x = 3"));
        Same("""{"b":{"a":2,"o":{"x":2}}}""", Load("b { a = 1, include \"foo\" }"));
    }

    [Fact]
    public void BothExtensionsOfANameAreRead()
    {
        _folder.Write("foo.conf", "a = conf");
        _folder.Write("foo.json", """{"a":"json","b":"json"}""");
        Same("""{"a":"conf","b":"json"}""", Load("include \"foo\""));
        _folder.Write("foo", "a = exact");
        Same("""{"a":"exact"}""", Load("include \"foo\""));
    }

    [Fact]
    public void SubstitutionsAreLookedUpFromTheIncludedRootThenFromTheWhole()
    {
        _folder.Write("foo.conf", "x : 10, y : ${x}, z : ${outer}, v : ${VAR}, w : ${?a.x}, list += ${x}");
        string? Variables(string name) => name == "VAR" ? "env" : null;

        HoconObject Read(string main) => HoconDocument.Load(_folder.Write("main.conf", main)).Resolve(Variables);

        Same("""{"outer":1,"x":0,"a":{"x":10,"y":10,"z":1,"v":"env","w":10,"list":[10]}}""", Read("outer = 1, x = 0, a : { include \"foo.conf\" }"));
        Same("""{"outer":1,"a":{"x":42,"y":42,"z":1,"v":"env","w":42,"list":[42]}}""",
            Read("outer = 1, a : { include \"foo.conf\" }\na : { x : 42 }"));
        Same("""{"list":[0],"outer":1,"p":{"q":{"x":10,"y":10,"z":1,"v":"env","list":[10]}}}""",
            Read("list = [0], outer = 1, p.q { include \"foo.conf\" }"));
    }

    [Fact]
    public void PrefixesAddUp()
    {
        _folder.Write("b.conf", "c { include \"c.conf\" }, v = in-b");
        _folder.Write("c.conf", "w = ${v}, s = ${?s}x, v2 = ${c2}, c2 = ${c3}, c3 = 5");
        Same("""{"v":"root","a":{"b":{"c":{"w":"root","s":"x","v2":5,"c2":5,"c3":5},"v":"in-b"}}}""", Load("v = root, a.b { include \"b.conf\" }"));
    }

    [Fact]
    public void AMissingFileIsIgnoredUnlessRequired()
    {
        Same("""{"a":1}""", Load("include \"no\", include \"no.conf\", include file(\"no.conf\"), a = 1"));
        Refuses("a { b = 1\n include required(\"no.conf\") }", 2, 2, "a", _folder["no.conf"], "required");
        Refuses("include required(file(\"no\"))", 1, 1, null, _folder["no.json"], _folder["no.conf"]);
    }

    [Theory]
    [InlineData("include url(\"http://x/y\")", "url()")]
    [InlineData("include classpath(\"x\")", "classpath()")]
    [InlineData("include required(url(\"x\"))", "url()")]
    [InlineData("include required(classpath(\"x\"))", "classpath()")]
    [InlineData("include \"https://x/y.conf\"", "URL")]
    [InlineData("include \"file:/x/y.conf\"", "URL")]
    [InlineData("include \"x.properties\"", ".properties")]
    [InlineData("include \"\"", "names no file")]
    [InlineData("include \"a\\u0000b\"", "names no file")]
    [InlineData("include \".\"", "the folder")]
    [InlineData("include files(\"x\")", "files(")]
    public void WhatCannotBeIncludedIsRefusedByName(string statement, string word) => Refuses($"a = 1\n{statement}", 2, 1, null, word);

    [Theory]
    [InlineData("include foo", 12)]
    [InlineData("include : 1", 9)]
    [InlineData("include = 1", 9)]
    [InlineData("include { a = 1 }", 9)]
    [InlineData("include ${x}", 9)]
    [InlineData("include file(\"x\"", 17)]
    [InlineData("include file(\"x\"))", 17)]
    [InlineData("include required(file(\"x\")", 27)]
    [InlineData("include \"x\" \"y\"", 13)]
    [InlineData("include \"x\" : 1", 13)]
    [InlineData("include \"x\" a = 1", 13)]
    public void BrokenIncludesAreRefused(string statement, int column) => Refuses(statement, 1, column, null);

    [Fact]
    public void IncludeIsAWordElsewhere() => Same("""{"a":"include","foo include":1,"include":2,"l":["include"]}""",
        Load("a : include, foo include : 1, \"include\" : 2, l = [include]"));

    [Fact]
    public void LoopsAreNamed()
    {
        var b = _folder.Write("b.conf", "x { include \"main\" }");
        var error = Assert.Throws<HoconException>(() => Load("y = 1\nz { include \"b.conf\" }"));
        Assert.Contains($"{_folder["main.conf"]} → {b} → {_folder["main.conf"]}", error.Message, StringComparison.Ordinal);
        Assert.Equal(($"{b}:1:5", "z.x"), (error.Origin.ToString(), error.Key));
        Refuses("include \"main.conf\"", 1, 1, null, "leads back to its own file");
    }

    [Fact]
    public void AFileMayBeIncludedTwice()
    {
        _folder.Write("foo.conf", "x = 1, y = ${x}");
        Same("""{"a":{"x":1,"y":1},"b":{"x":2,"y":2}}""", Load("a { include \"foo\" }, b { include \"foo\", x = 2 }"));
    }

    [Fact]
    public void IncludesWithoutEndAreRefused()
    {
        for (var i = 0; i < 60; i++)
            _folder.Write($"deep{i}.conf", $"include \"deep{i + 1}.conf\"");
        for (var i = 0; i < 20; i++)
            _folder.Write($"wide{i}.conf", $"include \"wide{i + 1}.conf\", include \"wide{i + 1}.conf\"");
        Assert.Contains("includes", Assert.Throws<HoconException>(() => Load("include \"deep0\"")).Message, StringComparison.Ordinal);
        Assert.Contains("includes", Assert.Throws<HoconException>(() => Load("include \"wide0\"")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ErrorsInAnIncludedFileNameItAndTheFullKey()
    {
        var foo = _folder.Write("foo.conf", "\nb = ${no}");
        HoconAssert.Refuses(() => Load("a { include \"foo\" }"), $"{foo}:2:5", "a.b", "${no}");
        _folder.Write("foo.conf", "\nb = @");
        HoconAssert.Refuses(() => Load("a { include \"foo\" }"), $"{foo}:2:5", "a.b", "reserved");
        _folder.Write("foo.conf", "[1]");
        Refuses("a { include \"foo\" }", 1, 5, "a", "a list at the root", foo);
    }

    [Fact]
    public void InAListOnlyFilesWithoutSubstitutionsCanBeIncluded()
    {
        _folder.Write("plain.conf", "x = 1");
        Same("""{"a":[{"x":1}]}""", Load("a = [{ include \"plain\" }]"));
        var foo = _folder.Write("foo.conf", "x = ${x}");
        HoconAssert.Refuses(() => Load("a = [{ include \"foo\" }]"), $"{foo}:1:8", "a[0].x", "inside a list");
    }

    [Fact]
    public void ATextWithoutFolderIncludesNothing() => HoconAssert.Refuses("include \"x\"", 1, 1, null, "lies in no folder");

    [Fact]
    public void BytesHaveToBeUtf8()
    {
        var path = _folder["bad.conf"];
        File.WriteAllBytes(path, [.. "a = 1\nb = \""u8, 0xC3, 0x28, .. "\""u8]);
        HoconAssert.Refuses(() => HoconDocument.Load(path), $"{path}:2", null, "no UTF-8", "offset 11", "0xC3");
        File.WriteAllText(path, "a = 1", Encoding.Unicode);
        HoconAssert.Refuses(() => HoconDocument.Load(path), $"{path}:1", null, "offset 0", "0xFF");
        File.WriteAllText(path, "a = é", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Same("""{"a":"é"}""", HoconDocument.Load(path).Resolve());
        HoconAssert.Refuses(() => HoconDocument.Parse([(byte)'a', 0x80], "resource"), "resource:1", null, "offset 1");
    }

    [Fact]
    public void AFileThatCannotBeReadIsNamed()
    {
        HoconAssert.Refuses(() => HoconDocument.Load(_folder["no.conf"]), _folder["no.conf"], null, "cannot be read");
        HoconAssert.Refuses(() => HoconDocument.Load(_folder.Path), _folder.Path, null, "cannot be read");
        HoconAssert.Refuses(() => HoconDocument.Load(""), "", null, "cannot be read");
    }

    [Fact]
    public void AHugeFileIsRefused()
    {
        var path = _folder["huge.conf"];
        using (var file = File.Create(path))
            file.SetLength((16 << 20) + 1);
        HoconAssert.Refuses(() => HoconDocument.Load(path), path, null, "more than 16777216 bytes");
    }
}
