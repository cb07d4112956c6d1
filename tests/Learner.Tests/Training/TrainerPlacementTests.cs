using MassDpo.Policy.Model;
using static TorchSharp.torch;

namespace MassDpo.Learner.Tests.Training;

/// <summary>Whether every tensor of an update says where it is to lie: see PlacementTests of the policy.</summary>
[Collection(ProcessState.Name)]
public sealed class TrainerPlacementTests
{
    [Fact]
    public void No_tensor_of_updates_and_snapshots_lies_where_nobody_said()
    {
        using var made = new TrainedBatch(hidden: 8);
        var (first, second) = (made.Selections(3, seed: 1, n => 1 + n), made.Selections(3, seed: 2));
        var expected = Train();
        var before = get_default_device();
        set_default_device(META);
        try
        {
            Assert.Equal(expected, Train());
        }
        finally
        {
            set_default_device(before);
        }

        string Train()
        {
            using var trainer = made.Trainer(microBatch: 2, adam: new(0.9, 0.999, 1e-8, 0.1, 0.01));
            trainer.Update(first);
            using var snapshot = trainer.Snapshot();
            using var again = made.Trainer();
            again.Restore(snapshot.Tensors, trainer.OptimizerState.ToDictionary(StringComparer.Ordinal), trainer.Steps);
            again.Update(second);
            return $"{snapshot.ComputeHash()} {again.Weights.ComputeHash()}";
        }
    }
}
