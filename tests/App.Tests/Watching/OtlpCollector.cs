using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace MassDpo.App.Tests.Watching;

/// <summary>A collector of OTLP over HTTP on loopback: keeps what it is sent, by path.</summary>
internal sealed class OtlpCollector : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Channel<(string Path, byte[] Body)> _requests = Channel.CreateUnbounded<(string, byte[])>();

    public OtlpCollector()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    /// <summary>All that came so far, in order.</summary>
    public List<(string Path, byte[] Body)> Take()
    {
        var taken = new List<(string, byte[])>();
        while (_requests.Reader.TryRead(out var request))
            taken.Add(request);
        return taken;
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        await using var stream = client.GetStream();
        try
        {
            while (await ReadLine(stream) is { } request)
            {
                var length = 0;
                var isProtobuf = false;
                while (await ReadLine(stream) is { Length: > 0 } header)
                {
                    if (header.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                        length = int.Parse(header.AsSpan(15), CultureInfo.InvariantCulture);
                    isProtobuf |= header.Equals("Content-Type: application/x-protobuf", StringComparison.OrdinalIgnoreCase);
                }
                var body = new byte[length];
                await stream.ReadExactlyAsync(body);
                if (isProtobuf && request.Split(' ') is ["POST", var path, "HTTP/1.1"])
                    _requests.Writer.TryWrite((path, body));
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            }
        }
        catch (IOException)
        {
            // The exporter has gone.
        }
    }

    private static async Task<string?> ReadLine(Stream stream)
    {
        var (line, one) = (new StringBuilder(), new byte[1]);
        while (await stream.ReadAsync(one) == 1)
        {
            line.Append((char)one[0]);
            if (line.Length > 1 && line[^2] == '\r' && line[^1] == '\n')
                return line.ToString(0, line.Length - 2);
        }
        return null;
    }
}
