using MassDpo.ChaosKit;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.Chaos.Bench;

/// <summary>A kind of moment that a run comes to again and again, or as it starts.</summary>
/// <param name="Name">for the results</param>
/// <param name="What">see <see cref="Moment"/></param>
/// <param name="Of">see <see cref="Moment"/></param>
/// <param name="PerUpdate">how often it comes while a run goes on; 0: only as it starts</param>
/// <param name="AtOnce">how often it comes in a row, at least</param>
internal sealed record Kind(string Name, string What, string Of, double PerUpdate = 0, int AtOnce = 1)
{
    private const string Aside = "*/checkpoints/v*.writing";

    /// <summary>Any time between two commits, and each step of a commit.</summary>
    public static IReadOnlyList<Kind> OnTheWay { get; } =
    [
        new("in the middle of an append to selections.jsonl", "append", "*/out/selections*", 31),
        new("in the middle of an append to updates.jsonl", "append", "*/out/updates*", 1),
        new("in the middle of an append to metrics.jsonl", "append", "*/out/metrics*", 1),
        new("in the middle of an append to dead-letters.jsonl", "append", "*/out/dead-letters*", 0.8),
        new("while a log is cut back", "truncate", "*/out/*", AtOnce: 3),
        new("while the epoch is claimed", "write", "*/out/epoch.writing"),
        new("after the epoch's claim, before its folder's fsync", "sync-folder", "*/out"),
        new("as the epoch opens", "event", nameof(EpochOpened)),
        new("as slots are granted", "event", nameof(SlotsGranted), 2),
        new("as a block is about to be sent", "event", Events.BlockComputed, 2),
        new("as a selection is told", "event", Events.SelectionTold, 31),
        new("as a policy is published", "event", Events.Published, 1),
        new("as a batch is closed", "event", nameof(BatchClosed), 1),
        new("between two fsyncs of logs", "sync", "*/out/updates*", 0.1),
        new("while the weights are written", "write", Aside + "/model.safetensors", 1),
        new("before the weights' fsync", "sync", Aside + "/model.safetensors", 0.1),
        new("between weights and optimiser", "create", Aside + "/optimizer.safetensors", 0.1),
        new("while the manifest is written", "write", Aside + "/manifest.json", 0.1),
        new("before the fsync of the checkpoint's folder", "sync-folder", Aside, 0.1),
        new("before the rename", "rename", Aside, 0.1),
        new("after the rename, before the folder's fsync", "sync-folder", "*/out/checkpoints", 0.1),
        new("while pruning, or clearing away what is unfinished", "delete", "*/checkpoints/v*", 0.1),
    ];

    /// <summary>The last steps of a run, one after the other.</summary>
    public static IReadOnlyList<Kind> AtTheEnd { get; } =
    [
        new("while the result policy is written", "write", "*/out/policy.writing/model.safetensors", AtOnce: 5),
        new("between the renames of the result policy", "rename", "*/out/policy.writing"),
        new("before the report's rename", "rename", "*/out/report.json.writing"),
    ];

    /// <summary>One of the times that it comes within so many updates.</summary>
    public Moment Draw(ref StableRandom random, double updates) => new(What, Of, 1 + random.Below(Math.Max(AtOnce, (int)(updates * PerUpdate))));
}
