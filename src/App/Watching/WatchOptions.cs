using System.Globalization;
using System.Net;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Watching;

/// <summary>How a process lets itself be watched. What is secret among it is never printed.</summary>
public sealed class WatchOptions
{
    private WatchOptions()
    {
    }

    /// <summary>Host name or address, and port, that the endpoint listens at; port 0: any that is free. Null: there is no endpoint.</summary>
    public (string Host, int Port)? Listen { get; private init; }

    /// <summary>What <c>Authorization: Bearer</c> must bring; null: nothing is asked for.</summary>
    public string? Token { get; private init; }

    /// <summary>Where a collector takes OTLP over HTTP; null: nothing is exported.</summary>
    public Uri? Otlp { get; private init; }

    /// <exception cref="Shared.Settings.Hocon.HoconException">a value is malformed, or a token is missing</exception>
    public static WatchOptions From(EffectiveSettings settings)
    {
        var listen = Place(settings, settings.Text("watch.listen"));
        var token = settings.Text("watch.token");
        // What a header can carry (RFC 6750, b64token); the message must not have it.
        if (!token.All(c => char.IsAsciiLetterOrDigit(c) || "-._~+/=".Contains(c)))
            throw settings.Outside("watch.token", "characters that a header cannot carry", "use letters, digits and -._~+/= alone");
        if (listen is { } place && token.Length == 0 && !IsLoopback(place.Host))
            throw settings.Outside("watch.listen", $"{settings.Text("watch.listen")}, which others can reach,",
                "set watch.token (MASSDPO__WATCH__TOKEN in the environment), or listen at 127.0.0.1");
        return new WatchOptions { Listen = listen, Token = token.Length > 0 ? token : null, Otlp = Collector(settings, settings.Text("watch.otlp")) };
    }

    private static (string Host, int Port)? Place(EffectiveSettings settings, string text)
    {
        if (text.Length == 0)
            return null;
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon];
        if (host is ['[', .. var inside, ']'] && IPAddress.TryParse(inside, out _))
            host = inside;
        else if (host.Contains(':'))
            host = "";
        return Uri.CheckHostName(host) != UriHostNameType.Unknown && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= IPEndPoint.MaxPort
            ? (host, port)
            : throw settings.Outside("watch.listen", $"'{text}'", "write host:port, as in 127.0.0.1:9464, 0.0.0.0:9464 or [::1]:9464; port 0 is any that is free");
    }

    // A name is only known to be this machine's own where it says so itself.
    private static bool IsLoopback(string host) => host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    private static Uri? Collector(EffectiveSettings settings, string text)
    {
        if (text.Length == 0)
            return null;
        // A password in it would be printed by whoever prints the address.
        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0 && uri.Query.Length == 0 && uri.Fragment.Length == 0
            ? uri
            : throw settings.Outside("watch.otlp", "no address of a collector", "write one as http://127.0.0.1:4318, without a name, password or query; headers go into OTEL_EXPORTER_OTLP_HEADERS");
    }
}
