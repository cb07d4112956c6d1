using System.Text;
using System.Text.Json;
using MassDpo.Ingest.Records;
using MassDpo.Ingest.Sources;
using MassDpo.Policy.Encoding;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using MassDpo.TestKit;

namespace MassDpo.PipelineKit.Mutants;

/// <summary>
/// Lines of a file on the way that a run reads them: source, parser, validator, under a policy of items and one of words. A line is a pool or a dead letter,
/// and none is passed over.
/// </summary>
internal sealed class MutatedRecords : MutatedInput
{
    // Few enough that some mutants are longer.
    private const int MaxRecordBytes = 2048;
    private const int LinesPerFile = 5000;

    private static readonly HashSet<string> Codes =
    [
        DeadLetterCodes.Encoding, DeadLetterCodes.Json, DeadLetterCodes.TooLarge, DeadLetterCodes.Field, DeadLetterCodes.EmptyPool, DeadLetterCodes.UnknownItem,
        DeadLetterCodes.Unsupported, DeadLetterCodes.TooLong,
    ];

    private readonly TempFolder _folder = new();
    private readonly (RecordValidator Validator, int Vocabulary, IReadOnlyList<byte[]> Whole)[] _kinds;

    public MutatedRecords()
    {
        var config = MadePolicy.Config(vocabulary: 40, positions: 24);
        var words = "a b c say yes no hi best good bad p u v w x y z".Split(' ');
        _kinds =
        [
            (ValidatorOf(WordLevelTokenizer.Create(MadePolicy.Items(config), splitsAtWhitespace: false)), config.VocabularySize, Utf8(
                """{"id":"r1","prompt":{"history":["i1","i2","i3"]},"chosen":"i4","rejected":["i5","i6","i7","i5"],"rewards":[1,null,-2.5,0,1],"meta":{"u":[1,{"x":null}]},"extra":{"a":[1,2]}}""",
                """{"id":7,"prompt":{"history":["i1"]},"chosen":"i2","rejected1":"i3","rejected2":"i9","reference_logps":[-1.5,-2,null]}""",
                """{"prompt":{"history":[]},"candidates":["i1","i2","i3"],"chosen_index":1}""",
                """{"prompt":{"history":["i30","i31"]},"ranked":["i1","i2","i3"],"rewards":[3,2,1],"note":"\"quoted\" \\"}""")),
            (ValidatorOf(WordLevelTokenizer.Create(words, splitsAtWhitespace: true)), words.Length + 3, Utf8(
                """{"id":"r1","prompt":"say hé 😀","chosen":"a \u00e9 \ud83d\ude00","rejected":["b","c"],"rewards":[1,null,-2.5],"meta":{"u":[1,{"x":null}]}}""",
                """{"candidates":["\n\nHuman: hi\n\nAssistant: yes","\n\nHuman: hi\n\nAssistant: no"],"chosen_index":1}""",
                """{"prompt":"p","ranked":["best","good","bad"],"rewards":[3,2,1],"note":"\"quoted\" \\"}""",
                """{"messages":[{"role":"user","content":"hi"}],"chosen":{"role":"assistant","content":"a"},"rejected":["b"]}""",
                """{"prompt":{"history":["a b","c"]},"chosen":"x y","rejected":["z","u v w"]}""")),
        ];

        RecordValidator ValidatorOf(Tokenizer tokenizer) => new(new RecordEncoder(tokenizer, config), Duplicates.Drop, MaxRecordBytes);
    }

    public override string Name => "records";

    public override void Read(int first, int count, Action<string> verdict)
    {
        for (var start = first; start < first + count; start += LinesPerFile)
        {
            var file = _folder["data.jsonl"];
            var kind = _kinds[start / LinesPerFile % _kinds.Length];
            var lines = Write(file, start, Math.Min(LinesPerFile, first + count - start), kind.Whole);
            ReadFile(file, lines, kind.Validator, kind.Vocabulary, verdict);
        }
    }

