using MassDpo.App.Watching;
using MassDpo.Shared.Actors;
using Microsoft.Extensions.Logging;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>A process of selectors, and of an intake where it has a source, from beginning to end: loads the policy, takes part in the run, and lets itself be watched.</summary>
/// <param name="policyDirectory">the policy that the run started from</param>
/// <param name="options">of the run; what its results depend on must be what the learner has</param>
/// <param name="watch">how it lets itself be watched</param>
/// <param name="logger">of warnings and failures</param>
internal sealed class SelectorJob(string policyDirectory, RunOptions options, WatchOptions watch, ILogger logger)
{
    /// <summary>Runs until the input has ended or <paramref name="stop"/> asks for an orderly end.</summary>
    /// <param name="wire">joins it to the rest of its run</param>
    /// <param name="note">told of every epoch</param>
    /// <param name="stop">see above</param>
    /// <exception cref="InvalidDataException">the learner's run is set to something else, or its policy is another</exception>
    public async Task<MemberEnd> RunAsync(Func<LoadedPolicy, Task<RunWiring>> wire, Action<string> note, CancellationToken stop)
    {
        await using var host = new LocalHost(TimeProvider.System, logger);
        await using var watching = await ProcessWatch.StartAsync(watch, host, logger);
        set_num_threads(options.Threads);
        using var policy = LoadedPolicy.Load(policyDirectory, options.Policy);
        options.CheckFeatures(policy.Weights.Lora is not null);
        await using var wiring = await wire(policy);
        return await new MemberJob(options, logger).RunAsync(host, MemberPolicy.Of(policy), wiring, note, stop);
    }
}
