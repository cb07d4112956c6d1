namespace MassDpo.PipelineKit.Schedules;

/// <summary>What has to hold of a run whatever befalls it.</summary>
public static class Invariants
{
    public const string GoesOn = "no fault that a run is made for ends it";
    public const string NoSlotStaysOpen = "no slot stays open for ever";
    public const string SlotsInOrder = "slots are granted in order, within what is open, and closed once computed";
    public const string Staleness = "no selection older than max-staleness versions is trained on";
    public const string TrueVersion = "a selection is what the policy that it names makes of the record";
    public const string SettledOnce = "every record is settled once";
    public const string StaysDead = "a record that was given up is not trained on from its slot";
    public const string RightDeaths = "a dead letter has the code of what happened";
    public const string LogsAgree = "update log, events, counts and policy agree";
    public const string SameBits = "in turns not a bit depends on what befell the run";
    public const string Replays = "a replay of the logs makes the same policy";
    public const string NothingLeft = "no tensor outlives the run";
}

/// <summary>An invariant does not hold.</summary>
/// <param name="invariant">one of <see cref="Invariants"/></param>
/// <param name="seed">of the schedule: the same one gives the same run</param>
/// <param name="found">what was found instead</param>
public sealed class ScheduleViolationException(string invariant, int seed, string found, Exception? inner = null)
    : Exception($"seed {seed}: it does not hold that {invariant}: {found}", inner)
{
    public string Invariant => invariant;

    public int Seed => seed;
}
