namespace MassDpo.Shared.Contracts;

/// <summary>One turn of a chat.</summary>
/// <param name="Role">one of <see cref="ChatRoles"/></param>
/// <param name="Content">its text, as it came</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>Who speaks in a chat.</summary>
public static class ChatRoles
{
    public const string System = "system";
    public const string User = "user";
    public const string Assistant = "assistant";

    public static bool IsOne(string role) => role is System or User or Assistant;
}
