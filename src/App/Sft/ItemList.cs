using System.Text;

namespace MassDpo.App.Sft;

/// <summary>Items in a file: the column title, item or name of a .csv file with a header (RFC 4180), or one a line in any other.</summary>
internal static class ItemList
{
    private static readonly string[] Columns = ["title", "item", "name"];

    /// <exception cref="InvalidDataException">a .csv file without such a column, or with a quote that does not end</exception>
    public static IReadOnlyList<string> Read(string file)
    {
        var text = File.ReadAllText(file);
        if (!file.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))
            return [.. text.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0)];
        var rows = Rows(text, file).ToList();
        var column = rows.Count == 0 ? -1 : rows[0].FindIndex(name => Columns.Contains(name.Trim(), StringComparer.OrdinalIgnoreCase));
        if (column < 0)
            throw new InvalidDataException($"{file}: its first line names no column {string.Join(", ", Columns)}");
        return [.. rows.Skip(1).Where(row => row.Count > column && row[column].Length > 0).Select(row => row[column])];
    }

    private static IEnumerable<List<string>> Rows(string text, string file)
    {
        var row = new List<string>();
        var field = new StringBuilder();
        var (quoted, line) = (false, 1);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c != '"')
                    field.Append(c);
                else if (i + 1 < text.Length && text[i + 1] == '"')
                    field.Append(text[++i]);
                else
                    quoted = false;
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = true;
            }
            else if (c == ',')
            {
                EndField();
            }
            else if (c == '\n')
            {
                EndField();
                yield return row;
                row = [];
                line++;
            }
            else if (c != '\r')
            {
                field.Append(c);
            }
        }
        if (quoted)
            throw new InvalidDataException($"{file}: a quote that begins by line {line} does not end");
        if (field.Length > 0 || row.Count > 0)
        {
            EndField();
            yield return row;
        }

        void EndField()
        {
            row.Add(field.ToString());
            field.Clear();
        }
    }
}
