using System.Net;
using System.Net.Sockets;

namespace MassDpo.TestKit;

/// <summary>Ports of the loopback for processes that must be told theirs.</summary>
public static class FreePorts
{
    /// <summary>Ports, each another one, that nobody has for now.</summary>
    public static int[] Find(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        var ports = listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port).ToArray();
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
