using MassDpo.Policy.Model;
using MassDpo.Policy.Scoring;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

[Collection(ProcessState.Name)]
public sealed class TrainerMemoryTests
{
    [Fact]
    public void A_thousand_updates_leave_no_tensor_behind_and_none_to_the_collector()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer(microBatch: 2, adam: new(0.9, 0.999, 1e-8, 0.1, 0.01));
        var batch = made.Selections(3, seed: 1, n => 1 + n);
        trainer.Update(batch);
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        var before = Tensor.TotalCount;
        for (var update = 0; update < 1000; update++)
        {
            trainer.Update(batch);
            // Not even for one update: what a finaliser has to free is memory that the collector does not see.
            Assert.Equal(before, Tensor.TotalCount);
        }
    }

    [Fact]
    public void Snapshots_that_are_let_go_of_leave_no_tensor_behind()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        Snapshots(1);
        var before = Live();
        Snapshots(100);
        Assert.Equal(before, Live());

        void Snapshots(int count)
        {
            for (var i = 0; i < count; i++)
            {
                using var snapshot = trainer.Snapshot();
                Assert.NotEmpty(snapshot.ComputeHash());
            }
        }
    }

    [Fact]
    public void Publishing_and_scoring_leave_no_tensor_to_the_collector()
    {
        using var made = new TrainedBatch();
        using var trainer = made.Trainer();
        // What was made on this thread less what was disposed of on it: a finaliser runs on another.
        var before = TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        using (var snapshot = (PolicyWeights)trainer.Snapshot())
        {
            snapshot.ComputeHash();
            new PoolScorer(made.Model).Score(snapshot, [new EncodedPool([1], [[2], [3, 4]])], outputFeatures: true);
        }
        Assert.Equal(before, TorchSharp.DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static long Live()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return Tensor.TotalCount;
    }
}
