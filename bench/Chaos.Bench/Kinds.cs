using MassDpo.ChaosKit;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;

namespace MassDpo.Chaos.Bench;

/// <summary>A kind of moment that a run comes to again and again, within the next few commits of wherever it is.</summary>
/// <param name="Name">for the results</param>
/// <param name="What">see <see cref="Moment"/></param>
/// <param name="Of">see <see cref="Moment"/></param>
/// <param name="Most">the latest of its times that is drawn</param>
internal sealed record Kind(string Name, string What, string Of, int Most)
{
    private const string Aside = "*/checkpoints/v*.writing";

    /// <summary>Any time between two commits, and each step of a commit.</summary>
    public static IReadOnlyList<Kind> OnTheWay { get; } =
    [
        new("in the middle of an append to selections.jsonl", "append", "*/out/selections*", 600),
        new("in the middle of an append to updates.jsonl", "append", "*/out/updates*", 20),
        new("in the middle of an append to metrics.jsonl", "append", "*/out/metrics*", 20),
        new("in the middle of an append to dead-letters.jsonl", "append", "*/out/dead-letters*", 15),
        new("while a log is cut back", "truncate", "*/out/*", 3),
        new("while the epoch is claimed", "write", "*/out/epoch.writing", 1),
        new("after the epoch's claim, before its folder's fsync", "sync-folder", "*/out", 1),
        new("as the epoch opens", "event", nameof(EpochOpened), 1),
        new("as slots are granted", "event", nameof(SlotsGranted), 40),
        new("as a block is about to be sent", "event", Events.BlockComputed, 40),
        new("as a selection is told", "event", Events.SelectionTold, 600),
        new("as a policy is published", "event", Events.Published, 20),
        new("as a batch is closed", "event", nameof(BatchClosed), 20),
        new("between two fsyncs of logs", "sync", "*/out/updates*", 2),
        new("while the weights are written", "write", Aside + "/model.safetensors", 20),
        new("before the weights' fsync", "sync", Aside + "/model.safetensors", 2),
        new("between weights and optimiser", "create", Aside + "/optimizer.safetensors", 2),
        new("while the manifest is written", "write", Aside + "/manifest.json", 2),
        new("before the fsync of the checkpoint's folder", "sync-folder", Aside, 2),
        new("before the rename", "rename", Aside, 2),
        new("after the rename, before the folder's fsync", "sync-folder", "*/out/checkpoints", 2),
        new("while pruning, or clearing away what is unfinished", "delete", "*/checkpoints/v*", 2),
    ];

    /// <summary>The last steps of a run, one after the other.</summary>
    public static IReadOnlyList<Kind> AtTheEnd { get; } =
    [
        new("while the result policy is written", "write", "*/out/policy.writing/model.safetensors", 5),
        new("between the renames of the result policy", "rename", "*/out/policy.writing", 1),
        new("before the report's rename", "rename", "*/out/report.json.writing", 1),
    ];

    public Moment Draw(ref StableRandom random) => new(What, Of, 1 + random.Below(Most));
}
