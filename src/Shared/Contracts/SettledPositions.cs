using System.Text.Json;
using System.Text.Json.Nodes;

namespace MassDpo.Shared.Contracts;

/// <summary>
/// The positions that are settled, applied or dead, as intervals per source and pass, in the order of reading. It is what a checkpoint keeps
/// of the input and what an intake skips when it reads again. Its size is the number of gaps, not of records.
/// </summary>
public sealed class SettledPositions
{
    // For each source and pass the settled half-open intervals [start, end), sorted, never touching.
    private readonly SortedDictionary<string, SortedDictionary<int, List<(long Start, long End)>>> _passes = new(StringComparer.Ordinal);
    // How many positions a pass had, once its intake has read it to the end.
    private readonly SortedDictionary<string, SortedDictionary<int, long>> _lengths = new(StringComparer.Ordinal);

    /// <summary>How many positions are settled.</summary>
    public long Count { get; private set; }

    /// <summary>Settles a position; false where it was settled before.</summary>
    public bool Add(Position position)
    {
        var intervals = Intervals(position.Source, position.Pass);
        var at = FirstEndingAtOrAfter(intervals, position.Index);
        if (at < intervals.Count && intervals[at].Start <= position.Index && position.Index < intervals[at].End)
            return false;
        // Interval `at` may end just where the new one starts, and the next may start just where it ends.
        var start = position.Index;
        var end = position.Index + 1;
        if (at < intervals.Count && intervals[at].End == start)
        {
            start = intervals[at].Start;
            intervals.RemoveAt(at);
        }
        if (at < intervals.Count && intervals[at].Start == end)
        {
            end = intervals[at].End;
            intervals.RemoveAt(at);
        }
        intervals.Insert(at, (start, end));
        Count++;
        return true;
    }

    /// <summary>
    /// Settles the positions from <paramref name="from"/> up to and without index <paramref name="to"/>; gives how many were not settled before. A range of
    /// nothing makes the source known (<see cref="Knows"/>) all the same.
    /// </summary>
    public long AddRange(Position from, long to)
    {
        var intervals = Intervals(from.Source, from.Pass);
        if (to <= from.Index)
            return 0;
        var (start, end, known) = (from.Index, to, 0L);
        var at = FirstEndingAtOrAfter(intervals, from.Index);
        var first = at;
        for (; at < intervals.Count && intervals[at].Start <= to; at++)
        {
            known += Math.Max(0, Math.Min(intervals[at].End, to) - Math.Max(intervals[at].Start, from.Index));
            (start, end) = (Math.Min(start, intervals[at].Start), Math.Max(end, intervals[at].End));
        }
        intervals.RemoveRange(first, at - first);
        intervals.Insert(first, (start, end));
        var added = to - from.Index - known;
        Count += added;
        return added;
    }

    /// <summary>Whether anything was ever told of a source: then where it begins is decided.</summary>
    public bool Knows(string source) => _passes.ContainsKey(source) || _lengths.ContainsKey(source);

    public bool Contains(Position position)
    {
        if (!_passes.TryGetValue(position.Source, out var passes) || !passes.TryGetValue(position.Pass, out var intervals))
            return false;
        var at = FirstEndingAtOrAfter(intervals, position.Index + 1);
        return at < intervals.Count && intervals[at].Start <= position.Index;
    }

    /// <summary>Notes how many positions a pass holds, so that a wholly settled one need not be read again.</summary>
    public void EndPass(string source, int pass, long length)
    {
        if (!_lengths.TryGetValue(source, out var lengths))
            _lengths[source] = lengths = [];
        lengths[pass] = length;
    }

    /// <summary>The first position of a source that is not settled: where an intake has to start reading.</summary>
    public Position Watermark(string source)
    {
        for (var pass = 0; ; pass++)
        {
            var settled = _passes.TryGetValue(source, out var passes) && passes.TryGetValue(pass, out var intervals)
                && intervals.Count > 0 && intervals[0].Start == 0 ? intervals[0].End : 0;
            if (!_lengths.TryGetValue(source, out var lengths) || !lengths.TryGetValue(pass, out var length) || settled < length)
                return new Position(source, pass, settled);
        }
    }

