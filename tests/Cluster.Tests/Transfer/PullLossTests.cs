using Akka.Actor;
using MassDpo.Cluster.Tests.Links;
using MassDpo.Cluster.Transfer;
using MassDpo.LinkKit;

namespace MassDpo.Cluster.Tests.Transfer;

/// <summary>The node that has a thing is cut off.</summary>
public sealed class PullLossTests : IAsyncLifetime
{
    private readonly TwoNodes _nodes = new();

    public Task InitializeAsync() => _nodes.InitializeAsync();

    public Task DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task Who_is_in_the_middle_of_it_is_told()
    {
        var (there, here, taken) = (_nodes.Nodes[0].System, _nodes.Nodes[1].System, new Inbox<int>());
        // It ends after its first pieces, for as long as the node is there.
        var server = there.ActorOf(Props.Create(() => new PieceServer(_ => new MemoryPieces(new byte[1 << 20]), 1)));
        var gate = there.ActorOf(Props.Create(() => new First(server)));
        var known = ((ExtendedActorSystem)here).Provider.ResolveActorRef(gate.Path.ToSerializationFormatWithAddress(Akka.Cluster.Cluster.Get(there).SelfAddress));
        var pull = Puller.PullAsync(here, known, "a", 0, 1 << 20, piece => taken.Add(piece.Length), blocks: false, default);
        await taken.Take(1);
        await _nodes.LoseFirstAsync();
        Assert.Contains("is lost", (await Assert.ThrowsAsync<TransferException>(() => pull)).Message);
    }

    private sealed class First(IActorRef server) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (((PieceRequest)message).Offset == 0)
                server.Forward(message);
        }
    }
}
