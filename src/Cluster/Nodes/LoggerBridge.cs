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

/// <summary>The logger of Akka's that hands on to this product's. It has no state but where to.</summary>
internal sealed class LoggerBridge : UntypedActor
{
    private readonly ILogger? _logger = Context.System.Settings.Setup.Get<LoggerSetup>() is { HasValue: true } setup ? setup.Value.Logger : null;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case InitializeLogger:
                Sender.Tell(new LoggerInitialized());
                break;
            case Akka.Event.LogEvent logged:
                _logger?.Log(logged is Error ? Microsoft.Extensions.Logging.LogLevel.Error : logged is Warning ? Microsoft.Extensions.Logging.LogLevel.Warning
                    : Microsoft.Extensions.Logging.LogLevel.Debug, logged.Cause, "akka: {Message}", logged.Cause is { } cause ? $"{logged.Message} ({cause.Message})" : logged.Message);
                break;
        }
    }
}
