using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// What decides the bits of a log-probability beside the values of the weights and the tokens. Where it is the same, what <see cref="PoolScorer.ScoreCanonically"/>
/// gave once it gives again, also in another process; log-probabilities that are kept are kept under it. It errs to the safe side: another build of the program, other
/// numerical libraries or another processor make another one, whether or not a bit differs.
/// </summary>
public static class ScoringFingerprint
{
    // What they are told by the environment chooses their kernels.
    private static readonly string[] Switches = ["OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "DNNL_MAX_CPU_ISA"];

    // Those that do the arithmetic, none of which is loaded only when it is first called.
    private static readonly string[] Libraries = ["libmassdpo", "libtorch", "torch_", "libc10", "c10", "libopenblas", "libblas", "liblapack", "libcublas", "libcudnn"];

    private static readonly Lazy<string> Process = new(OfProcess);
    private static readonly Lazy<string> Gpus = new(OfGpus);

    /// <summary>One short line.</summary>
    /// <param name="scorer">that scores</param>
    /// <param name="weights">any of those that it is given: their form counts</param>
    /// <param name="config">hash of the policy's config.json</param>
    public static string Of(PoolScorer scorer, PolicyWeights weights, string config) => string.Create(CultureInfo.InvariantCulture,
        $"{(scorer.IsBatchInvariant(weights) ? "fused kernels" : $"tensor operations on {scorer.Limits.Tokens} tokens")}, {weights.Output.dtype} on {weights.Output.device}, {get_num_threads()} threads, config {config}, {Process.Value}{(weights.Device.type == DeviceType.CPU ? "" : $", {Gpus.Value}")}");

    private static string OfProcess()
    {
        var parts = new List<string>
        {
            // Builds are deterministic: the same code has the same identifier.
            $"{typeof(PoolScorer).Module.ModuleVersionId}", $"{typeof(Tensor).Module.ModuleVersionId}", Environment.Version.ToString(), __version__, Processor(),
        };
        parts.AddRange(Switches.Select(name => $"{name}={Environment.GetEnvironmentVariable(name)}"));
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        parts.AddRange(process.Modules.Cast<ProcessModule>().Select(module => module.FileName)
            .Where(path => Array.Exists(Libraries, name => Path.GetFileName(path).StartsWith(name, StringComparison.OrdinalIgnoreCase))).Select(File)
            .Distinct().Order(StringComparer.Ordinal));
        return $"process {ContentHash.Of(string.Join('\n', parts))[..16]}";
    }

    // Models and their driver, where Linux tells of them.
    private static string OfGpus()
    {
        const string folder = "/proc/driver/nvidia";
        var told = !Directory.Exists(folder) ? [] : Directory.EnumerateFiles(folder, "information", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .SelectMany(file => System.IO.File.ReadLines(file).Where(line => line.StartsWith("Model", StringComparison.Ordinal)))
            .Concat(Directory.EnumerateFiles(folder, "version").SelectMany(System.IO.File.ReadLines));
        return $"devices {ContentHash.Of(string.Join('\n', told))[..16]}";
    }

    // What a library is replaced with has another length or time. One that was replaced while it is in use has no file any more.
    private static string File(string path)
    {
        var file = new FileInfo(path);
        return !file.Exists ? path : string.Create(CultureInfo.InvariantCulture, $"{file.Name} {file.Length} {file.LastWriteTimeUtc:O}");
    }

    // The model and what it can do; not the parts that differ from core to core.
    private static string Processor()
    {
        if (!X86Base.IsSupported)
            return RuntimeInformation.ProcessArchitecture.ToString();
        var (signature, _, features, more) = X86Base.CpuId(1, 0);
        var (_, extended, vectors, _) = X86Base.CpuId(7, 0);
        return string.Create(CultureInfo.InvariantCulture, $"{signature:X} {features:X} {more:X} {extended:X} {vectors:X}");
    }
}
