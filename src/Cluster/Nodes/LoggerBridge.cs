using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Event;
using Microsoft.Extensions.Logging;

namespace MassDpo.Cluster.Nodes;

/// <summary>What an actor system's warnings and errors are told to.</summary>
internal sealed class LoggerSetup(ILogger logger) : Setup
{
    public ILogger Logger => logger;
}

/// <summary>The logger of Akka's that hands on to this product's. What it says again and again, as of a node that cannot be reached, it hands on once.</summary>
internal sealed class LoggerBridge : UntypedActor
{
    private readonly ILogger? _logger = Context.System.Settings.Setup.Get<LoggerSetup>() is { HasValue: true } setup ? setup.Value.Logger : null;

    private const int Remembered = 256;

    private readonly HashSet<string> _said = new(StringComparer.Ordinal);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case InitializeLogger:
                Sender.Tell(new LoggerInitialized());
                break;
            case Akka.Event.LogEvent logged:
                HandOn(logged);
                break;
        }
    }

    private void HandOn(Akka.Event.LogEvent logged)
    {
        var text = logged.Message.ToString() ?? "";
        if (logged.Cause is { } cause)
            text += $" ({cause.Message})";
        // Stack traces stand in some of its messages.
        text = text.Split('\n')[0].TrimEnd();
        if (_said.Count == Remembered)
            _said.Clear();
        if (_said.Add(text))
            _logger?.Log(logged is Error ? Microsoft.Extensions.Logging.LogLevel.Error : logged is Warning ? Microsoft.Extensions.Logging.LogLevel.Warning : Microsoft.Extensions.Logging.LogLevel.Debug, logged.Cause, "akka: {Message}", text);
    }
}
