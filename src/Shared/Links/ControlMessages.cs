using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Shared.Links;

/// <summary>From an intake or a selector to the learner.</summary>
public abstract record ControlMessage;

/// <summary>
/// An intake is there and holds nothing. From an incarnation after the first it asks for a new epoch, since what it held is lost; so does one that shares
/// its input, since what it knows as settled is what was so when the epoch began.
/// </summary>
public sealed record IntakeReady(string Intake, int Incarnation, bool Shared = false) : ControlMessage;

/// <summary>
/// An intake has been given other parts of the input, or is about to give some away: it asks for a new epoch, once what is granted whole is trained on.
/// </summary>
public sealed record IntakeChanged(string Intake, long Epoch) : ControlMessage;

/// <summary>There is nothing to read at these positions, which settles them.</summary>
public sealed record PositionsSkipped(string Intake, long Epoch, Position From, long To, SkipReason Reason) : ControlMessage;

/// <summary>
/// An intake asks for slots for the records that it has in hand. All numbers count from the beginning of the epoch, so that a message that is
/// lost, doubled or late does no harm.
/// </summary>
/// <param name="Intake">who asks</param>
/// <param name="Epoch">of the numbers</param>
/// <param name="Offered">records validated so far in this epoch</param>
/// <param name="PassEnds">passes that the intake has read to the end</param>
/// <param name="Ended">nothing will follow</param>
/// <param name="Share">the parts of the input that it reads in this epoch</param>
public sealed record SlotRequest(string Intake, long Epoch, long Offered, IReadOnlyList<PassEnd> PassEnds, bool Ended, InputShare Share) : ControlMessage;

/// <summary>How many positions a pass over a source has.</summary>
public readonly record struct PassEnd(string Source, int Pass, long Length);

/// <summary>A position goes to dead letters and is thereby settled: at once, or with the batch of the slot that it died in.</summary>
public sealed record PositionDead(string Intake, long Epoch, DeadLetter Letter, long? Slot = null) : ControlMessage;

/// <summary>A selector is there and holds nothing: what an incarnation before it held is lost.</summary>
public sealed record SelectorReady(string Selector, int Incarnation) : ControlMessage;

/// <summary>A selector has loaded a snapshot and found this hash.</summary>
public sealed record SnapshotConfirmed(string Selector, long Epoch, long Version, string Hash) : ControlMessage;

/// <summary>A selector has a block and keeps its lease alive.</summary>
public sealed record BlockHeld(string Selector, SlotBlock Block) : ControlMessage;

/// <summary>A selector did not compute a block, because of these records; or of none: it gives the block back.</summary>
public sealed record BlockFailed(string Selector, SlotBlock Block, IReadOnlyList<SlotFailure> Failures) : ControlMessage;

/// <summary>A record on which a selector failed, and why.</summary>
public sealed record SlotFailure(long Slot, string Reason);

/// <summary>From the learner to all.</summary>
public abstract record ControlNotice(long Epoch)
{
    /// <summary>The member that it is for; null: all are to hear it.</summary>
    public virtual string? Addressee => null;
}

/// <summary>An epoch begins: drop what you hold of an older one and read again from what is not settled.</summary>
public sealed record EpochOpened(long Epoch, long Version, SettledPositions Settled) : ControlNotice(Epoch)
{
    /// <summary>All that results of the run depend on, by name: who is set otherwise must not take part. Empty where it is one process.</summary>
    public IReadOnlyDictionary<string, string> Identity { get; init; } = new Dictionary<string, string>();
}

/// <summary>Slots for the next <c>Block.Count</c> records that an intake has in hand.</summary>
public sealed record SlotsGranted(long Epoch, string Intake, SlotBlock Block) : ControlNotice(Epoch)
{
    /// <inheritdoc/>
    public override string? Addressee => Intake;
}

/// <summary>A block is handed out again, with a higher attempt, without the records that died.</summary>
public sealed record BlockReissued(long Epoch, string Intake, SlotBlock Block, IReadOnlyList<SlotDeath> Deaths) : ControlNotice(Epoch)
{
    /// <inheritdoc/>
    public override string? Addressee => Intake;
}

/// <summary>A record that has used up its attempts.</summary>
public sealed record SlotDeath(long Slot, string Code, string Reason);

/// <summary>All batches below this version are closed: what belongs to them need not be held any longer.</summary>
public sealed record BatchClosed(long Epoch, long Version) : ControlNotice(Epoch);

/// <summary>A checkpoint holds what is settled: it will not be asked for again.</summary>
public sealed record CheckpointWritten(long Epoch, long Version, SettledPositions Settled) : ControlNotice(Epoch);

/// <summary>The learner has stopped: nothing will be granted or taken any more.</summary>
/// <param name="Epoch">that is over</param>
/// <param name="Reason">a sentence</param>
/// <param name="InputEnded">whether it had all that there is; else another learner may come</param>
public sealed record LearnerStopped(long Epoch, string Reason, bool InputEnded) : ControlNotice(Epoch);
