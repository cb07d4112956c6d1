using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;
using Microsoft.Win32.SafeHandles;

namespace MassDpo.Ingest.Sources;

/// <summary>How files are read.</summary>
/// <param name="Order">of each pass</param>
/// <param name="Seed">of the shuffle</param>
/// <param name="Passes">over all files</param>
/// <param name="MaxRecords">positions after which the input ends; 0: no limit</param>
/// <param name="MaxRecordBytes">bytes that a record may have</param>
public sealed record FileSourceOptions(ShuffleOrder Order, long Seed, int Passes, long MaxRecords, int MaxRecordBytes);

/// <summary>
/// Lines of files, plain or .gz, one after the other as one source. A stream in its own order, or through a shuffle buffer, is read once from
/// beginning to end and holds no more than the buffer; a whole shuffle keeps where each line begins (32 bytes a line) and unpacks .gz into a
/// temporary file first.
/// </summary>
public sealed class FileSource : IRecordSource
{
    /// <summary>The name of all files together: a shuffle does not keep them apart.</summary>
    public const string SourceName = "files";

    private readonly string[] _files;
    private readonly FileSourceOptions _options;
    private LineIndex? _index;
    private double _linesPerPass = double.NaN;

    /// <exception cref="FileNotFoundException">a file is absent</exception>
    /// <exception cref="IOException">a file cannot be read, or only once</exception>
    public FileSource(IEnumerable<string> files, FileSourceOptions options)
    {
        _files = [.. files];
        _options = options;
        foreach (var file in _files)
            if (!File.Exists(file))
                throw new FileNotFoundException($"data file {file} does not exist", file);
        Identity = IdentityOf(_files);
    }

    /// <summary>In the order of reading.</summary>
    public IReadOnlyList<string> Files => _files;

    public string Name => SourceName;

    public string Identity { get; }

    public long? EstimatedRecords
    {
        get
        {
            var lines = Volatile.Read(ref _linesPerPass);
            if (double.IsNaN(lines))
                return _options.MaxRecords > 0 ? _options.MaxRecords : null;
            var all = (long)Math.Round(lines * _options.Passes);
            return _options.MaxRecords > 0 ? Math.Min(all, _options.MaxRecords) : all;
        }
    }

