using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconRendererTests
{
    private const string Text = """
        z = 1.50
        a { "x.y" = "q\"\n\u2028\ud800é🙂", include = null, "" = {}, b.c = yes }
        l = [1, [], { m = [true, {}] }], e = []
        """;

    [Fact]
    public void AsHocon() => Assert.Equal("""
        z = 1.50
        a {
          "x.y" = "q\"\n\u2028\ud800é🙂"
          "include" = null
          "" = {}
          b {
            c = "yes"
          }
        }
        l = [
          1
          []
          {
            m = [
              true
              {}
            ]
          }
        ]
        e = []

        """, Resolve(Text.Replace(" include ", " \"include\" ", StringComparison.Ordinal)).Render());

    [Fact]
    public void AsJsonWithSortedKeys() => Assert.Equal("""
        {
          "a": {
            "": {},
            "b": {
              "c": "yes"
            },
            "include": null,
            "x.y": "q\"\n\u2028\ud800é🙂"
          },
          "e": [],
          "l": [
            1,
            [],
            {
              "m": [
                true,
                {}
              ]
            }
          ],
          "z": 1.50
        }

        """, Resolve(Text.Replace(" include ", " \"include\" ", StringComparison.Ordinal)).Render(HoconFormat.Json, sortKeys: true));

    [Theory]
    [InlineData("{}", "", "{}\n")]
    [InlineData("[1, x]", "[1, \"x\"]\n", "[1, \"x\"]\n")]
    public void Roots(string text, string hocon, string json)
    {
        var value = HoconDocument.Parse(text).ResolveValue();
        Assert.Equal((hocon, json), (value.Render(), value.Render(HoconFormat.Json)));
    }

    [Fact]
    public void APartOfATreeCanBeRendered()
    {
        var settings = Resolve("a { b = 1, c = text }");
        Assert.Equal(("b = 1\nc = \"text\"\n", "\"text\"\n"), (settings.GetObject("a").Render(), settings.GetValue("a.c").Render()));
    }
}
