using MassDpo.Ingest;
using MassDpo.Ingest.Records;
using MassDpo.Policy.Devices;
using MassDpo.Policy.Encoding;
using MassDpo.Selection;
using MassDpo.Selection.References;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Files;
using MassDpo.Shared.Sources;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Running;

/// <summary>The intake and the selectors of a process. Selectors share a policy and its reference log-probabilities.</summary>
internal static class SelectorRole
{
    /// <summary>What is kept of the reference's log-probabilities, to be given to <see cref="Spawn"/> and disposed after the host has stopped.</summary>
    /// <exception cref="IOException">it cannot be kept where the options say</exception>
    public static ReferenceCache OpenCache(LoadedPolicy policy, RunOptions options, IFiles files, ILogger logger)
    {
        var (memory, directory, disk) = options.References;
        // Within one process all is scored alike, and what decides that takes a while to find out.
        return directory is null
            ? new ReferenceCache(memory, scoring: "")
            : new ReferenceCache(memory, policy.ScoringFingerprint, ReferenceStore.Open(directory, disk, files, note => logger.LogWarning("{Note}", note)));
    }

    /// <summary>Spawns selectors and an intake; they begin at once. The caller stops the host.</summary>
    public static void Spawn(ActorHost host, PipelineLinks links, LoadedPolicy policy, ReferenceCache cache, IRecordSource source, RunOptions options, string process = "")
    {
        SpawnSelectors(host, links, policy, cache, options, process);
        SpawnIntake(host, links, policy.Encoder, source, options, process);
    }

    /// <summary>Spawns the selectors.</summary>
    /// <param name="host">runs them</param>
    /// <param name="links">join them to each other and to the learner</param>
    /// <param name="policy">as the run found it</param>
    /// <param name="cache">of the reference's log-probabilities</param>
    /// <param name="options">of the run</param>
    /// <param name="process">stands before the actors' names, where several processes are joined; else empty</param>
    public static void SpawnSelectors(ActorHost host, PipelineLinks links, LoadedPolicy policy, ReferenceCache cache, RunOptions options, string process)
    {
        var (control, pools, selections, snapshots) = links;
        host.Instruments.ObserveReferenceCache(() => cache.Use);
        for (var i = 1; i <= options.Selectors; i++)
        {
            var selector = new SelectorOptions($"{process}selector-{i}", options.Slots.MaxStaleness, options.Trainer.Reference.Schedule, options.Slots.Lease / 3);
            host.Spawn<SelectorMessage>(selector.Name, context =>
                {
                    ComputeStream.Take(policy.Weights.Device);
                    return new SelectorActor(context, new SelectionEngine(policy.Scorer, policy.Found, cache, options.Selection, host.Clock), control, pools, selections, snapshots, selector);
                },
                new ActorOptions { Dispatch = Dispatch.OwnThread });
        }
    }

    /// <summary>Spawns an intake.</summary>
    /// <param name="host">runs it</param>
    /// <param name="links">join it to selectors and the learner</param>
    /// <param name="encoder">of the policy, as the run found it</param>
    /// <param name="source">of the records</param>
    /// <param name="options">of the run</param>
    /// <param name="process">stands before the actor's name, where several processes are joined; else empty</param>
    /// <param name="takesOver">whether it may go on with what another process's intake held</param>
    public static void SpawnIntake(ActorHost host, PipelineLinks links, RecordEncoder encoder, IRecordSource source, RunOptions options, string process, bool takesOver = false)
    {
        var records = new ValidatedSource(source, new RecordValidator(encoder, options.Duplicates, options.Files.MaxRecordBytes), options.Validators);
        var intake = new IngestOptions(process + "ingest", options.Window) { TakesOver = takesOver };
        host.Spawn<IngestMessage>(intake.Name, context => new IngestActor(context, records, links.Control, links.Pools, intake));
    }
}
