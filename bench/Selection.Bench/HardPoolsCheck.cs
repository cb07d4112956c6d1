using System.Globalization;
using MassDpo.Selection.Tests.Kernels;

namespace MassDpo.Selection.Bench;

/// <summary>The pools of the tests' HardPools, ten times as many by default, with how near each property came to failing.</summary>
internal static class HardPoolsCheck
{
    /// <returns>0, or 1 where a pool failed</returns>
    public static int Run(int count)
    {
        var (pools, failures) = (new HardPools(), 0);
        for (var number = 0; number < count; number++)
        {
            if (pools.Check(number) is not { } wrong)
                continue;
            failures++;
            Console.WriteLine($"- {wrong}");
        }
        Print("# Hard pools\n");
        Print($"`dotnet run -c Release --project bench/Selection.Bench -- pools {count}`\n");
        Print("| kind | pools |\n|---|---|");
        foreach (var (kind, number) in pools.Checked)
            Print($"| {kind} | {number:N0} |");
        Print($"\n- {failures} of {count:N0} differ from the reference, have a number that is not finite, or miss 1 − 1/e of the optimum");
        Print($"- mass and exact against the reference: the worst gain is off by {pools.WorstGain:P1} of what is allowed (1e-9 relative, and for");
        Print("  exact and for pools by inner products 16 units in the last place of the largest entry of the matrix)");
        Print($"- mass: no gain exceeds the one before it by more than {pools.WorstIncrease:g2} nats");
        Print($"- least distance of the bound above the exhaustive optimum, {pools.Exhausted:N0} pools of at most 12: {pools.WorstBound:g2} nats,");
        Print("  which is rounding");
        Print($"- mass has at least {pools.WorstShare:F4} of the optimum there");
        Print($"- {pools.Allocated} bytes allocated by {2L * count:N0} selections");
        return failures == 0 && pools.Allocated == 0 && pools.WorstIncrease < 1e-9 && pools.WorstBound > -1e-9 ? 0 : 1;
    }

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static void Print(string line) => Console.WriteLine(line);
}
