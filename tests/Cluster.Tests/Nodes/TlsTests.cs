using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MassDpo.PipelineKit;
using MassDpo.TestKit;

namespace MassDpo.Cluster.Tests.Nodes;

/// <summary>Nodes that speak TLS to one another.</summary>
public sealed class TlsTests(SimulatedStream stream) : IClassFixture<SimulatedStream>
{
    [Fact]
    public async Task A_run_on_nodes_with_a_certificate_is_that_of_one_process()
    {
        using var folder = new TempFolder();
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue.AddDays(-1));
        File.WriteAllBytes(folder["node.pfx"], certificate.Export(X509ContentType.Pfx, "secret"));
        var tls = $$"""
            akka.remote.dot-netty.tcp {
              enable-ssl = true
              # Nobody vouches for it.
              ssl { suppress-validation = true, certificate { path = "{{folder["node.pfx"]}}", password = secret } }
            }
            """;
        var output = stream.NewOutput();
        await using var cluster = new TestCluster(stream);
        var learner = await cluster.BeginAsync("learner, ingest", output, akka: tls);
        Assert.Contains("ssl", learner.Address.Protocol);
        await cluster.BeginAsync("selector", akka: tls);
        Assert.True((await learner.Run).InputEnded);
        RunTrace.Of(output).AssertSame(RunTrace.Whole(stream, SimulatedStream.Options(), seed: 1));
    }
}
