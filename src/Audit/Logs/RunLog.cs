using MassDpo.Shared.Contracts;

namespace MassDpo.Audit.Logs;

/// <summary>Reads the logs of a run, line by line: memory does not grow with them.</summary>
public static class RunLog
{
    /// <summary>The updates of <c>updates.jsonl</c>, in order.</summary>
    /// <exception cref="LogFormatException">a line is no update</exception>
    public static IEnumerable<UpdateEntry> Updates(string file) => Read(file, UpdateEntry.Read);

    /// <summary>The events of <c>selections.jsonl</c>, in order, with the hash of each line.</summary>
    /// <exception cref="LogFormatException">a line is no event</exception>
    public static IEnumerable<(SelectionEvent Event, string Hash)> Events(string file) => Read(file, line => (EventLine.Read(line), EventLine.HashOf(line.Span)));

    private static IEnumerable<T> Read<T>(string file, Func<ReadOnlyMemory<byte>, T> parse)
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
