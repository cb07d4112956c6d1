using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using MassDpo.PipelineKit;
using MassDpo.TestKit;

namespace MassDpo.Endurance.Bench;

/// <summary>
/// <c>massdpo run</c> as a process of its own over many records: LastFM's sequences again and again, with a malformed record in a hundred and one of 10 MB that
/// a limit refuses, under a small policy. Its peak memory, handles and threads are read where its log of metrics tells of a tenth of the records and of all.
/// </summary>
internal sealed class MemoryRun(int records, string method) : IDisposable
{
    private const double Allowed = 1.1;
    private const int TooLarge = 10_000_000;

    private readonly TempFolder _folder = new();

    /// <returns>whether the peak at the end is at most 1.1 times the one at a tenth</returns>
    public bool Run()
    {
        var data = WriteData(out var lines);
        var items = SharedData.PathOf("data/rec/lastfm/items.csv");
        Call("sft", "--data", data, "--policy", _folder["policy"], "--items", items, "--epochs", "0", "--set", "sft.hidden=16", "--set", "sft.layers=1", "--set", "sft.heads=2",
            "--set", "sft.max-positions=16", "--set", "ingest.max-record-bytes=64 KiB");
        // A little more than is waited for, so that it still runs then.
        var passes = (int)(1.01 * records / lines) + 2;
        string[] run = ["run", "--data", data, "--policy", _folder["policy"], "--output", _folder["out"], "--set", $"ingest.passes={passes}", "--set", "ingest.shuffle=all",
            "--set", "ingest.max-record-bytes=64 KiB", "--set", $"selection.method={method}", "--set", "selection.selectors=1", "--set", "selection.reference-cache=1 MiB",
            "--set", "learner.batch=128", "--set", "slots.max-staleness=1", "--set", "learner.learning-rate=1e-3", "--set", "checkpoint.updates=200", "--set", "logs.segment=64 MiB", "--set", "logs.keep=2", "--set", "runtime.progress=60s"];
        using var process = Start(run);
        var watch = Stopwatch.StartNew();
        var tenth = WaitFor(process, records / 10);
        var whole = WaitFor(process, records);
        var rate = records / watch.Elapsed.TotalSeconds;
        using (var stop = Process.Start("sh", ["-c", $"kill -TERM {process.Id}"]))
            stop.WaitForExit();
        process.WaitForExit();
        var dead = LogText.Read(_folder["out"], "dead-letters.jsonl").Count(c => c == (char)10);
        var logs = Directory.GetFiles(_folder["out"], "*.jsonl").Sum(file => new FileInfo(file).Length);
        Console.WriteLine($"selection.method = {method}, {rate:N0} records/s, {dead:N0} dead letters ({passes} passes at most over {lines:N0} lines, one of {TooLarge:N0} bytes), logs of {logs >> 20:N0} MiB, exit code {process.ExitCode}");
        Console.WriteLine($"| records | peak RSS, MiB | RSS, MiB | handles | threads |\n|---|---|---|---|---|\n{tenth}\n{whole}");
        Console.WriteLine($"peak at the end / peak at a tenth: {(double)whole.Peak / tenth.Peak:F3}, allowed {Allowed}");
        return whole.Peak <= Allowed * tenth.Peak && process.ExitCode == 0;
    }

    public void Dispose() => _folder.Dispose();

    private string WriteData(out int lines)
    {
        var path = _folder["data.jsonl"];
        using var packed = new GZipStream(File.OpenRead(SharedData.PathOf("data/rec/lastfm/train.jsonl.gz")), CompressionMode.Decompress);
        using var reader = new StreamReader(packed);
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false));
        for (lines = 0; reader.ReadLine() is { } line; lines++)
            writer.Write((lines % 100 == 50 ? line[..(line.Length / 2)] : line) + "\n");
        writer.Write($$"""{"prompt":{"history":["{{new string('x', TooLarge)}}"]},"chosen":"a","rejected":["b"]}""" + "\n");
        lines++;
        return path;
    }

    private ProcessSample WaitFor(Process process, long count)
    {
        // The condition is what the log tells; the pause only spares the processor.
        while (true)
        {
            var done = RunProgress.Records(_folder["out"]);
            if (done >= count)
                return ProcessSample.Of(process.Id, done);
            if (process.HasExited)
                throw new InvalidOperationException($"the run ended with exit code {process.ExitCode} after {done} records");
            Thread.Sleep(50);
        }
    }

    private static void Call(params string[] words)
    {
        using var process = Start(words);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{words[0]} ended with exit code {process.ExitCode}");
    }

    private static Process Start(string[] words) =>
        Process.Start(new ProcessStartInfo(Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "massdpo.dll"), .. words]) { RedirectStandardOutput = false })!;
}