    public override void Dispose() => _folder.Dispose();

    // A mutant may hold line feeds: it is several lines then. The lines that are more than white space, by what a line is.
    private List<byte[]> Write(string file, int start, int count, IReadOnlyList<byte[]> whole)
    {
        var lines = new List<byte[]>();
        using var stream = File.Create(file);
        for (var i = start; i < start + count; i++)
        {
            var mutant = Mutant(i, whole);
            // A long one now and then.
            if (i % 1000 == 999)
                mutant = [.. mutant, .. Enumerable.Repeat((byte)' ', MaxRecordBytes + i % 7)];
            stream.Write(mutant);
            stream.WriteByte((byte)'\n');
            var text = i == start && mutant.AsSpan().StartsWith("\uFEFF"u8) ? mutant[3..] : mutant;
            foreach (var range in text.AsSpan().Split((byte)'\n'))
            {
                var line = text.AsSpan(range);
                // Nobody looks whether a line that is too long is white space to its end.
                if (!line.Trim(" \t\r\f\v"u8).IsEmpty || (line.EndsWith("\r"u8) ? line.Length - 1 : line.Length) > MaxRecordBytes)
                    lines.Add(line.ToArray());
            }
        }
        return lines;
    }

    private void ReadFile(string file, List<byte[]> lines, RecordValidator validator, int vocabulary, Action<string> verdict)
    {
        var source = new FileSource([file], new FileSourceOptions(new ShuffleOrder(), 1, 1, 0, MaxRecordBytes));
        var entries = source.ReadAsync(new SettledPositions(), CancellationToken.None).GetAsyncEnumerator();
        var number = 0;
        while (Next(number, lines))
        {
            if (entries.Current is SourceEntry.PassEnd)
                continue;
            if (number == lines.Count)
                throw Defect(number, "more entries than lines", ((SourceEntry.Bytes)entries.Current).Json.Span);
            verdict(ReadOne(number, entries.Current, lines[number], validator, vocabulary));
            number++;
        }
        entries.DisposeAsync().AsTask().GetAwaiter().GetResult();
        if (number != lines.Count)
            throw Defect(number, $"{number} entries of {lines.Count} lines", []);

        bool Next(int at, List<byte[]> all)
        {
            try
            {
                return entries.MoveNextAsync().AsTask().GetAwaiter().GetResult();
            }
            catch (Exception e)
            {
                throw Defect(at, $"{e.GetType().Name}: {e.Message}", at < all.Count ? all[at] : [], e);
            }
        }
    }

    private string ReadOne(int number, SourceEntry entry, byte[] line, RecordValidator validator, int vocabulary)
    {
        try
        {
            var (pool, dead) = validator.Validate(entry);
            if (pool is null == dead is null)
                throw new InvalidDataException("both a pool and a dead letter, or neither");
            if (dead is not null)
            {
                using var written = JsonDocument.Parse(DeadLetterLine.Of(dead).ToArray());
                if (!Codes.Contains(dead.Code) || dead.Reason.Length == 0 || written.RootElement.GetProperty("code").GetString() != dead.Code)
                    throw new InvalidDataException($"refused as '{dead.Code}': {dead.Reason}");
                return dead.Code;
            }
            var tokens = pool!.Tokens;
            if (tokens.Candidates < 2 || tokens.Candidates != pool.Record.Candidates.Count || tokens.Prompt.Length == 0 || tokens.Responses.Any(response => response.Length == 0)
                || tokens.Responses.Append(tokens.Prompt).SelectMany(token => token).Any(token => token < 0 || token >= vocabulary))
                throw new InvalidDataException($"a pool of {tokens.Candidates} candidates that cannot be scored");
            return "valid";
        }
        catch (Exception e)
        {
            throw Defect(number, $"{e.GetType().Name}: {e.Message}", line, e);
        }
    }

    private static byte[][] Utf8(params string[] records) => [.. records.Select(Encoding.UTF8.GetBytes)];
}
