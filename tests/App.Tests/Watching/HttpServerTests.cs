using System.Net;
using System.Net.Sockets;
using System.Text;
using MassDpo.App.Watching;
using MassDpo.TestKit.Simulation;

namespace MassDpo.App.Tests.Watching;

public sealed class HttpServerTests : IAsyncDisposable
{
    private readonly FakeClock _clock = new();
    private readonly HttpServer _server;

    public HttpServerTests() => _server = new HttpServer(new IPEndPoint(IPAddress.Loopback, 0), request => request.Path switch
    {
        "/fails" => throw new InvalidOperationException("secret"),
        _ => new HttpAnswer(200, "text/plain", $"{request.Path} größer, {request.Authorization}"),
    }, _clock);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_client_of_HTTP_gets_its_answers()
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{_server.Place}/a/b?c=d");
        request.Headers.Add("Authorization", "Bearer x");
        using var answer = await client.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, "/a/b größer, Bearer x", "no-store", true),
            (answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.CacheControl?.ToString(), answer.Headers.ConnectionClose));
        Assert.Equal(_clock.GetUtcNow(), answer.Headers.Date);
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"http://{_server.Place}/a"));
        Assert.Equal((Encoding.UTF8.GetByteCount("/a größer, "), ""), ((int?)head.Content.Headers.ContentLength, await head.Content.ReadAsStringAsync()));
        using var failed = await client.GetAsync($"http://{_server.Place}/fails");
        Assert.Equal((HttpStatusCode.InternalServerError, "the answer could not be made\n"), (failed.StatusCode, await failed.Content.ReadAsStringAsync()));
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n\r\n", 200)]
    [InlineData("GET http://somewhere/metrics HTTP/1.1\r\nhost: x\r\n\r\n", 200)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200)]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\nSneaked: y\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400)]
    [InlineData("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET metrics HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /\r\n\r\n", 400)]
    [InlineData("\r\n\r\n", 400)]
    [InlineData("\u0016\u0003\u0001\u0002\0\u0001\r\n\r\n", 400)]
    [InlineData("POST / HTTP/1.1\r\nHost: x\r\n\r\n", 405)]
    [InlineData("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505)]
    public async Task A_request_that_is_not_good_is_answered_with_what_is_wrong(string request, int status) => Assert.Equal(status, await StatusOf(Encoding.Latin1.GetBytes(request)));

    [Fact]
    public async Task A_head_that_does_not_end_is_refused_though_more_of_it_is_on_its_way() =>
        Assert.Equal(431, await StatusOf(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: x\r\nLong: " + new string('x', 40_000))));

    [Fact]
    public async Task A_head_may_come_in_pieces()
    {
        using var socket = await Connect();
        foreach (var part in new[] { "GET / HT", "TP/1.1\r\nHos", "t: x\r\n\r", "\n" })
            await socket.SendAsync(Encoding.ASCII.GetBytes(part));
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", await ReadToEnd(socket));
    }

    [Fact]
    public async Task Who_takes_too_long_is_cut_off()
    {
        using var socket = await Connect();
        await socket.SendAsync("GET / HTTP/1.1\r\n"u8.ToArray());
        // Another's answer tells that the first was let in.
        Assert.Equal(200, await StatusOf("GET / HTTP/1.0\r\n\r\n"u8.ToArray()));
        // Its patience may begin only now: the clock goes on until it is over.
        var end = ReadToEnd(socket);
        while (!end.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromSeconds(5));
            await Task.Yield();
        }
        Assert.Equal("", await end);
    }

    [Fact]
    public async Task Those_who_hold_connections_open_keep_nobody_out()
    {
        var holders = new List<Socket>();
        try
        {
            for (var i = 0; i < 200; i++)
                holders.Add(await Connect());
            for (var i = 0; i < 3; i++)
                Assert.Equal(200, await StatusOf("GET / HTTP/1.0\r\n\r\n"u8.ToArray()));
            // The oldest made room.
            Assert.Equal("", await ReadToEnd(holders[0]));
        }
        finally
        {
            holders.ForEach(holder => holder.Dispose());
        }
    }

    [Fact]
    public async Task Its_end_ends_what_is_open()
    {
        using var socket = await Connect();
        Assert.Equal(200, await StatusOf("GET / HTTP/1.0\r\n\r\n"u8.ToArray()));
        await _server.DisposeAsync();
        Assert.Equal("", await ReadToEnd(socket));
        using var late = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(_server.Place));
    }

    private async Task<int> StatusOf(byte[] request)
    {
        using var socket = await Connect();
        await socket.SendAsync(request);
        var answer = await ReadToEnd(socket);
        Assert.StartsWith("HTTP/1.1 ", answer);
        return int.Parse(answer.AsSpan(9, 3));
    }

    private async Task<Socket> Connect()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_server.Place);
        return socket;
    }

    // A connection that is reset ends, too.
    private static async Task<string> ReadToEnd(Socket socket)
    {
        var (text, buffer) = (new StringBuilder(), new byte[4096]);
        try
        {
            while (await socket.ReceiveAsync(buffer) is var read and > 0)
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
        catch (SocketException)
        {
        }
        return text.ToString();
    }
}
