namespace MassDpo.Kafka.Bench;

/// <summary>What must hold, and whether it did.</summary>
internal sealed class Checks
{
    private readonly List<(string What, bool? Holds, string Found)> _checks = [];

    /// <summary>Whether none failed.</summary>
    public bool Hold => _checks.TrueForAll(check => check.Holds != false);

    public void Add(string what, bool holds, string found) => _checks.Add((what, holds, found));

    /// <summary>One that could not be made, and why.</summary>
    public void LeaveOut(string what, string why) => _checks.Add((what, null, why));

    public void Print()
    {
        Console.WriteLine("| check | | found |");
        Console.WriteLine("|---|---|---|");
        foreach (var (what, holds, found) in _checks)
            Console.WriteLine($"| {what} | {(holds is null ? "left out" : holds.Value ? "PASS" : "**FAIL**")} | {found.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal)} |");
    }
}
