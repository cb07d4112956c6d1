using MassDpo.Shared.Contracts;
using MassDpo.Shared.Files;

namespace MassDpo.Audit.Logs;

/// <summary>Reads the logs of a run, segment by segment and line by line: memory does not grow with them.</summary>
public static class RunLog
{
    /// <summary>The updates of <c>updates.jsonl</c> and its further segments, in order.</summary>
    /// <param name="file">path of the first segment, which retention may have taken away</param>
    /// <param name="from">version at which to begin; a segment begins there</param>
    /// <exception cref="LogFormatException">a line is no update</exception>
    /// <exception cref="FileNotFoundException">there is no segment</exception>
    public static IEnumerable<UpdateEntry> Updates(string file, long from = 0) => Read(file, from, UpdateEntry.Read);

    /// <summary>The events of <c>selections.jsonl</c> and its further segments, in order, with the hash of each line.</summary>
    /// <param name="file">path of the first segment, which retention may have taken away</param>
    /// <param name="from">version at which to begin; a segment begins there</param>
    /// <exception cref="LogFormatException">a line is no event</exception>
    /// <exception cref="FileNotFoundException">there is no segment</exception>
    public static IEnumerable<(SelectionEvent Event, string Hash)> Events(string file, long from = 0) =>
        Read(file, from, line => (EventLine.Read(line), EventLine.HashOf(line.Span)));

    private static IEnumerable<T> Read<T>(string log, long from, Func<ReadOnlyMemory<byte>, T> parse)
    {
        var segments = LogSegments.In(PhysicalFiles.Instance, log).Where(begin => begin >= from).ToList();
        if (segments.Count == 0)
            throw new FileNotFoundException($"{LogSegments.PathOf(log, from)} does not exist", log);
        foreach (var file in segments.Select(begin => LogSegments.PathOf(log, begin)))
            foreach (var entry in ReadSegment(file, parse))
                yield return entry;
    }

    private static IEnumerable<T> ReadSegment<T>(string file, Func<ReadOnlyMemory<byte>, T> parse)
    {
        using var reader = new StreamReader(file);
        for (var number = 1L; reader.ReadLine() is { } text; number++)
        {
            T entry;
            try
            {
                entry = parse(System.Text.Encoding.UTF8.GetBytes(text));
            }
            catch (FormatException e)
            {
                throw new LogFormatException(file, number, e.Message, e);
            }
            yield return entry;
        }
    }
}
