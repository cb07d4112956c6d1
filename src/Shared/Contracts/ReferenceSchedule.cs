namespace MassDpo.Shared.Contracts;

/// <summary>When the reference policy follows the policy: what it is, is a function of the version alone.</summary>
/// <param name="Every">versions between refreshes; 0: it stays what the run found</param>
public readonly record struct ReferenceSchedule(long Every)
{
    /// <summary>Whether the batch that makes this version brings a new reference.</summary>
    public bool IsDue(long version) => Every > 0 && version > 0 && version % Every == 0;

    /// <summary>The version that brought the reference with which a batch is selected and trained: a selector needs at least that one.</summary>
    public long VersionFor(long batch) => Every > 0 ? batch / Every * Every : 0;
}
