namespace MassDpo.Shared.Settings.Hocon;

/// <summary>Where a value was written: a file or another source by name, and the 1-based place in it. Line or column 0 means not known.</summary>
/// <param name="Name">The file as it was named, <c>--set</c>, or <c>environment variable NAME</c>.</param>
/// <param name="Line">The line, 0 for sources that have none.</param>
/// <param name="Column">The column in UTF-16 units, 0 where only the line is known.</param>
public sealed record HoconOrigin(string Name, int Line = 0, int Column = 0)
{
    /// <summary><c>name:line:column</c> with what is known of it.</summary>
    public override string ToString() => (Line, Column) switch
    {
        (0, 0) => Name,
        (0, _) => $"{Name}, column {Column}",
        (_, 0) => $"{Name}:{Line}",
        _ => $"{Name}:{Line}:{Column}",
    };
}
