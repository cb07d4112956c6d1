using System.CommandLine;

namespace MassDpo.App.Verbs;

/// <summary>Options that several verbs share.</summary>
internal static class DataOption
{
    public static Option<string[]> Data() => new("--data")
    {
        Description = "Files of records: JSON lines, plain or .gz.",
        HelpName = "FILE...",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<string> Policy(string description) => new("--policy") { Description = description, HelpName = "DIR", Required = true };

    public static Option<string> Output(string description) => new("--output") { Description = description, HelpName = "DIR", Required = true };

    public static Option<string?> Evaluation(string description) => new("--eval") { Description = description, HelpName = "FILE" };
}
