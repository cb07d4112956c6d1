using System.Text.Json;

namespace MassDpo.Policy.Tests;

/// <summary>Reads the numbers that others gave, and holds ours against them.</summary>
internal static class GoldenNumbers
{
    public static int[] Ints(JsonElement json) => [.. json.EnumerateArray().Select(x => x.GetInt32())];

    public static double[] Doubles(JsonElement json) => [.. json.EnumerateArray().Select(x => x.GetDouble())];

    public static double[][] Rows(JsonElement json) => [.. json.EnumerateArray().Select(Doubles)];

    /// <summary>Relative to the largest number: single ones may lie near 0.</summary>
    public static void AssertRelative(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"at {i}: expected {expected[i]}, found {actual[i]}");
    }
}