    /// <summary>All that is known: of each pass over each source the settled half-open intervals in order, and its length where that is known.</summary>
    public IEnumerable<(string Source, int Pass, IReadOnlyList<(long Start, long End)> Intervals, long? Length)> Passes()
    {
        foreach (var source in _passes.Keys.Union(_lengths.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var (intervals, lengths) = (_passes.GetValueOrDefault(source), _lengths.GetValueOrDefault(source));
            foreach (var pass in (intervals?.Keys ?? Enumerable.Empty<int>()).Union(lengths?.Keys ?? Enumerable.Empty<int>()).Order())
                yield return (source, pass, intervals?.GetValueOrDefault(pass) ?? [], lengths?.TryGetValue(pass, out var length) == true ? length : null);
        }
    }

    /// <summary>A copy that later changes of this one do not touch.</summary>
    public SettledPositions Copy()
    {
        var copy = new SettledPositions();
        foreach (var (source, pass, intervals, length) in Passes())
        {
            copy.Intervals(source, pass).AddRange(intervals);
            if (length is { } end)
                copy.EndPass(source, pass, end);
        }
        copy.Count = Count;
        return copy;
    }

    /// <summary>The form that a checkpoint holds: <c>{"source":{"passes":{"0":[[0,10]]},"lengths":{"0":10}}}</c>.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject();
        foreach (var source in _passes.Keys.Union(_lengths.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var passes = new JsonObject();
            if (_passes.TryGetValue(source, out var known))
                foreach (var (pass, intervals) in known)
                    passes[pass.ToString()] = new JsonArray([.. intervals.Select(i => (JsonNode)new JsonArray(i.Start, i.End))]);
            var lengths = new JsonObject();
            if (_lengths.TryGetValue(source, out var ends))
                foreach (var (pass, length) in ends)
                    lengths[pass.ToString()] = length;
            json[source] = new JsonObject { ["passes"] = passes, ["lengths"] = lengths };
        }
        return json;
    }

    /// <summary>Reads what <see cref="ToJson"/> writes.</summary>
    /// <exception cref="JsonException">the object is of another form, or its intervals overlap</exception>
    public static SettledPositions FromJson(JsonObject json)
    {
        var settled = new SettledPositions();
        try
        {
            foreach (var (source, node) in json)
            {
                foreach (var (pass, intervals) in node!["passes"]!.AsObject())
                {
                    var list = settled.Intervals(source, int.Parse(pass));
                    var last = -1L;
                    foreach (var interval in intervals!.AsArray())
                    {
                        var (start, end) = (interval![0]!.GetValue<long>(), interval[1]!.GetValue<long>());
                        if (start <= last || end <= start)
                            throw new JsonException($"settled positions of '{source}', pass {pass}: interval [{start}, {end}) is out of order");
                        list.Add((start, end));
                        settled.Count += end - start;
                        last = end;
                    }
                }
                foreach (var (pass, length) in node["lengths"]!.AsObject())
                    settled.EndPass(source, int.Parse(pass), length!.GetValue<long>());
            }
        }
        catch (Exception e) when (e is NullReferenceException or FormatException or InvalidOperationException or ArgumentException or OverflowException)
        {
            throw new JsonException("settled positions are not of the form {source: {passes: {pass: [[start, end]]}, lengths: {pass: n}}}", e);
        }
        return settled;
    }

    private List<(long Start, long End)> Intervals(string source, int pass)
    {
        if (!_passes.TryGetValue(source, out var passes))
            _passes[source] = passes = [];
        if (!passes.TryGetValue(pass, out var intervals))
            passes[pass] = intervals = [];
        return intervals;
    }

    private static int FirstEndingAtOrAfter(List<(long Start, long End)> intervals, long index)
    {
        var (low, high) = (0, intervals.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (intervals[middle].End < index)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
