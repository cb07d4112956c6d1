using System.Globalization;
using System.IO.Enumeration;

namespace MassDpo.ChaosKit;

/// <summary>A moment in the life of a process: the <paramref name="Nth"/> time (from 1) that <paramref name="What"/> happens to <paramref name="Of"/>.</summary>
/// <param name="What">a step on the disk, by the name of <see cref="TestKit.Files.FileStep"/>, or <c>event</c></param>
/// <param name="Of">the step's path, with * for any characters, or the name of the event</param>
/// <param name="Nth">counted in one process</param>
public sealed record Moment(string What, string Of, int Nth = 1)
{
    /// <summary>One that never comes.</summary>
    public static Moment Never { get; } = new("never", "*");

    /// <summary>An event of <see cref="Events"/>.</summary>
    public static Moment Event(string name, int nth = 1) => new("event", name, nth);

    /// <summary>As words of a command line.</summary>
    public string[] ToWords() => [What, Of, Nth.ToString(CultureInfo.InvariantCulture)];

    /// <summary>Reads what <see cref="ToWords"/> writes.</summary>
    public static Moment FromWords(ReadOnlySpan<string> words) => new(words[0], words[1], int.Parse(words[2], CultureInfo.InvariantCulture));

    /// <summary>Whether this, the count left aside, is what happens.</summary>
    public bool IsOf(string what, string of) => What == what && FileSystemName.MatchesSimpleExpression(Of, of, ignoreCase: false);

    public override string ToString() => $"{What} {Of}, number {Nth}";
}
