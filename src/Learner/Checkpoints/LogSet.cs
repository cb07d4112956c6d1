using MassDpo.Shared.Files;

namespace MassDpo.Learner.Checkpoints;

/// <summary>How long a run's logs get.</summary>
/// <param name="SegmentBytes">all logs go on in new files once they have this many bytes together since the last time; 0: never</param>
/// <param name="SegmentsKept">closed segments of selections, updates and metrics kept beside the one that is written; 0: all</param>
public sealed record LogOptions(long SegmentBytes, int SegmentsKept);

/// <summary>
/// The logs of a run. All of them are cut into segments at the same versions, and only where a checkpoint is written, so that a segment is a stretch of the
/// run: whoever has a checkpoint at its beginning can rebuild the weights from there. Retention takes whole stretches away, oldest first, and only those
/// that such a checkpoint makes dispensable. Dead letters, all that is left of their records, and evaluations, which are few, it never takes.
/// </summary>
public sealed class LogSet(RunDirectory directory, LogOptions options) : IDisposable
{
    private readonly IReadOnlyList<string> _lasting = directory.LastingLogs;
    private readonly Dictionary<string, AppendLog> _live = new(StringComparer.Ordinal);
    // By log, and then by where a segment begins.
    private readonly Dictionary<string, SortedDictionary<long, LogMark>> _closed = directory.Logs.ToDictionary(log => log, _ => new SortedDictionary<long, LogMark>());
    private long _begin;

    /// <summary>What a checkpoint names: each segment's file, with its length and hash.</summary>
    public IReadOnlyDictionary<string, LogMark> Marks
    {
        get
        {
            var marks = new Dictionary<string, LogMark>(StringComparer.Ordinal);
            foreach (var (log, segments) in _closed)
                foreach (var (begin, mark) in segments)
                    marks[FileOf(log, begin)] = mark;
            foreach (var (log, live) in _live)
                marks[FileOf(log, _begin)] = live.Mark;
            return marks;
        }
    }

    /// <summary>Versions whose checkpoints must stay, so that the logs that are there can be replayed, now and after retention.</summary>
    public IReadOnlyCollection<long> Bases
    {
        get
        {
            var begins = Dispensable.Append(_begin);
            // The logs from version 0 on have the policy that the run found as their base.
            return [.. (options.SegmentsKept > 0 ? begins : begins.Take(1)).Where(begin => begin > 0)];
        }
    }

    /// <summary>Where the logs should begin, by retention; null: nothing is to go.</summary>
    public long? FirstToKeep => options.SegmentsKept > 0 && Dispensable.ToList() is var closed && closed.Count > options.SegmentsKept
        ? closed.Append(_begin).ElementAt(closed.Count - options.SegmentsKept)
        : null;

    // Where the closed segments begin that retention may take.
    private IEnumerable<long> Dispensable => _closed.Where(log => !_lasting.Contains(log.Key)).SelectMany(log => log.Value.Keys).Distinct().Order();

    /// <param name="log">one of <see cref="RunDirectory.Logs"/></param>
    /// <param name="line">with its line feed</param>
    public void Append(string log, ReadOnlySpan<byte> line) => _live[log].Append(line);

    /// <summary>Makes all that was appended durable.</summary>
    public void Sync()
    {
        foreach (var log in _live.Values)
            log.Sync();
    }

    /// <summary>Brings the files back to what a checkpoint names, and opens them for appending.</summary>
    /// <param name="marks">as <see cref="Marks"/> gave them</param>
    /// <param name="bases">versions of the checkpoints that are there: what lies before one of them may be gone</param>
    /// <exception cref="InvalidDataException">the files do not hold what the marks say</exception>
    public void CutTo(IReadOnlyDictionary<string, LogMark> marks, IReadOnlyCollection<long> bases)
    {
        Close();
        var begins = directory.Logs.ToDictionary(log => log, log => marks.Keys.Select(file => LogSegments.BeginOf(Path.GetFileName(log), file)).OfType<long>().Order().ToList());
        _begin = begins.Values.SelectMany(each => each).DefaultIfEmpty().Max();
        foreach (var log in directory.Logs)
        {
            foreach (var begin in LogSegments.In(directory.Files, log).Where(begin => begin > _begin))
                directory.Files.DeleteFile(LogSegments.PathOf(log, begin));
            foreach (var begin in begins[log].Where(begin => begin < _begin))
                if (IsThere(log, begin, end: begins[log].Append(_begin).First(next => next > begin), marks[FileOf(log, begin)], bases))
                    _closed[log][begin] = marks[FileOf(log, begin)];
            _live[log] = new AppendLog(directory.Files, LogSegments.PathOf(log, _begin));
            _live[log].CutTo(marks.GetValueOrDefault(FileOf(log, _begin)) ?? LogMark.Empty);
        }
    }

    /// <summary>Goes on in new files if the ones being written are long enough. The checkpoint that follows at once is the base of what they will hold.</summary>
    public void Rotate(long version)
    {
        if (options.SegmentBytes == 0 || version == _begin || _live.Values.Sum(log => log.Length) < options.SegmentBytes)
            return;
        Sync();
        foreach (var log in directory.Logs)
        {
            var full = _live[log];
            _live[log] = new AppendLog(directory.Files, LogSegments.PathOf(log, version));
            _live[log].CutTo(LogMark.Empty);
            if (full.Length > 0)
                _closed[log][_begin] = full.Mark;
            else
                directory.Files.DeleteFile(full.Path);
            full.Dispose();
        }
        // A checkpoint will name them: their names must be durable before.
        directory.Files.SyncFolder(directory.Root);
        _begin = version;
    }

    /// <summary>Deletes closed segments that end at or before a version, where retention may.</summary>
    public void DropBefore(long begin)
    {
        foreach (var (log, segments) in _closed.Where(log => !_lasting.Contains(log.Key)))
        {
            foreach (var old in segments.Keys.TakeWhile(each => each < begin).ToList())
            {
                directory.Files.DeleteFile(LogSegments.PathOf(log, old));
                segments.Remove(old);
            }
        }
    }

    public void Dispose() => Close();

    private void Close()
    {
        foreach (var log in _live.Values)
            log.Dispose();
        _live.Clear();
        foreach (var segments in _closed.Values)
            segments.Clear();
    }

    // Of a closed segment the length is checked alone: a start must not read all that a run ever wrote. A replay checks every line.
    private bool IsThere(string log, long begin, long end, LogMark mark, IReadOnlyCollection<long> bases)
    {
        var path = LogSegments.PathOf(log, begin);
        if (!directory.Files.FileExists(path))
        {
            // Retention was at work after this checkpoint, or somebody has put what it never takes elsewhere.
            if (_lasting.Contains(log) || bases.Any(version => version >= end))
                return false;
            throw new InvalidDataException($"{path} is gone, and no checkpoint makes it dispensable: put it back, or begin anew in an empty output directory");
        }
        using var stream = directory.Files.OpenRead(path);
        return stream.Length == mark.Length ? true : throw new InvalidDataException(
            $"{path} has {stream.Length} bytes, the checkpoint says {mark.Length}: the log was cut or edited. Put the log of this run back, or begin anew in an empty output directory");
    }

    private static string FileOf(string log, long begin) => Path.GetFileName(LogSegments.PathOf(log, begin));
}
