using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MassDpo.Kafka.Development;

namespace MassDpo.Kafka.Tests.Client;

/// <summary>
/// A cluster that demands TLS and a password: librdkafka's mock cluster, which knows neither, behind a door on loopback that does. Clients get no other address
/// than the door's, so whoever gets through has both. The password is asked for as SASL/PLAIN was in Kafka 0.10, which librdkafka still
/// speaks: a handshake, then the name and the password in a frame of their own.
/// </summary>
internal sealed class SecureBroker : IAsyncDisposable
{
    public const string User = "anna", Password = "pass-of-anna";

    private const byte SaslHandshake = 17, ApiVersions = 18, UnsupportedVersion = 35;
    private const string Host = "127.0.0.1";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly X509Certificate2 _authority = Authority();
    private readonly X509Certificate2 _certificate;
    private readonly byte[] _inner;
    private readonly byte[] _outer;
    private readonly Task _accepting;
    private int _admitted;

    public SecureBroker()
    {
        _certificate = Certificate(_authority);
        _listener.Start();
        (_inner, _outer) = (Address(IPEndPoint.Parse(Broker.Bootstrap).Port), Address(((IPEndPoint)_listener.LocalEndpoint).Port));
        _accepting = AcceptAsync();
    }

    /// <summary>Behind the door.</summary>
    public MockBroker Broker { get; } = new();

    public string Bootstrap => _listener.LocalEndpoint.ToString()!;

    /// <summary>The certificate of the authority that vouches for it, in PEM.</summary>
    public string Pem => _authority.ExportCertificatePem();

    /// <summary>Connections that had both.</summary>
    public int Admitted => Volatile.Read(ref _admitted);

    /// <summary>An authority that vouches for nobody here, in PEM.</summary>
    public static string OtherPem()
    {
        using var other = Authority();
        return other.ExportCertificatePem();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Broker.Dispose();
        _certificate.Dispose();
        _authority.Dispose();
        _stop.Dispose();
    }

    private static X509Certificate2 Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=authority of a test", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static X509Certificate2 Certificate(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=broker of a test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.Create(authority, authority.NotBefore, authority.NotAfter, [1, 2, 3, 4]);
        using var whole = made.CopyWithPrivateKey(key);
        // One that a server may use on every system.
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }

    // As answers name a broker: its host, then its port.
    private static byte[] Address(int port)
    {
        var bytes = new byte[Host.Length + 4];
        Encoding.ASCII.GetBytes(Host, bytes);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(Host.Length), port);
        return bytes;
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                open.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
            }
        }
        await Task.WhenAll(open);
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        using var broker = new TcpClient();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            await using var outside = new SslStream(client.GetStream());
            await outside.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, over.Token);
            await broker.ConnectAsync(IPEndPoint.Parse(Broker.Bootstrap), over.Token);
            var inside = broker.GetStream();
            if (!await AdmitAsync(outside, inside, over.Token))
                return;
            Interlocked.Increment(ref _admitted);
            await await Task.WhenAny(outside.CopyToAsync(inside, over.Token), AnswerAsync(inside, outside, over.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or AuthenticationException)
        {
            // The client went, or did not come in.
        }
        await over.CancelAsync();
    }

    // What it can do a broker tells anybody, and that it takes a password; which comes in a frame of its own.
    private static async Task<bool> AdmitAsync(SslStream outside, NetworkStream inside, CancellationToken cancellation)
    {
        var isAsked = false;
        while (true)
        {
            var frame = await ReadAsync(outside, cancellation);
            if (isAsked)
            {
                if (Encoding.UTF8.GetString(frame) != $"\0{User}\0{Password}")
                    return false;
                await WriteAsync(outside, [], cancellation);
                return true;
            }
            var (api, version, correlation) = (BinaryPrimitives.ReadInt16BigEndian(frame), BinaryPrimitives.ReadInt16BigEndian(frame.AsSpan(2)), frame[4..8]);
            switch (api)
            {
                case ApiVersions when version == 0:
                    await WriteAsync(inside, frame, cancellation);
                    var able = await ReadAsync(inside, cancellation);
                    // After the correlation and the error: how many there are.
                    BinaryPrimitives.WriteInt32BigEndian(able.AsSpan(6), BinaryPrimitives.ReadInt32BigEndian(able.AsSpan(6)) + 1);
                    await WriteAsync(outside, [.. able, 0, SaslHandshake, 0, 0, 0, 0], cancellation);
                    break;
                case ApiVersions:
                    await WriteAsync(outside, [.. correlation, 0, UnsupportedVersion, 0, 0, 0, 0], cancellation);
                    break;
                case SaslHandshake:
                    await WriteAsync(outside, [.. correlation, 0, 0, 0, 0, 0, 1, 0, 5, .. "PLAIN"u8], cancellation);
                    isAsked = true;
                    break;
                default:
                    return false;
            }
        }
    }

    private async Task AnswerAsync(NetworkStream inside, SslStream outside, CancellationToken cancellation)
    {
        while (true)
        {
            var frame = await ReadAsync(inside, cancellation);
            for (var from = 0; frame.AsSpan(from).IndexOf(_inner) is >= 0 and var at; from += at)
                _outer.CopyTo(frame.AsSpan(from + at));
            await WriteAsync(outside, frame, cancellation);
        }
    }

    private static async Task<byte[]> ReadAsync(Stream stream, CancellationToken cancellation)
    {
        var size = new byte[4];
        await stream.ReadExactlyAsync(size, cancellation);
        var frame = new byte[BinaryPrimitives.ReadInt32BigEndian(size)];
        await stream.ReadExactlyAsync(frame, cancellation);
        return frame;
    }

    private static async Task WriteAsync(Stream stream, byte[] frame, CancellationToken cancellation)
    {
        var whole = new byte[4 + frame.Length];
        BinaryPrimitives.WriteInt32BigEndian(whole, frame.Length);
        frame.CopyTo(whole, 4);
        await stream.WriteAsync(whole, cancellation);
    }
}