    public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var from = settled.Watermark(Name);
        // Files are read as they are asked for: nothing here waits.
        await ValueTask.CompletedTask;
        var isShuffled = _options.Order.All || _options.Order.Buffer > 0;
        // All passes are as long as each other.
        var before = _options.MaxRecords > 0 && from.Pass > 0 ? from.Pass * InOrder().LongCount() : 0;
        for (var pass = from.Pass; pass < _options.Passes; pass++)
        {
            var index = 0L;
            foreach (var (file, line) in Pass(pass))
            {
                cancellation.ThrowIfCancellationRequested();
                if (_options.MaxRecords > 0 && before + index >= _options.MaxRecords)
                    yield break;
                var position = new Position(Name, pass, index++);
                if (pass == from.Pass && position.Index < from.Index)
                    continue;
                yield return new SourceEntry.Bytes(position, file, line.Number, line.Bytes, line.Length > line.Bytes.Length ? line.Length : null, line.Hash) { IsOwned = isShuffled };
            }
            before += index;
            yield return new SourceEntry.PassEnd(new Position(Name, pass, index));
        }
    }

    public ValueTask DisposeAsync()
    {
        _index?.Dispose();
        return ValueTask.CompletedTask;
    }

    private IEnumerable<(string File, FileLine Line)> Pass(int pass)
    {
        if (_options.Order.All)
            return Shuffled(pass);
        if (_options.Order.Buffer == 0)
            return InOrder();
        // What waits in the buffer must own its bytes.
        var owned = InOrder().Select(l => (l.File, l.Line with { Bytes = l.Line.Bytes.ToArray() }));
        return ShuffleOrder.Buffered(owned, _options.Order.Buffer, _options.Seed, pass);
    }

    private IEnumerable<(string File, FileLine Line)> InOrder()
    {
        var total = _files.Sum(file => new FileInfo(file).Length);
        var (lines, bytes) = (0L, 0L);
        foreach (var file in _files)
        {
            using var stream = OpenBytes(file);
            using var reader = new LineReader(IsPacked(file) ? new WholeGZipStream(stream) : stream, _options.MaxRecordBytes);
            foreach (var line in Lines(file, reader))
            {
                lines++;
                // What is to come is taken to be as long as what was.
                Volatile.Write(ref _linesPerPass, lines * total / Math.Max(1, bytes + stream.Position * reader.Used));
                yield return (file, line);
            }
            bytes += stream.Length;
        }
        Volatile.Write(ref _linesPerPass, lines);
    }

    private IEnumerable<(string File, FileLine Line)> Shuffled(int pass)
    {
        _index ??= LineIndex.Of(_files, _options.MaxRecordBytes);
        Volatile.Write(ref _linesPerPass, _index.Count);
        foreach (var i in ShuffleOrder.Permutation(_index.Count, _options.Seed, pass))
            yield return _index.Read(i);
    }

    private static IEnumerable<FileLine> Lines(string file, LineReader reader)
    {
        while (true)
        {
            FileLine? line;
            try
            {
                line = reader.Next();
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                throw new IOException($"{file} cannot be read beyond line {reader.Number}: {e.Message}", e);
            }
            if (line is null)
                yield break;
            yield return line.Value;
        }
    }

    private static FileStream OpenBytes(string file) => new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1, FileOptions.SequentialScan);

    private static bool IsPacked(string file) => file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);

    // Sizes and contents; of a large file its ends and samples in between, so that a start does not wait for gigabytes.
    private static string IdentityOf(string[] files)
    {
        const int sample = 1 << 16;
        const int samples = 256;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[sample];
        foreach (var file in files)
        {
            using var handle = File.OpenHandle(file, options: FileOptions.SequentialScan);
            var length = LengthOf(handle, file);
            hash.AppendData(BitConverter.GetBytes(length));
            var whole = length <= (long)sample * samples;
            var pieces = whole ? (length + sample - 1) / sample : samples;
            for (var i = 0L; i < pieces; i++)
            {
                var offset = whole ? i * sample : (long)((double)i / (samples - 1) * (length - sample));
                hash.AppendData(buffer, 0, RandomAccess.Read(handle, buffer, offset));
            }
        }
        return ContentHash.Current(hash);
    }

    private static long LengthOf(SafeFileHandle handle, string file)
    {
        try
        {
            return RandomAccess.GetLength(handle);
        }
        catch (NotSupportedException e)
        {
            throw new IOException($"data file {file} is a pipe, which cannot be read again, as each pass and each resume does: write it to a file first", e);
        }
    }

    /// <summary>Where each line of the files begins, so that any can be read at once.</summary>
    private sealed class LineIndex : IDisposable
    {
        private readonly List<(int File, long Number, long Offset, long Length)> _lines = [];
        private readonly Dictionary<int, string> _hashesOfLong = [];
        private readonly List<(string Name, SafeFileHandle Handle)> _files = [];
        private readonly int _limit;

        private LineIndex(int limit) => _limit = limit;

        public int Count => _lines.Count;

        public static LineIndex Of(string[] files, int limit)
        {
            var index = new LineIndex(limit);
            try
            {
                foreach (var file in files)
                {
                    var handle = IsPacked(file) ? Unpack(file) : File.OpenHandle(file, share: FileShare.ReadWrite, options: FileOptions.RandomAccess);
                    index._files.Add((file, handle));
                    using var reader = new LineReader(new HandleStream(handle), limit);
                    foreach (var line in Lines(file, reader))
                    {
                        if (line.Hash is not null)
                            index._hashesOfLong[index.Count] = line.Hash;
                        index._lines.Add((index._files.Count - 1, line.Number, line.Offset, line.Length));
                    }
                }
                return index;
            }
            catch
            {
                index.Dispose();
                throw;
            }
        }

        public (string File, FileLine Line) Read(int i)
        {
            var (file, number, offset, length) = _lines[i];
            var bytes = new byte[length > _limit ? FileLine.Kept(_limit) : length];
            var (name, handle) = _files[file];
            for (var read = 0; read < bytes.Length;)
            {
                var n = RandomAccess.Read(handle, bytes.AsSpan(read), offset + read);
                if (n == 0)
                    throw new IOException($"{name} shrank while it was read: line {number} is gone");
                read += n;
            }
            return (name, new FileLine(number, offset, bytes, length, _hashesOfLong.GetValueOrDefault(i)));
        }

        public void Dispose()
        {
            foreach (var (_, handle) in _files)
                handle.Dispose();
        }

        private static SafeFileHandle Unpack(string file)
        {
            var folder = Directory.CreateTempSubdirectory($"massdpo-{Path.GetFileName(file)}-").FullName;
            try
            {
                var path = Path.Combine(folder, "unpacked");
                using (var packed = new WholeGZipStream(OpenBytes(file)))
                using (var target = File.Create(path))
                    packed.CopyTo(target);
                return File.OpenHandle(path, share: FileShare.Read | FileShare.Delete, options: FileOptions.RandomAccess);
            }
            catch (InvalidDataException e)
            {
                throw new IOException($"{file} cannot be read: {e.Message}", e);
            }
            finally
            {
                // What is open stays readable, and is gone when the process is.
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>Reads a handle from its beginning and leaves it open.</summary>
    private sealed class HandleStream(SafeFileHandle handle) : ForwardStream
    {
        private long _position;

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = RandomAccess.Read(handle, buffer.AsSpan(offset, count), _position);
            _position += read;
            return read;
        }
    }
}
