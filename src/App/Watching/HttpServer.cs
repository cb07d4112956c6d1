using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MassDpo.App.Watching;

/// <summary>What is answered: a status of HTTP and a text.</summary>
internal sealed record HttpAnswer(int Status, string ContentType, string Body)
{
    /// <summary>A header that goes with it, as <c>Name: value</c>; null: none.</summary>
    public string? Header { get; init; }

    /// <summary>One line that says what is wrong.</summary>
    public static HttpAnswer Refusal(int status, string why, string? header = null) => new(status, "text/plain; charset=utf-8", why + "\n") { Header = header };
}

/// <summary>
/// Answers GET and HEAD over HTTP/1.1, one request per connection. It is made to stand among strangers: a request's head has at most 8 KiB and 5 seconds, at most
/// 64 connections are open (one more closes the oldest), a body is never read, and no request can end it. It knows no TLS: what needs it stands behind a proxy.
/// </summary>
internal sealed class HttpServer : IAsyncDisposable
{
    private const int MaxConnections = 64;
    private const int MaxHead = 8 * 1024;
    private const int MaxDrained = 64 * 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Func<HttpRequest, HttpAnswer> _answer;
    private readonly TimeProvider _clock;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    // The oldest first.
    private readonly LinkedList<(Socket Socket, Task Task)> _connections = [];
    private readonly Task _accepting;

    /// <summary>Listens from now on.</summary>
    /// <param name="place">port 0: any that is free</param>
    /// <param name="answer">gives the answer to a request that is well formed; what it throws is a 500</param>
    /// <param name="clock">of its patience</param>
    /// <exception cref="SocketException">it cannot listen there</exception>
    public HttpServer(IPEndPoint place, Func<HttpRequest, HttpAnswer> answer, TimeProvider clock)
    {
        (_answer, _clock) = (answer, clock);
        _listener = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (place.Address.Equals(IPAddress.IPv6Any))
                _listener.DualMode = true;
            _listener.Bind(place);
            _listener.Listen();
        }
        catch (SocketException)
        {
            _listener.Dispose();
            throw;
        }
        Place = (IPEndPoint)_listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Place { get; }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        Task[] open;
        lock (_lock)
            open = [.. _connections.Select(connection => connection.Task)];
        await Task.WhenAll(open);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        // Whoever makes it does not wait for the first connection.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                Begin(await _listener.AcceptAsync(_stopping.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The caller went away before it was let in, or there are no more handles: others may do better, in a while.
                await Task.Delay(TimeSpan.FromMilliseconds(100), _clock, CancellationToken.None);
            }
        }
    }

    private void Begin(Socket socket)
    {
        lock (_lock)
        {
            if (_connections.Count >= MaxConnections)
            {
                _connections.First!.Value.Socket.Dispose();
                _connections.RemoveFirst();
            }
            var node = _connections.AddLast((socket, Task.CompletedTask));
            node.Value = (socket, Task.Run(() => ServeAsync(node)));
        }
    }

    private async Task ServeAsync(LinkedListNode<(Socket Socket, Task Task)> node)
    {
        Socket socket;
        lock (_lock)
            socket = node.Value.Socket;
        try
        {
            using var patience = new CancellationTokenSource(Patience, _clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
            var request = await ReadAsync(socket, either.Token);
            if (request is not null)
                await WriteAsync(socket, request, either.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // It was too slow, went away, or had to make room for another.
        }
        finally
        {
            socket.Dispose();
            lock (_lock)
                if (node.List is not null)
                    _connections.Remove(node);
        }
    }

    // Null: the caller went away before its request was whole.
    private static async Task<HttpRequest?> ReadAsync(Socket socket, CancellationToken cancellation)
    {
        var (bytes, count) = (new byte[MaxHead], 0);
        while (count < bytes.Length)
        {
            var read = await socket.ReceiveAsync(bytes.AsMemory(count), SocketFlags.None, cancellation);
            if (read == 0)
                return null;
            count += read;
            if (bytes.AsSpan(0, count).IndexOf("\r\n\r\n"u8) is var end and >= 0)
                return HttpRequest.Parse(Encoding.Latin1.GetString(bytes, 0, end));
        }
        return new HttpRequest("GET", "", null, HttpAnswer.Refusal(431, $"the head of a request may have {MaxHead} bytes"));
    }

    private async Task WriteAsync(Socket socket, HttpRequest request, CancellationToken cancellation)
    {
        var answer = request.Refusal ?? Answer(request);
        var body = Encoding.UTF8.GetBytes(answer.Body);
        var head = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {answer.Status} {Phrase(answer.Status)}\r\nDate: {_clock.GetUtcNow():R}\r\nContent-Type: {answer.ContentType}\r\n"
            + $"Content-Length: {body.Length}\r\nCache-Control: no-store\r\n{(answer.Header is { } header ? header + "\r\n" : "")}Connection: close\r\n\r\n");
        await SendAsync(socket, Encoding.ASCII.GetBytes(head), cancellation);
        if (request.Method != "HEAD")
            await SendAsync(socket, body, cancellation);
        socket.Shutdown(SocketShutdown.Send);
        // What is left unread would make the system reset the connection, and the answer be lost on its way.
        var (rest, drained) = (new byte[4096], 0);
        while (drained < MaxDrained && await socket.ReceiveAsync(rest, SocketFlags.None, cancellation) is var read and > 0)
            drained += read;
    }

    private HttpAnswer Answer(HttpRequest request)
    {
        try
        {
            return _answer(request);
        }
        catch (Exception)
        {
            return HttpAnswer.Refusal(500, "the answer could not be made");
        }
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellation)..];
    }

    private static string Phrase(int status) => status switch
    {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    };
}
