using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconPropertyTests
{
    private static readonly string[] Texts =
    [
        "", "a", "b.c", "a b", " a ", "include", "true", "null", "1", "1e5", "-", "${a}", "#", "//", "\"", "\\", "\"\"\"", "\n", "\r\n", "\t",
        "{", "=", "é", "🙂", "\u2028", "\ufeff", "\0",
    ];

    private static Config Cases(int cases) => Config.QuickThrowOnFailure.WithMaxTest(cases).WithReplay(20240608, 1709);

    private static Gen<string> Json(int depth) => Gen.OneOf(
        Gen.Elements("null", "true", "false", "0", "-1.50e-3", "12345678901234567890", "1E+2"),
        Gen.Elements(Texts).Select(Quote),
        Gen.Elements(depth > 0 ? ["[]", "{}"] : new[] { "\"x\"" }),
        depth == 0 ? Gen.Constant("7") : Array(depth),
        depth == 0 ? Gen.Constant("8") : Object(depth));

    private static Gen<string> Array(int depth) =>
        from length in Gen.Choose(0, 4)
        from items in Gen.ListOf(Json(depth - 1), length)
        select $"[{string.Join(",", items)}]";

    private static Gen<string> Object(int depth) =>
        from count in Gen.Choose(0, 5)
        from keys in Gen.Shuffle(Texts).Select(texts => texts.Take(count).ToArray())
        from values in Gen.ListOf(Json(depth - 1), count)
        select $"{{{string.Join(", ", keys.Zip(values, (key, value) => $"{Quote(key)} : {value}"))}}}";

    private static string Quote(string text) => JsonSerializer.Serialize(text);

    [Fact]
    public void AnyTreeSurvivesBeingWrittenAndReadAgain() => Check.One(Cases(500), Prop.ForAll(Object(4).ToArbitrary(), json =>
    {
        var tree = HoconDocument.Parse(json).Resolve();
        HoconAssert.Same(json, tree);
        var text = tree.Render();
        Assert.Equal(text, HoconDocument.Parse(text).Resolve().Render());
        Assert.Equal(text, HoconDocument.Parse(tree.Render(HoconFormat.Json)).Resolve().Render());
        Assert.Equal(tree.Render(sortKeys: true), HoconDocument.Parse(tree.Render(sortKeys: true)).Resolve().Render());
        Assert.All(tree.Paths(), leaf => Assert.Same(leaf.Value, tree.GetValue(leaf.Path)));
    }));

    [Fact]
    public void EverySampleIsRead() => Assert.All(HoconSamples.All, sample => Assert.NotEmpty(HoconAssert.Resolve(sample).Paths()));

    // Anything may be thrown at the reader, and it answers with a tree or with its own exception, which says where.
    [Fact]
    public void MutatedTextsAreReadOrRefused()
    {
        var accepted = 0;
        Check.One(Cases(10_000), Prop.ForAll(Mutated().ToArbitrary(), text =>
        {
            try
            {
                var rendered = HoconDocument.Parse(text, "fuzz").ResolveValue(HoconAssert.NoVariables).Render();
                Assert.Equal(rendered, HoconDocument.Parse(rendered, "rendered").ResolveValue(HoconAssert.NoVariables).Render());
                accepted++;
            }
            catch (HoconException error)
            {
                Assert.StartsWith("fuzz:", error.Message, StringComparison.Ordinal);
                Assert.True(error.Origin is { Line: > 0, Column: > 0 } && error.Remedy.Length > 0);
            }
        }));
        Assert.InRange(accepted, 1_000, 9_000);
    }

    [Fact]
    public void OtherMutatedInputIsReadOrRefused() => Check.One(Cases(2_000), Prop.ForAll(Mutated().ToArbitrary(), text =>
    {
        var known = HoconAssert.Resolve("a = [], b.c = 1");
        var end = Math.Min(text.Length, 40);
        Action[] reads =
        [
            () => HoconDocument.FromAssignment(text[..end]).Resolve(HoconAssert.NoVariables),
            () => HoconDocument.FromEnvironment(known, [new("MASSDPO__A", text), new("MASSDPO__" + text[..end], text)]),
            () => known.Find(text[..end]),
            () => HoconDocument.Parse(Encoding.Latin1.GetBytes(text[..end] + "\u00e9\u0080"), "bytes").Resolve(HoconAssert.NoVariables),
        ];
        foreach (var read in reads)
            try
            {
                read();
            }
            catch (HoconException)
            {
            }
    }));

    private static Gen<string> Mutated()
    {
        string[] tokens =
        [
            "{", "}", "[", "]", ",", "\n", ":", "=", "+=", "${", "${?", "\"", "\"\"\"", "\\", "\\u00", "#", "//", ".", "..", " ", "\t", "\0",
            "\ud800", "\ufeff", "0", "-", "1e9", "1e+", "\nz = 1\n", "true", "null", "include ", "required(", "file(\"a\")", "${a}", "${?a.b}", "a",
            "a = ", "a.b", "[[", "{{", "+", "$", "@", "ms", "\r",
        ];
        var edit =
            from kind in Gen.Choose(0, 3)
            from at in Gen.Choose(0, 10_000)
            from length in Gen.Choose(0, 8)
            from token in Gen.Elements(tokens)
            select (kind, at, length, token);
        return
            from sample in Gen.Elements(HoconSamples.All)
            from start in Gen.Choose(0, 10_000)
            from edits in Gen.Choose(1, 3).SelectMany(count => Gen.ListOf(edit, count))
            select edits.Aggregate(sample[(start % 10 == 0 ? start % sample.Length : 0)..], (text, each) =>
            {
                var at = each.at % (text.Length + 1);
                var end = Math.Min(text.Length, at + each.length);
                return each.kind switch
                {
                    0 => text[..at] + text[end..],
                    1 => text[..end] + text[at..end] + text[end..],
                    2 => text[..at] + each.token + text[end..],
                    _ => text[..at] + each.token + text[at..],
                };
            });
    }

    private static readonly string[] Keys = ["a", "b", "a.b", "a.c", "a.b.c", "b.a"];

    private static readonly string[] Values =
    [
        "= 1", "= x", "= [1]", "= null", "= {}", "= { b = 2 }", "= { c { b = 1 } }", "= ${?a}", "= ${?b}x", "= ${?a.b}", "= ${?b} { c = 3 }",
        "= ${?a.c} [2]", "+= 4", "+= ${?b}",
        "= ${a.b}", "= { b = ${?a.c} }", "= [${?b.a}]", "= ${?a} { b = ${?a.b}5 }",
    ];

    private static Gen<string[]> Lines() =>
        from count in Gen.Choose(0, 7)
        from lines in Gen.ListOf(Gen.Elements(Keys).Zip(Gen.Elements(Values), (key, value) => $"{key} {value}"), count)
        select lines.ToArray();

    private static string Outcome(Func<HoconDocument> document)
    {
        try
        {
            return document().Resolve(HoconAssert.NoVariables).Render();
        }
        catch (HoconException)
        {
            return "refused";
        }
    }

    private static HoconDocument Read(IEnumerable<string> lines) => HoconDocument.Parse(string.Join('\n', lines));

    // "This rule for merging objects loaded from different files is exactly the same behavior as for merging duplicate fields in the same file."
    [Fact]
    public void DocumentsMergeLikeLinesOfOneAndInAnyGrouping() => Check.One(Cases(2_000), Prop.ForAll(Lines().Three().ToArbitrary(), parts =>
    {
        var (lower, middle, upper) = (parts.Item1, parts.Item2, parts.Item3);
        var whole = Outcome(() => Read([.. lower, .. middle, .. upper]));
        Assert.Equal(whole, Outcome(() => Read(upper).WithFallback(Read(middle)).WithFallback(Read(lower))));
        Assert.Equal(whole, Outcome(() => Read(upper).WithFallback(Read(middle).WithFallback(Read(lower)))));
    }));

    // Where nothing but a field itself leads back to it, its value is what an interpreter finds that goes through the lines in their order.
    [Fact]
    public void LookingBackIsWhatAnInterpreterWouldDo()
    {
        const int keys = 4;
        var line =
            from key in Gen.Choose(0, keys - 1)
            from parts in Gen.ListOf(Gen.Choose(0, key + 2), 3)
            select (Key: key, Parts: parts.Distinct().ToArray());
        var program = Gen.Choose(0, 12).SelectMany(count => Gen.ListOf(line, count)).Select(lines => lines.ToArray());
        Check.One(Cases(2_000), Prop.ForAll(program.ToArbitrary(), lines =>
        {
            // A part up to the line's key is a substitution, the others are letters.
            static string Letter(int part) => "xyzuvw"[part].ToString();

            var text = lines.Select(l => $"k{l.Key} = {string.Concat(l.Parts.Select(part => part <= l.Key ? $"${{?k{part}}}" : Letter(part)))}");
            var values = new string?[keys];
            for (var key = 0; key < keys; key++)
                foreach (var parts in lines.Where(l => l.Key == key).Select(l => l.Parts.Select(part => part <= key ? values[part] : Letter(part))))
                    if (parts.Any(part => part is not null))
                        values[key] = string.Concat(parts);
            var settings = HoconAssert.Resolve(string.Join('\n', text));
            Assert.Equal(values, Enumerable.Range(0, keys).Select(key => settings.Find($"k{key}")?.AsString()));
        }));
    }
}
