using System.CommandLine;

namespace MassDpo.App.Verbs;

/// <summary>Options that several verbs share.</summary>
internal static class DataOption
{
    public static Option<string[]> Data(bool required = true) => new("--data")
    {
        Description = "Files of records: JSON lines, plain or .gz.",
        HelpName = "FILE...",
        Required = required,
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<string> Policy(string description, bool required = true) => new("--policy") { Description = description, HelpName = "DIR", Required = required };

    public static Option<string> Output(string description, bool required = true) => new("--output") { Description = description, HelpName = "DIR", Required = required };

    public static Option<string?> Evaluation(string description) => new("--eval") { Description = description, HelpName = "FILE" };
}
