using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MassDpo.Shared.Actors;
using Microsoft.Extensions.Logging;

namespace MassDpo.App.Watching;

/// <summary>
/// Lets a process be watched: <c>/health/live</c>, <c>/health/ready</c> and <c>/metrics</c> over HTTP, and OTLP to a collector, each where it is set. It begins
/// before the host's actors do, so that it counts from the first record, and ends after them, so that their end can be seen.
/// </summary>
public sealed class ProcessWatch : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Watched _watched;
    private readonly byte[]? _token;
    private readonly PrometheusCollector? _metrics;
    private readonly HttpServer? _server;
    private readonly OtlpExport? _otlp;

    private ProcessWatch(WatchOptions options, Watched watched, IPEndPoint? place)
    {
        _watched = watched;
        _token = options.Token is { } token ? Digest(token) : null;
        if (place is not null)
        {
            _server = new HttpServer(place, Answer, TimeProvider.System);
            _metrics = new PrometheusCollector(watched.Meter);
        }
        if (options.Otlp is { } collector)
            _otlp = new OtlpExport(collector);
    }

    /// <summary>Where the endpoint listens; null: there is none.</summary>
    public Uri? Address => _server is { Place: var place } ? new Uri($"http://{place}") : null;

    /// <summary>Begins, and tells where it listens.</summary>
    /// <exception cref="IOException">it cannot listen where it is told to</exception>
    public static ValueTask<ProcessWatch> StartAsync(WatchOptions options, ActorHost host, ILogger logger) => StartAsync(options, new Watched(() => host.Health, host.Instruments.Meter), logger);

    /// <summary>The same, of a process that has several hosts, or a part in something larger.</summary>
    /// <exception cref="IOException">it cannot listen where it is told to</exception>
    public static async ValueTask<ProcessWatch> StartAsync(WatchOptions options, Watched watched, ILogger logger)
    {
        var place = options.Listen is { } listen ? await FindAsync(listen.Host, listen.Port) : null;
        ProcessWatch watch;
        try
        {
            watch = new ProcessWatch(options, watched, place);
        }
        catch (SocketException e)
        {
            throw Unusable($"{options.Listen?.Host}:{options.Listen?.Port}", e);
        }
        if (watch.Address is { } address)
            logger.LogInformation("health and metrics are at {Address}", address.GetLeftPart(UriPartial.Authority));
        return watch;
    }

    public async ValueTask DisposeAsync()
    {
        // The exporter first: it may take a while, in which one still sees how things stand.
        _otlp?.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        _metrics?.Dispose();
    }

    private static async ValueTask<IPEndPoint> FindAsync(string host, int port)
    {
        if (IPAddress.TryParse(host, out var address))
            return new IPEndPoint(address, port);
        if (host == "localhost")
            return new IPEndPoint(IPAddress.Loopback, port);
        try
        {
            return new IPEndPoint((await Dns.GetHostAddressesAsync(host))[0], port);
        }
        catch (SocketException e)
        {
            throw Unusable($"{host}:{port}", e);
        }
    }

    private static IOException Unusable(string place, SocketException e) =>
        new($"watch.listen = {place}: nothing can listen there ({e.Message}): give another host and port; port 0 is any that is free", e);

    private HttpAnswer Answer(HttpRequest request)
    {
        if (!IsAllowed(request.Authorization))
            return HttpAnswer.Refusal(401, "Authorization: Bearer with the token of watch.token is asked for here", "WWW-Authenticate: Bearer realm=\"massdpo\"");
        return request.Path switch
        {
            "/health/live" => Live(_watched.Health()),
            "/health/ready" => Ready(_watched.Health()),
            "/metrics" => new HttpAnswer(200, PrometheusText.ContentType, _metrics!.Collect()),
            _ => HttpAnswer.Refusal(404, "there are /health/live, /health/ready and /metrics"),
        };
    }

    // In a time that does not depend on the token.
    private bool IsAllowed(string? authorization) => _token is null
        || (authorization?.Split(' ', 2) is [var scheme, var token] && scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && CryptographicOperations.FixedTimeEquals(Digest(token.Trim()), _token));

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private HttpAnswer Live(HostHealth health) => health.Failure is { } failure ? Json(503, "failed", ("reason", failure.Message)) : Json(200, "live");

    private HttpAnswer Ready(HostHealth health) => health switch
    {
        { IsReady: true } => Json(200, "ready"),
        { Failure: { } failure } => Json(503, "failed", ("reason", failure.Message)),
        { HasBegun: false } => Json(503, "not ready", ("lacking", new { process = "it has not begun" })),
        _ => Json(503, "not ready", ("lacking", health.Lacking)),
    };

    private HttpAnswer Json(int code, string status, params (string Name, object Value)[] more)
    {
        var body = new Dictionary<string, object> { ["status"] = status };
        foreach (var (name, value) in more)
            body[name] = value;
        if (_watched.Cluster?.Invoke() is { } cluster)
            body["cluster"] = cluster;
        return new HttpAnswer(code, "application/json", JsonSerializer.Serialize(body, Plain) + "\n");
    }
}

/// <summary>What of a process is watched.</summary>
/// <param name="Health">how it stands</param>
/// <param name="Meter">what is measured of it</param>
public sealed record Watched(Func<HostHealth> Health, Meter Meter)
{
    /// <summary>The cluster as this process sees it; null: it is in none.</summary>
    public Func<JsonObject>? Cluster { get; init; }
}
