using MassDpo.App.Running;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.App.Tests.Running;

/// <summary>Links that misbehave as selectors, intakes and networks do.</summary>
internal static class Faults
{
    /// <summary>Selectors tell that they failed on these records.</summary>
    public static PipelineLinks FailingOn(this PipelineLinks links, Func<CandidatePool, bool> fails) => links.Before(async (block, cancellation) =>
    {
        var failures = block.Selections.Select((selection, i) => (selection, slot: block.Block.First + i)).Where(s => s.selection is not null && fails(s.selection.Pool))
            .Select(s => new SlotFailure(s.slot, $"made to fail on {s.selection!.Pool.Position}")).ToList();
        if (failures.Count > 0)
            await links.Control.SendAsync(new BlockFailed(block.Selector, block.Block, failures), cancellation);
        return failures.Count == 0;
    });

    /// <summary>Selectors throw instead of sending these blocks.</summary>
    public static PipelineLinks ThrowingOn(this PipelineLinks links, Func<SelectionBlock, bool> throws) =>
        links.Before((block, _) => throws(block) ? throw new InvalidOperationException($"made to throw at {block.Block}") : ValueTask.FromResult(true));

    /// <summary>The first selector that has computed something never sends it, nor anything after it.</summary>
    public static PipelineLinks HangingOnce(this PipelineLinks links)
    {
        var hangs = false;
        return links.Before(async (_, cancellation) =>
        {
            if (hangs)
                return true;
            hangs = true;
            var never = new TaskCompletionSource();
            await using var registration = cancellation.Register(() => never.SetCanceled(cancellation));
            await never.Task;
            return false;
        });
    }

    /// <summary>Each computed block arrives twice.</summary>
    public static PipelineLinks Doubling(this PipelineLinks links) => links.Before(async (block, cancellation) =>
    {
        await links.Selections.SendAsync(block, cancellation);
        return true;
    });

    /// <summary>After every sixteenth message or so that intake and selectors send, whoever sent it throws.</summary>
    public static PipelineLinks ThrowingAfterwards(this PipelineLinks links, int seed)
    {
        var random = new StableRandom(seed, 0xFA17);
        return links with { Control = new InterceptedControl(links.Control, () => { }, Throw), Pools = new InterceptedPools(links.Pools, Throw) };

        void Throw()
        {
            if (random.Below(16) == 0)
                throw new IOException("made to fail");
        }
    }

    /// <summary>No message can be sent at all.</summary>
    public static PipelineLinks Unusable(this PipelineLinks links) =>
        links with { Control = new InterceptedControl(links.Control, () => throw new IOException("no link"), () => { }) };

    private static PipelineLinks Before(this PipelineLinks links, Func<SelectionBlock, CancellationToken, ValueTask<bool>> sends) =>
        links with { Selections = new InterceptedSelections(links.Selections, sends) };

    private sealed class InterceptedSelections(ISelectionsLink inner, Func<SelectionBlock, CancellationToken, ValueTask<bool>> sends) : ISelectionsLink
    {
        public async ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
        {
            if (await sends(block, cancellation))
                await inner.SendAsync(block, cancellation);
        }

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);
    }

    private sealed class InterceptedControl(IControlLink inner, Action before, Action after) : IControlLink
    {
        public ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
            CancellationToken cancellation) => inner.ClaimAsync(claim, deliver, fenced, cancellation);

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, deliver);

        public async ValueTask SendAsync(ControlMessage message, CancellationToken cancellation)
        {
            before();
            await inner.SendAsync(message, cancellation);
            after();
        }
    }

    private sealed class InterceptedPools(IPoolsLink inner, Action after) : IPoolsLink
    {
        public async ValueTask OfferAsync(PoolBlock block, CancellationToken cancellation)
        {
            await inner.OfferAsync(block, cancellation);
            after();
        }

        public void Request(string selector, Action<PoolBlock> deliver, bool isAhead = false)
        {
            inner.Request(selector, deliver, isAhead);
            after();
        }

        public void Withdraw(string selector) => inner.Withdraw(selector);
    }
}
