using MassDpo.App.Evaluation;
using MassDpo.App.Running;
using MassDpo.Audit.Tap;
using MassDpo.Ingest.Sources;
using MassDpo.Learner;
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
                options.Evaluation, EvaluationOptions.From(settings), options.ContinueWithChanges, run);
            var source = options.Source ?? throw new InvalidOperationException($"{nameof(MassDpoOptions)}.{nameof(options.Source)} is not set");
            var result = await new RunJob(request, logger).RunAsync(() => new EnumerableSource("host", source), (_, _) => { }, _tap.Publish, stoppingToken);
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
