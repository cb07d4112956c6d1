using System.Globalization;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Input;
using MassDpo.Kafka.Links;
using MassDpo.Kafka.Sinks;
using MassDpo.Kafka.Topics;
using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links.Local;
using MassDpo.Shared.Settings;
using MassDpo.Shared.Sources;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Running;

/// <summary>How a run is joined over Kafka.</summary>
/// <param name="Kafka">how to reach the cluster</param>
/// <param name="Topics">of the run</param>
/// <param name="Source">what is read of the input, and how</param>
internal sealed record KafkaRunOptions(KafkaOptions Kafka, KafkaTopics Topics, KafkaSourceOptions Source)
{
    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed or outside its range</exception>
    public static KafkaRunOptions From(EffectiveSettings settings)
    {
        var topics = KafkaTopics.From(settings);
        return new KafkaRunOptions(KafkaOptions.From(settings), topics, KafkaSourceOptions.From(settings, topics.Input.Name));
    }

    /// <summary>Whether a cluster is named.</summary>
    public bool IsSet => Kafka.Bootstrap.Length > 0;
}

/// <summary>Joins processes over topics.</summary>
internal static class KafkaWiring
{
    /// <summary>What joins this process to its run: topics are looked at first, and made where they are missing.</summary>
    /// <param name="options">of the run</param>
    /// <param name="roles">of this process: with selectors it reads the input, without them or without a learner others do the rest, over topics</param>
    /// <param name="policy">whose snapshots travel</param>
    /// <param name="logger">told of what was made, and of what was left out</param>
    /// <param name="cancellation">ends it</param>
    /// <exception cref="IOException">the cluster cannot be reached</exception>
    /// <exception cref="InvalidDataException">topics are not what they must be</exception>
    public static async Task<RunWiring> OpenAsync(KafkaRunOptions options, Roles roles, LoadedPolicy policy, ILogger logger, CancellationToken cancellation)
    {
        await EnsureTopicsAsync(options, roles, logger, cancellation, isAlone: roles.HasFlag(Roles.Learner | Roles.Selector));
        var failure = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        var source = roles.HasFlag(Roles.Selector)
            ? await KafkaSource.OpenAsync(options.Kafka, options.Source with { Warn = Note }, TimeProvider.System, cancellation)
            : null;
        var isWhole = roles.HasFlag(Roles.Learner | Roles.Selector);
        return new RunWiring(isWhole ? PipelineLinks.Local() : Links(options, policy, e => failure.TrySetResult(e), Note), source, KafkaSource.IdentityOf(options.Topics.Input.Name))
        {
            // Names of actors must not come twice in a run, and a process that is started again is another one.
            Process = isWhole ? "" : $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..4]}/",
            OwnsLinks = true,
            Topic = options.Topics.Input.Name,
            NewOutcomes = () => new TopicOutcomes(options.Kafka, options.Topics),
            GiveBack = source is null ? null : source.CloseAsync,
            Attach = host =>
            {
                _ = failure.Task.ContinueWith(failed => host.Fail(failed.Result), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                if (source is not null)
                    _ = host.Instruments.ObserveInputLag(() => source.Lag.Select(part => KeyValuePair.Create($"{source.Name}/{part.Key}", part.Value)));
            },
        };

        void Note(string text) => logger.LogWarning("{Note}", text);
    }

    /// <summary>Looks at the topics that these roles use, and makes what is missing.</summary>
    /// <param name="options">of the run</param>
    /// <param name="roles">of this process</param>
    /// <param name="logger">told of what was made, and of what was left out</param>
    /// <param name="cancellation">ends it</param>
    /// <param name="isAlone">whether the links of the run need no topics</param>
    public static async Task EnsureTopicsAsync(KafkaRunOptions options, Roles roles, ILogger logger, CancellationToken cancellation, bool isAlone = false)
    {
        var found = await TopicKeeper.EnsureAsync(options.Kafka, options.Topics, roles, cancellation, isAlone);
        foreach (var note in found.Notes)
            logger.LogInformation("{Note}", note);
    }

    /// <summary>Brings all that a source has to the input topic, and its end; what an earlier start brought is passed over.</summary>
    /// <returns>what was done, in words</returns>
    public static async Task<string> FeedAsync(KafkaRunOptions options, IRecordSource source, string order, CancellationToken stop)
    {
        var feed = new RecordFeed(source, options.Kafka, options.Topics.Input.Name, new RecordFeedOptions { Resumes = true, End = true, Order = order }, TimeProvider.System);
        var isWhole = await feed.RunAsync(stop);
        return string.Create(CultureInfo.InvariantCulture, $"{feed.HandedOver:N0} records are in '{options.Topics.Input.Name}'{(feed.Found > 0 ? $", beside {feed.Found:N0} that were there" : "")}{(isWhole
            ? ", and the end of the input is marked."
            : "; stopped as asked: give the same command again to go on.")}");
    }

    private static PipelineLinks Links(KafkaRunOptions options, LoadedPolicy policy, Action<Exception> failed, Action<string> note)
    {
        var link = new KafkaLinkOptions(options.Kafka, options.Source.Group, failed, note);
        return new PipelineLinks(new KafkaControlLink(link, options.Topics.Control.Name), new LocalPoolsLink(), new KafkaSelectionsLink(link, options.Topics.Selections.Name),
            new KafkaSnapshotsLink(link, options.Topics.Snapshots.Name, new PolicySnapshotFormat(policy.Weights)));
    }
}
