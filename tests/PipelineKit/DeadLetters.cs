using System.Text.Json.Nodes;
using MassDpo.Shared.Contracts;

namespace MassDpo.PipelineKit;

/// <summary>A line of <c>dead-letters.jsonl</c>.</summary>
public sealed record DeadLetters(Position Position, string Code, JsonObject Line)
{
    public static IReadOnlyList<DeadLetters> Read(string output) =>
    [
        .. LogText.Read(output, "dead-letters.jsonl").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject())
            .Select(json => new DeadLetters(Position.Parse((string)json["position"]!), (string)json["code"]!, json)),
    ];
}
