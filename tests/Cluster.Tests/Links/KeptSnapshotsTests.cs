using MassDpo.Cluster.Links;
using MassDpo.Cluster.Transfer;

namespace MassDpo.Cluster.Tests.Links;

public sealed class KeptSnapshotsTests
{
    private readonly KeptSnapshots _kept = new();

    [Fact]
    public void The_newest_are_there_and_what_somebody_has_open_is_never_written_over()
    {
        Keep(1);
        using var open = _kept.Open("1")!;
        for (byte version = 2; version <= 20; version++)
        {
            Keep(version);
            Assert.Equal(Content(version), Read(_kept.Open($"{version}")!));
            Assert.Equal(Content(1), Read(open));
        }
        Assert.Equal([17, 18, 19, 20], Enumerable.Range(1, 20).Where(version => IsThere($"{version}")));
        Assert.Equal(3, _kept.KeepReference("reference", stream => stream.Write([7, 8, 9])));
        Keep(21);
        Assert.Equal([7, 8, 9], Read(_kept.Open("reference")!));
    }

    [Fact]
    public void What_nobody_has_is_written_over_and_a_shorter_one_ends_where_it_ends()
    {
        Keep(1);
        var open = _kept.Open("1")!;
        for (byte version = 2; version <= 5; version++)
            Keep(version);
        var buffer = new byte[8];
        open.Dispose();
        _kept.Keep("short", stream => stream.Write([200, 201]));
        using var shorter = _kept.Open("short")!;
        Assert.Equal(2, shorter.ReadAt(0, buffer));
        Assert.Equal([200, 201], buffer[..2]);
        // It was the first one's memory.
        Assert.Equal(200, Read(open)[0]);
    }

    // Of four bytes and more.
    private static byte[] Content(byte version) => [version, version, version, version, .. new byte[version]];

    private void Keep(byte version) => Assert.Equal(4 + version, _kept.Keep($"{version}", stream => stream.Write(Content(version))));

    private bool IsThere(string name)
    {
        using var found = _kept.Open(name);
        return found is not null;
    }

    private static byte[] Read(IPieces pieces)
    {
        var bytes = new byte[64];
        return bytes[..pieces.ReadAt(0, bytes)];
    }
}
