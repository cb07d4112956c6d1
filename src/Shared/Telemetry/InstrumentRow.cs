namespace MassDpo.Shared.Telemetry;

/// <summary>What an instrument measures.</summary>
public enum InstrumentKind
{
    /// <summary>A sum that only grows.</summary>
    Counter,
    /// <summary>A value as it is now.</summary>
    Gauge,
    /// <summary>How values are distributed.</summary>
    Histogram,
}

/// <summary>One instrument of the product.</summary>
/// <param name="Name">in OpenTelemetry's style</param>
/// <param name="Kind">what it measures</param>
/// <param name="Unit">in UCUM; in braces where it only says what is counted; empty: none</param>
/// <param name="Attribute">the one attribute that its measurements have; null: none</param>
/// <param name="Description">one sentence</param>
/// <param name="Buckets">of a histogram: upper bounds, each included; null for others</param>
public sealed record InstrumentRow(string Name, InstrumentKind Kind, string Unit, string? Attribute, string Description, double[]? Buckets = null);
