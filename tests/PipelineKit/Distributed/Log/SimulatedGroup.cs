namespace MassDpo.PipelineKit.Distributed.Log;

/// <summary>
/// A consumer group over a topic whose assignments change piece by piece, as the cooperative protocol's: a partition that is to go is asked back first, and given on once its
/// owner has let go of it, or was not heard of for as long as a session lasts.
/// </summary>
public sealed class SimulatedGroup(SimulatedLog log, string topic)
{
    /// <summary>Told of a member of whose records others may read some: it failed, or kept what it was to let go of longer than it is waited for.</summary>
    public Action<LogSource> LetDown { get; set; } = _ => { };

    private static readonly TimeSpan Session = TimeSpan.FromSeconds(10);

    // In the order of joining.
    private readonly List<LogSource> _members = [];
    private readonly SortedDictionary<int, LogSource?> _owners = [];
    private readonly HashSet<int> _askedBack = [];

    /// <summary>Whether partitions are given on only once they were let go of; else a defect is planted.</summary>
    public bool WaitsForRelease { get; init; } = true;

    public void Join(LogSource member)
    {
        if (_members.Contains(member))
            return;
        _members.Add(member);
        Balance();
    }

    public void Leave(LogSource member)
    {
        if (!_members.Remove(member))
            return;
        foreach (var partition in Of(member))
            _owners[partition] = null;
        Balance();
    }

    /// <summary>A member is not heard of any more; unless that is over when its session is, others get its partitions.</summary>
    /// <param name="member">the one</param>
    /// <param name="isSilent">asked when the session is over</param>
    public void Silent(LogSource member, Func<bool> isSilent) => log.World.After(Session, () =>
    {
        if (!isSilent() || !_members.Contains(member))
            return;
        log.Saw("group: session timed out");
        log.Tell(() => $"group loses {member.Client.Name}");
        var had = Of(member);
        Leave(member);
        // When it is back it hears of it, and comes again.
        member.Client.Hear(() => member.Lost(had));
    });

    /// <summary>Sees that the topic has other partitions.</summary>
    public void Refresh() => Balance();

    private List<int> Of(LogSource member) => [.. _owners.Where(owner => owner.Value == member).Select(owner => owner.Key)];

    private void Balance()
    {
        for (var partition = 0; partition < log.CountPartitions(topic); partition++)
            _owners.TryAdd(partition, null);
        if (_members.Count == 0)
            return;
        var gained = new Dictionary<LogSource, List<int>>();
        foreach (var (partition, wanted) in Targets())
        {
            var owner = _owners[partition];
            if (owner == wanted)
                continue;
            if (owner is not null && _askedBack.Add(partition))
            {
                log.Saw("group: partition moved");
                log.Tell(() => $"group asks {owner.Client.Name} for {partition}");
                owner.Client.Hear(() => owner.GiveAway([partition], () => owner.Client.Call("group", 0, () => Released(owner, partition))));
            }
            if (owner is not null && WaitsForRelease)
                continue;
            _owners[partition] = wanted;
            if (!gained.TryGetValue(wanted, out var more))
                gained[wanted] = more = [];
            more.Add(partition);
        }
        foreach (var (member, partitions) in gained)
        {
            log.Tell(() => $"group gives {string.Join(',', partitions)} to {member.Client.Name}");
            member.Client.Hear(() => member.Gain(partitions));
        }
    }

    private void Released(LogSource owner, int partition)
    {
        log.Tell(() => $"{owner.Client.Name} lets go of {partition}");
        _askedBack.Remove(partition);
        if (_owners[partition] == owner)
            _owners[partition] = null;
        Balance();
    }

    // As even as can be, and each keeps what it has up to its part.
    private List<(int Partition, LogSource Member)> Targets()
    {
        var most = (_owners.Count + _members.Count - 1) / _members.Count;
        var parts = _members.ToDictionary(member => member, _ => new List<int>());
        var free = new List<int>();
        foreach (var (partition, owner) in _owners)
        {
            if (owner is not null && parts.TryGetValue(owner, out var part) && part.Count < most)
                part.Add(partition);
            else
                free.Add(partition);
        }
        foreach (var partition in free)
            parts[_members.MinBy(member => parts[member].Count)!].Add(partition);
        // None has two more than another.
        while (true)
        {
            var (least, fullest) = (_members.MinBy(member => parts[member].Count)!, _members.MaxBy(member => parts[member].Count)!);
            if (parts[fullest].Count - parts[least].Count < 2)
                break;
            parts[least].Add(parts[fullest][^1]);
            parts[fullest].RemoveAt(parts[fullest].Count - 1);
        }
        return [.. parts.SelectMany(part => part.Value.Select(partition => (partition, part.Key))).OrderBy(target => target.partition)];
    }
}
