using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.ChaosKit;

/// <summary>A process of a run over Kafka.</summary>
public enum Role
{
    Learner,
    Selector,
    Ingest,
    Broker,
}

/// <summary>What befalls one.</summary>
public enum Fault
{
    /// <summary>kill -9, and another one is started.</summary>
    Kill,

    /// <summary>The same, and once more as the other one takes its place.</summary>
    KillTwice,

    /// <summary>SIGSTOP, and SIGCONT after a while.</summary>
    Stop,

    /// <summary>SIGTERM, and another one is started.</summary>
    Restart,
}

/// <summary>A kind of moment that a process comes to again and again.</summary>
/// <param name="Role">whose</param>
/// <param name="Name">for the results</param>
/// <param name="What">see <see cref="Moment"/></param>
/// <param name="Of">see <see cref="Moment"/></param>
/// <param name="PerUpdate">how often it comes while a run goes on</param>
public sealed record RoleKind(Role Role, string Name, string What, string Of, double PerUpdate)
{
    private const string Aside = "*/checkpoints/v*.writing";

    /// <summary>Such that the moment comes within a few updates.</summary>
    public static IReadOnlyList<RoleKind> All { get; } =
    [
        new(Role.Learner, "update written", "append", "*/out/updates*", 1),
        new(Role.Learner, "in the middle of the events' append", "append", "*/out/selections*", 1),
        new(Role.Learner, "snapshot broadcast", "event", Events.Published, 1),
        new(Role.Learner, "slots granted", "event", nameof(SlotsGranted), 2),
        new(Role.Learner, "batch closed", "event", nameof(BatchClosed), 1),
        new(Role.Learner, "selection told", "event", Events.SelectionTold, 8),
        new(Role.Learner, "weights of a checkpoint being written", "write", Aside + "/model.safetensors", 1),
        new(Role.Learner, "before a checkpoint's rename", "rename", Aside, 0.3),
        new(Role.Learner, "after it, before its folder's fsync", "sync-folder", "*/out/checkpoints", 0.3),
        new(Role.Learner, "checkpoint announced", "event", nameof(CheckpointWritten), 0.3),
        new(Role.Selector, "block taken", "event", nameof(BlockHeld), 1),
        new(Role.Selector, "block computed, not sent", "event", Events.BlockComputed, 1),
        new(Role.Selector, "snapshot come", "event", Events.SnapshotCame, 1),
        new(Role.Selector, "slots heard of", "event", Events.Heard(nameof(SlotsGranted)), 2),
        new(Role.Selector, "records offered", "event", nameof(SlotRequest), 1),
        new(Role.Ingest, "record read", "event", Events.RecordRead, 8),
    ];

    /// <summary>A learner that claims, and a selector that joins or whose share changes: what a rebalance is made of. They come after another fault alone.</summary>
    public static IReadOnlyList<RoleKind> AsItBegins { get; } =
    [
        new(Role.Learner, "epoch claimed", "event", Events.Claimed, 0),
        new(Role.Learner, "epoch opened", "event", nameof(EpochOpened), 0),
        new(Role.Selector, "intake ready", "event", nameof(IntakeReady), 0),
        new(Role.Selector, "share changed (rebalance)", "event", nameof(IntakeChanged), 0),
        new(Role.Selector, "snapshot confirmed", "event", nameof(SnapshotConfirmed), 0),
        new(Role.Selector, "epoch heard of", "event", Events.Heard(nameof(EpochOpened)), 0),
    ];

    /// <summary>One of the times that it comes within so many updates.</summary>
    public Moment Draw(ref StableRandom random, double updates) => new(What, Of, 1 + random.Below(Math.Max(1, (int)(updates * PerUpdate))));
}
