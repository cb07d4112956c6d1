using Microsoft.Extensions.Logging;

namespace MassDpo.App.Terminal;

/// <summary>Prints what there is to know, warnings and errors as one line each to standard error.</summary>
internal sealed class ErrorLineLogger : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            Output.ErrorLine($"{(logLevel switch { LogLevel.Information => "", LogLevel.Warning => "warning: ", _ => "error: " })}{formatter(state, exception)}");
    }

    public void Dispose()
    {
    }
}
