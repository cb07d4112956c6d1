using BenchmarkDotNet.Running;
using MassDpo.Selection.Bench;

BenchmarkSwitcher.FromAssembly(typeof(KernelBenchmarks).Assembly).Run(args);
