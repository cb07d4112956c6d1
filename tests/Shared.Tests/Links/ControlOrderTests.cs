using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Shared.Tests.Links;

/// <summary>What a control link's retention may do to the order; what all links promise of it is in their contract.</summary>
public sealed class ControlOrderTests
{
    private static readonly SettledPositions Nothing = new();

    [Fact]
    public void Where_the_claim_of_an_epoch_is_forgotten_its_notices_end_what_was_known_of_the_one_before()
    {
        var order = new ControlOrder();
        Assert.True(order.Hear(new LearnerStopped(1, "asked to", InputEnded: false)));
        Assert.True(order.Hear(new EpochOpened(2, 4, Nothing)));
        Assert.Equal((2, null), (order.Epoch!.Epoch, order.Stopped));
        Assert.False(order.Hear(new LearnerStopped(1, "asked to", InputEnded: false)));
        Assert.Null(order.Stopped);
        Assert.True(order.Hear(new LearnerStopped(2, "the end", InputEnded: true)));
        Assert.Equal(2, order.Stopped!.Epoch);
    }

    [Fact]
    public void An_epoch_whose_beginning_is_forgotten_ends_the_one_before_and_its_batches_are_none_of_that_one()
    {
        var order = new ControlOrder();
        order.Hear(new EpochOpened(1, 4, Nothing));
        order.Hear(new BatchClosed(1, 5));
        Assert.Equal((1, 5), (order.Epoch!.Epoch, order.Epoch.Version));
        order.Hear(new BatchClosed(2, 9));
        Assert.Null(order.Epoch);
        Assert.False(order.Hear(new BatchClosed(1, 6)));
    }
}
