using System.Text.Json.Nodes;
using MassDpo.Shared.Settings.Hocon;

namespace MassDpo.Shared.Tests.Settings.Hocon;

/// <summary>What the tests of this folder say of a text: which JSON it means, or how it is refused.</summary>
internal static class HoconAssert
{
    /// <summary>The environment of no test is the process's.</summary>
    public static string? NoVariables(string name) => null;

    public static HoconObject Resolve(string hocon) => HoconDocument.Parse(hocon, "test.conf").Resolve(NoVariables);

    /// <summary>The text means that JSON, by System.Text.Json's reading of it.</summary>
    public static void Means(string json, string hocon) => Same(json, HoconDocument.Parse(hocon, "test.conf").ResolveValue(NoVariables));

    public static void Same(string json, HoconValue value)
    {
        var rendered = value.Render(HoconFormat.Json);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), JsonNode.Parse(rendered)), $"expected {json}\nbut got {rendered}");
    }

    /// <summary>The text is refused there, for that key, in these words.</summary>
    public static HoconException Refuses(string hocon, int line, int column, string? key, params string[] words) =>
        Refuses(() => HoconDocument.Parse(hocon, "test.conf").ResolveValue(NoVariables), $"test.conf:{line}:{column}", key, words);

    public static HoconException Refuses(Action action, string origin, string? key, params string[] words)
    {
        var error = Assert.Throws<HoconException>(action);
        Assert.Equal((origin, key), (error.Origin.ToString(), error.Key));
        Assert.StartsWith(key is null ? $"{origin}: " : $"{origin}: {key}: ", error.Message, StringComparison.Ordinal);
        Assert.All([.. words, error.Found, error.Remedy], word => Assert.Contains(word, error.Message, StringComparison.Ordinal));
        Assert.NotEmpty(error.Remedy);
        return error;
    }
}
