using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.App.Watching;
using MassDpo.Audit.Tap;
using MassDpo.Ingest.Sources;
using MassDpo.Learner;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Settings;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Hosting;

/// <summary>Runs the pipeline as long as its host does. When the host stops, it checkpoints and ends; started again, it goes on.</summary>
internal sealed class MassDpoService(MassDpoOptions options, ILogger<MassDpoService> logger) : BackgroundService, IMassDpo
{
    private readonly SelectionTap _tap = new();
    private readonly TaskCompletionSource<LearnerOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RunJob? _job;

    public HostHealth Health
    {
        get
        {
            var health = Volatile.Read(ref _job)?.Health ?? HostHealth.NotBegun;
            // Whatever ended it, in its actors or around them.
            return _completion.Task.Exception?.InnerException is { } failure ? health with { Failure = failure } : health;
        }
    }

    public Task<LearnerOutcome> Completion => _completion.Task;

    public IAsyncEnumerable<SelectionEvent> Tap(CancellationToken cancellation = default) => _tap.Listen(cancellation);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            // The host starts its other services meanwhile.
            await Task.Yield();
            var settings = EffectiveSettings.Load(options.Configuration, [], [], options.Settings.Select(setting => (setting.Key, setting.Value, nameof(MassDpoOptions))));
            var run = RunOptions.From(settings);
            var request = new RunRequest(Required(options.Policy, nameof(options.Policy)), Required(options.Output, nameof(options.Output)),
                options.Evaluation, EvaluationOptions.From(settings), options.ContinueWithChanges, run) { Watch = WatchOptions.From(settings) };
            var source = options.Source ?? throw new InvalidOperationException($"{nameof(MassDpoOptions)}.{nameof(options.Source)} is not set");
            var job = new RunJob(request, logger);
            Volatile.Write(ref _job, job);
            var result = await job.RunAsync(() => new EnumerableSource("host", source), (_, _) => { }, _tap.Publish, stoppingToken);
            _completion.SetResult(result.Outcome);
        }
        catch (Exception e)
        {
            _completion.TrySetException(e);
            // Whoever does not wait for the completion hears of it through the host.
            _ = _completion.Task.Exception;
            throw;
        }
        finally
        {
            _tap.Close();
        }
    }

    private static string Required(string value, string name) =>
        value.Length > 0 ? value : throw new InvalidOperationException($"{nameof(MassDpoOptions)}.{name} is not set");
}
