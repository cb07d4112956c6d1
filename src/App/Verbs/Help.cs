using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.CompilerServices;

namespace MassDpo.App.Verbs;

/// <summary>
/// What a verb's own help says beyond its one line: System.CommandLine would print a long description in the list of verbs too.
/// </summary>
internal static class Help
{
    private static readonly ConditionalWeakTable<Command, string> Details = [];

    /// <summary>Gives a verb text that stands at the end of its help.</summary>
    public static Command WithDetails(this Command command, string details)
    {
        Details.AddOrUpdate(command, details);
        return command;
    }

    /// <summary>Makes the help of a program print the details too.</summary>
    public static void Extend(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        option.Action = new WithDetailsAction((HelpAction)option.Action!);
    }

    private sealed class WithDetailsAction(HelpAction inner) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            // Whatever the file is called that the program was started from.
            var (output, text) = (parseResult.InvocationConfiguration.Output, new StringWriter());
            parseResult.InvocationConfiguration.Output = text;
            var result = inner.Invoke(parseResult);
            parseResult.InvocationConfiguration.Output = output;
            output.Write(text.ToString().Replace($"\n  {RootCommand.ExecutableName} ", "\n  massdpo ", StringComparison.Ordinal));
            if (Details.TryGetValue(parseResult.CommandResult.Command, out var details))
                parseResult.InvocationConfiguration.Output.WriteLine(details + Environment.NewLine);
            return result;
        }
    }
}
