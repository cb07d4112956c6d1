using System.Net;
using System.Net.Sockets;

namespace MassDpo.Kafka.Development;

/// <summary>
/// An address on loopback at which <see cref="MockBroker"/> can be found, whose own ports the system chooses. Clients ask here who the brokers are, and then
/// go to them: what comes is handed through to the first of them.
/// </summary>
public sealed class FixedAddress : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly IPEndPoint _broker;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;

    /// <param name="port">to be found at; 0: one that is free</param>
    /// <param name="bootstrap">the brokers, <c>host:port</c> with commas between</param>
    /// <exception cref="IOException">the port cannot be had</exception>
    public FixedAddress(int port, string bootstrap)
    {
        _broker = IPEndPoint.Parse(bootstrap.Split(',')[0]);
        _listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            _listener.Start();
        }
        catch (SocketException e)
        {
            throw new IOException($"port {port} of 127.0.0.1 cannot be had ({e.Message}): choose another one", e);
        }
        _accepting = AcceptAsync();
    }

    /// <summary>The address, <c>host:port</c>.</summary>
    public string Bootstrap => _listener.LocalEndpoint.ToString()!;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                open.Add(HandThroughAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
                open.RemoveAll(task => task.IsCompleted);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // Stopped, or a client that was gone before it was accepted.
            }
        }
        await Task.WhenAll(open);
    }

    private async Task HandThroughAsync(TcpClient client)
    {
        using var _ = client;
        using var broker = new TcpClient();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            await broker.ConnectAsync(_broker, over.Token);
            // One side that has ended ends both.
            await await Task.WhenAny(client.GetStream().CopyToAsync(broker.GetStream(), over.Token), broker.GetStream().CopyToAsync(client.GetStream(), over.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            // The client comes again, if it wants to.
        }
        await over.CancelAsync();
    }
}
