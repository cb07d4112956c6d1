using BenchmarkDotNet.Running;
using MassDpo.Selection.Bench;

// "pools [N]" checks N hard pools instead of measuring time; results/hard-pools.md holds what it printed.
if (args is ["pools", ..])
    return HardPoolsCheck.Run(args.Length > 1 ? int.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture) : 100_000);
BenchmarkSwitcher.FromAssembly(typeof(KernelBenchmarks).Assembly).Run(args);
return 0;
