using MassDpo.Ingest.Sources;
using MassDpo.Shared.Actors;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Links.Local;
using MassDpo.Shared.Numerics;
using MassDpo.TestKit.Simulation;

namespace MassDpo.Ingest.Tests.Actor;

/// <summary>An intake with a learner and two selectors on many schedules, with everything going wrong that may: every position is settled, once, in
/// order.</summary>
public sealed class IntakeModelTests
{
    private const int Seeds = 200;

    [Fact]
    public void With_nothing_going_wrong_slots_follow_the_order_of_reading() =>
        OnManySchedules(new(8, 4, 0), new(5, 2, 2), failures: 0);

    [Fact]
    public void Blocks_handed_out_again_and_records_that_die_in_them_change_nothing_for_the_others() =>
        OnManySchedules(new(8, 4, 0, Reissues: 40, Deaths: 20), new(6, 4, 3, Reissues: 60, Deaths: 10), failures: 0);

    [Fact]
    public void Through_new_epochs_every_position_is_settled_once_and_in_order() =>
        OnManySchedules(new(8, 4, 0, Reissues: 20, Deaths: 20, Epochs: 15), new(6, 4, 2, Reissues: 20, Deaths: 10, Epochs: 25), failures: 0);

    [Fact]
    public void Through_restarts_of_the_intake_every_position_is_settled_once_and_in_order() =>
        OnManySchedules(new(8, 4, 0, Reissues: 20, Deaths: 20), new(6, 3, 2, Reissues: 20, Deaths: 10, Epochs: 10), failures: 20);

    private static void OnManySchedules(ModelOptions even, ModelOptions odd, int failures)
    {
        var (reissued, epochs, restarts, died) = (0, 0L, 0L, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            try
            {
                var options = seed % 2 == 0 ? even : odd;
                var (learner, host) = Run(seed, options, failures);
                (reissued, epochs, restarts) = (reissued + learner.Reissued, epochs + learner.Epoch - 1, restarts + host.Restarts);
                died += learner.Dead.Count(letter => letter.Code == DeadLetterCodes.Selector);
            }
            catch (Exception e)
            {
                throw new Xunit.Sdk.XunitException($"seed {seed}: {e.Message}", e);
            }
        }
        // What was to go wrong did.
        Assert.Equal(even.Reissues > 0, reissued > Seeds);
        Assert.Equal(even.Deaths > 0, died > Seeds);
        Assert.Equal(odd.Epochs > 0 || failures > 0, epochs > Seeds);
        Assert.Equal(failures > 0, restarts > Seeds / 2);
    }

    private static (ModelLearner Learner, ActorHost Host) Run(int seed, ModelOptions options, int failures)
    {
        var source = new ScriptedSource(count: 30 + seed % 17, passes: 1 + seed % 3, pause: seed % 5, isBad: i => seed % 3 > 0 && i % 7 == seed % 7);
        var (control, pools) = (new LocalControlLink(), new LocalPoolsLink());
        var window = (options.Staleness + 2) * options.Batch;
        var host = new SimulatedHost(seed);
        ModelLearner? learner = null;
        // A small mailbox, so that the intake has to wait for room in it.
        host.Spawn<ModelStep>("learner", context => learner = new ModelLearner(context, control, pools, options, seed),
            new ActorOptions { MailboxCapacity = 2, MaxRestarts = 0 });
        if (options.Epochs == 0 && failures == 0)
        {
            var taken = 0L;
            source.Before = (position, _) =>
            {
                Assert.InRange(taken - learner!.LetGo, 0, window - 1);
                taken += source.IsBad(position) ? 0 : 1;
                return Task.CompletedTask;
            };
        }
        var unsteady = new UnsteadyPools(pools, seed, failures);
        host.Spawn<IngestMessage>(IntakeScene.Name, context => new IngestActor(context, new ValidatedSource(source, IntakeScene.NewValidator(), validators: 1), control, unsteady,
            new IngestOptions(IntakeScene.Name, window)));
        host.RunUntil(() => learner is { Done: true });
        AssertComplete(source, learner!, host, failures);
        host.Stop();
        Assert.Equal(0, source.Open);
        return (learner!, host);
    }

    private static void AssertComplete(ScriptedSource source, ModelLearner learner, ActorHost host, int failures)
    {
        Assert.Equal(source.Positions.Order(InOrder), learner.Applied.Concat(learner.Dead.Select(letter => letter.Position)).Order(InOrder));
        Assert.Equal(learner.Applied.Order(InOrder), learner.Applied);
        var bad = learner.Dead.Where(letter => letter.Code == DeadLetterCodes.Json).ToList();
        Assert.Equal(source.Positions.Where(source.IsBad), bad.Select(letter => letter.Position).Order(InOrder));
        Assert.All(learner.Dead, letter => Assert.Equal((ScriptedSource.File, letter.Position.Index + 1), (letter.Origin.File, letter.Origin.Line)));
        Assert.All(learner.Dead.Except(bad), letter => Assert.Equal((DeadLetterCodes.Selector, "failed"), (letter.Code, letter.Reason)));
        Assert.Equal(source.Positions.CountBy(position => position.Pass).Select(pass => (("scripted", pass.Key), (long)pass.Value)),
            learner.PassEnds.Select(end => (end.Key, end.Value)));
        Assert.Equal(Enumerable.Range(1, host.Restarts + 1), learner.Incarnations);
        Assert.Equal(failures == 0, host.Restarts == 0);
        // At least once in the epoch that ended, at most once in each.
        Assert.InRange(learner.Ends, 1, learner.Epoch);
    }

    private static Comparer<Position> InOrder { get; } = Comparer<Position>.Create((a, b) => (a.Pass, a.Index).CompareTo((b.Pass, b.Index)));

    /// <summary>Hands blocks on, but fails now and then, not more often in a row than an actor may.</summary>
    private sealed class UnsteadyPools(IPoolsLink pools, int seed, int percent) : IPoolsLink
    {
        private StableRandom _random = new(seed, 0xF1A);
        private int _left = 6;
        private bool _failed;

        public ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation)
        {
            // Once at least.
            if (percent > 0 && _left > 0 && (!_failed || _random.Below(100) < percent))
            {
                (_failed, _left) = (true, _left - 1);
                throw new InvalidOperationException("the link broke");
            }
            return pools.OfferAsync(block, cancellation);
        }

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false) => pools.Request(selector, deliver, isAhead);

        public void Withdraw(string selector) => pools.Withdraw(selector);
    }
}
