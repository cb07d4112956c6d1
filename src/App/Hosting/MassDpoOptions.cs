using MassDpo.Shared.Contracts;

namespace MassDpo.App.Hosting;

/// <summary>What a program tells of the run that it embeds.</summary>
public sealed class MassDpoOptions
{
    /// <summary>Directory of the policy to start from, which is the reference too. Required.</summary>
    public string Policy { get; set; } = "";

    /// <summary>Directory that the run writes, or goes on in. Required.</summary>
    public string Output { get; set; } = "";

    /// <summary>
    /// The records. Required. After a restart it is asked again from the beginning and must give the same records; what is settled is passed over.
    /// </summary>
    public Func<CancellationToken, IAsyncEnumerable<PreferenceRecord>>? Source { get; set; }

    /// <summary>A HOCON file of settings; null: none.</summary>
    public string? Configuration { get; set; }

    /// <summary>Single settings, over those of the file; <c>hocon/reference.conf</c> documents them all.</summary>
    public IDictionary<string, string> Settings { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// A file of records to measure the policy on, before and after, and every <c>metrics.evaluate-every</c> records; null: none. It never chooses what is kept.
    /// </summary>
    public string? Evaluation { get; set; }

    /// <summary>Whether a resume with other settings is let through.</summary>
    public bool ContinueWithChanges { get; set; }
}
