namespace MassDpo.Shared.Actors;

/// <summary>How a host of actors stands.</summary>
/// <param name="Failure">why it gave up; null: it has not</param>
/// <param name="HasBegun">whether it has anything to run yet</param>
/// <param name="Lacking">by actor, what it lacks to do its work: half a sentence</param>
public sealed record HostHealth(Exception? Failure, bool HasBegun, IReadOnlyDictionary<string, string> Lacking)
{
    /// <summary>Of one that has nothing to run yet.</summary>
    public static HostHealth NotBegun { get; } = new(null, false, new Dictionary<string, string>());

    /// <summary>Of a process that has several: the first failure, and all that is lacking. Those that have nothing to run lack nothing.</summary>
    public static HostHealth Of(IEnumerable<HostHealth> parts)
    {
        var all = parts.ToList();
        return new HostHealth(all.Select(part => part.Failure).FirstOrDefault(failure => failure is not null), all.Any(part => part.HasBegun),
            all.SelectMany(part => part.Lacking).DistinctBy(lack => lack.Key).ToDictionary());
    }

    /// <summary>Whether all that it runs can do its work.</summary>
    public bool IsReady => Failure is null && HasBegun && Lacking.Count == 0;
}
