using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
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

    private readonly ActorHost _host;
    private readonly byte[]? _token;
    private readonly PrometheusCollector? _metrics;
    private readonly HttpServer? _server;
    private readonly OtlpExport? _otlp;

    private ProcessWatch(WatchOptions options, ActorHost host, IPEndPoint? place)
    {
        _host = host;
        _token = options.Token is { } token ? Digest(token) : null;
        if (place is not null)
        {
            _server = new HttpServer(place, Answer, TimeProvider.System);
            _metrics = new PrometheusCollector(host.Instruments.Meter);
        }
        if (options.Otlp is { } collector)
            _otlp = new OtlpExport(collector);
    }

    /// <summary>Where the endpoint listens; null: there is none.</summary>
    public Uri? Address => _server is { Place: var place } ? new Uri($"http://{place}") : null;

    /// <summary>Begins, and tells where it listens.</summary>
    /// <exception cref="IOException">it cannot listen where it is told to</exception>
    public static async ValueTask<ProcessWatch> StartAsync(WatchOptions options, ActorHost host, ILogger logger)
    {
        var place = options.Listen is { } listen ? await FindAsync(listen.Host, listen.Port) : null;
        ProcessWatch watch;
        try
        {
            watch = new ProcessWatch(options, host, place);
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
            "/health/live" => Live(_host.Health),
            "/health/ready" => Ready(_host.Health),
            "/metrics" => new HttpAnswer(200, PrometheusText.ContentType, _metrics!.Collect()),
            _ => HttpAnswer.Refusal(404, "there are /health/live, /health/ready and /metrics"),
        };
    }

    // In a time that does not depend on the token.
    private bool IsAllowed(string? authorization) => _token is null
        || (authorization?.Split(' ', 2) is [var scheme, var token] && scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && CryptographicOperations.FixedTimeEquals(Digest(token.Trim()), _token));

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    private static HttpAnswer Live(HostHealth health) => health.Failure is { } failure
        ? Json(503, new { status = "failed", reason = failure.Message })
        : Json(200, new { status = "live" });

    private static HttpAnswer Ready(HostHealth health) => health switch
    {
        { IsReady: true } => Json(200, new { status = "ready" }),
        { Failure: { } failure } => Json(503, new { status = "failed", reason = failure.Message }),
        { HasBegun: false } => Json(503, new { status = "not ready", lacking = new { process = "it has not begun" } }),
        _ => Json(503, new { status = "not ready", lacking = health.Lacking }),
    };

    private static HttpAnswer Json(int status, object body) => new(status, "application/json", JsonSerializer.Serialize(body, Plain) + "\n");
}
