using System.Text.Json.Nodes;
using MassDpo.Shared.Contracts;

namespace MassDpo.Learner.Metrics;

/// <summary>One line of <c>evaluations.jsonl</c>: how a version of the policy did on records that it is not trained on.</summary>
/// <param name="Version">of the policy</param>
/// <param name="Records">applied so far</param>
/// <param name="PolicyHash">of its weights</param>
/// <param name="Result">the fields of <c>massdpo eval --json</c></param>
public sealed record EvaluationEntry(long Version, long Records, string PolicyHash, JsonObject Result)
{
    public ReadOnlySpan<byte> ToLine()
    {
        var line = LogLine.Begin();
        var json = line.Json;
        json.WriteNumber("version"u8, Version);
        json.WriteNumber("applied"u8, Records);
        json.WriteString("policy_hash"u8, PolicyHash);
        foreach (var (name, value) in Result)
            line.Node(name, value);
        return line.End();
    }
}
