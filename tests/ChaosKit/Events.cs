using System.Runtime.CompilerServices;
using MassDpo.App.Running;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Sources;

namespace MassDpo.ChaosKit;

/// <summary>
/// Names of what happens in a run besides steps on its disk: what goes over the links that join its actors, told once the link has it. All else is named by the type of its message, as
/// <see cref="BatchClosed"/>.
/// </summary>
internal static class Events
{
    /// <summary>A selection was applied and is told to who listens.</summary>
    public const string SelectionTold = "SelectionTold";

    /// <summary>A selector has computed a block and is about to send it.</summary>
    public const string BlockComputed = "BlockComputed";

    /// <summary>The learner has published a policy.</summary>
    public const string Published = "Published";

    /// <summary>A learner has claimed an epoch.</summary>
    public const string Claimed = "Claimed";

    /// <summary>An intake has told that a pass over the files has ended.</summary>
    public const string PassEnded = "PassEnded";

    /// <summary>A policy that is newer has come to a process.</summary>
    public const string SnapshotCame = "SnapshotCame";

    /// <summary>A record was read from a file.</summary>
    public const string RecordRead = "RecordRead";

    /// <summary>A notice of the learner's has come to a process.</summary>
    public static string Heard(string notice) => "Heard" + notice;

    /// <summary>Puts links over these that tell what goes over them.</summary>
    public static PipelineLinks Telling(this PipelineLinks links, Action<string> happened) => new(new Control(links.Control, happened), links.Pools,
        new Selections(links.Selections, happened), new Snapshots(links.Snapshots, happened));

    /// <summary>Puts a source over this one that tells of each record.</summary>
    public static IRecordSource Telling(this IRecordSource source, Action<string> happened) => new Source(source, happened);

    private sealed class Control(IControlLink inner, Action<string> happened) : IControlLink, IDisposable
    {
        public async ValueTask<IControlAuthority> ClaimAsync(EpochClaim claim, Func<ControlMessage, CancellationToken, ValueTask> deliver, Action<string> fenced,
            CancellationToken cancellation)
        {
            var authority = await inner.ClaimAsync(claim, deliver, fenced, cancellation);
            happened(Claimed);
            return new Authority(authority, happened);
        }

        public IDisposable Join(string member, Action<ControlNotice> deliver) => inner.Join(member, notice =>
        {
            deliver(notice);
            happened(Heard(notice.GetType().Name));
        });

        public async ValueTask SendAsync(ControlMessage message, CancellationToken cancellation)
        {
            await inner.SendAsync(message, cancellation);
            happened(message is SlotRequest { PassEnds.Count: > 0 } ? PassEnded : message.GetType().Name);
        }

        public void Dispose() => (inner as IDisposable)?.Dispose();
    }

    private sealed class Authority(IControlAuthority inner, Action<string> happened) : IControlAuthority
    {
        public void Announce(ControlNotice notice)
        {
            inner.Announce(notice);
            happened(notice.GetType().Name);
        }

        public void Dispose() => inner.Dispose();
    }

    private sealed class Selections(ISelectionsLink inner, Action<string> happened) : ISelectionsLink, IDisposable
    {
        public ValueTask SendAsync(SelectionBlock block, CancellationToken cancellation)
        {
            happened(BlockComputed);
            return inner.SendAsync(block, cancellation);
        }

        public IDisposable Receive(Func<SelectionBlock, CancellationToken, ValueTask> deliver) => inner.Receive(deliver);

        public void Dispose() => (inner as IDisposable)?.Dispose();
    }

    private sealed class Snapshots(ISnapshotsLink inner, Action<string> happened) : ISnapshotsLink, IDisposable
    {
        public void Publish(PolicySnapshot snapshot)
        {
            inner.Publish(snapshot);
            happened(Published);
        }

        public ISnapshotSubscription Subscribe(Action signal) => inner.Subscribe(() =>
        {
            signal();
            happened(SnapshotCame);
        });

        public void Dispose() => (inner as IDisposable)?.Dispose();
    }

    private sealed class Source(IRecordSource inner, Action<string> happened) : IRecordSource
    {
        public string Name => inner.Name;

        public string Identity => inner.Identity;

        public bool IsShared => inner.IsShared;

        public long? EstimatedRecords => inner.EstimatedRecords;

        public async IAsyncEnumerable<SourceEntry> ReadAsync(SettledPositions settled, [EnumeratorCancellation] CancellationToken cancellation)
        {
            await foreach (var entry in inner.ReadAsync(settled, cancellation))
            {
                yield return entry;
                // What reads it has done its work with it.
                if (entry is SourceEntry.Bytes or SourceEntry.Made)
                    happened(RecordRead);
            }
        }

        public void Commit(SettledPositions settled) => inner.Commit(settled);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
