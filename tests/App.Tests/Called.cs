using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using MassDpo.App.Verbs;

namespace MassDpo.App.Tests;

/// <summary>What a call of the program within this process came to.</summary>
/// <param name="ExitCode">what it would have ended with</param>
/// <param name="Out">its standard output</param>
/// <param name="Error">its standard error</param>
public sealed record Called(int ExitCode, string Out, string Error)
{
    private static readonly AsyncLocal<(TextWriter Out, TextWriter Error)?> Caller = new();

    /// <summary>The one line of its output as JSON.</summary>
    public JsonObject Json => JsonNode.Parse(Out)!.AsObject();

    /// <summary>Calls the program with these words.</summary>
    public static async Task<Called> With(params string[] words)
    {
        var (standard, error) = (new StringWriter(), new StringWriter());
        Caller.Value = (TextWriter.Synchronized(standard), TextWriter.Synchronized(error));
        // What is printed now and then would depend on how busy the machine is.
        var code = await CommandLine.RunAsync(words is ["run" or "demo", ..] ? [words[0], "--set", "runtime.progress=1h", .. words[1..]] : words);
        return new Called(code, standard.ToString(), error.ToString());
    }

    /// <summary>The same, and it must have worked.</summary>
    public static async Task<Called> Well(params string[] words)
    {
        var called = await With(words);
        Assert.True(called.ExitCode == 0, $"{string.Join(' ', words)}: {called.ExitCode}\n{called.Error}");
        return called;
    }

    /// <summary>The same, and it must have failed with this code and these words on standard error, and with nothing on standard output.</summary>
    public static async Task<Called> Refused(int code, string[] words, params string[] message)
    {
        var called = await With(words);
        Assert.True(called.ExitCode == code, $"{string.Join(' ', words)}: {called.ExitCode}\n{called.Out}\n{called.Error}");
        Assert.All(message, part => Assert.Contains(part, called.Error));
        Assert.StartsWith("error: ", called.Error);
        Assert.Empty(called.Out);
        return called;
    }

    // The console belongs to the process and tests run beside each other: each call gets what is written in its own flow.
    [ModuleInitializer]
    internal static void Route()
    {
        Console.SetOut(new Routed(Console.Out, caller => caller.Out));
        Console.SetError(new Routed(Console.Error, caller => caller.Error));
    }

    private sealed class Routed(TextWriter otherwise, Func<(TextWriter Out, TextWriter Error), TextWriter> choose) : TextWriter
    {
        public override Encoding Encoding => otherwise.Encoding;

        private TextWriter Target => Caller.Value is { } caller ? choose(caller) : otherwise;

        public override void Write(char value) => Target.Write(value);

        public override void Write(string? value) => Target.Write(value);

        public override void Write(char[] buffer, int index, int count) => Target.Write(buffer, index, count);

        public override void WriteLine(string? value) => Target.WriteLine(value);

        public override void Flush() => Target.Flush();
    }
}
