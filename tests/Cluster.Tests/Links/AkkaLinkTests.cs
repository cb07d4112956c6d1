using MassDpo.Cluster.Links;
using MassDpo.LinkKit;
using MassDpo.Shared.Links;

namespace MassDpo.Cluster.Tests.Links;

public sealed class AkkaSelectionsLinkTests(TwoNodes nodes) : SelectionsLinkContract, IClassFixture<TwoNodes>, IDisposable
{
    private readonly string _link = nodes.NewLink();
    private readonly List<AkkaSelectionsLink> _ends = [];

    // One after the other on both nodes.
    protected override ISelectionsLink End()
    {
        _ends.Add(new AkkaSelectionsLink(nodes.Nodes[(_ends.Count + 1) % 2], _link));
        return _ends[^1];
    }

    public void Dispose() => _ends.ForEach(end => end.Dispose());
}

public sealed class AkkaControlLinkTests(TwoNodes nodes) : ControlLinkContract, IClassFixture<TwoNodes>, IDisposable
{
    private readonly string _link = nodes.NewLink();
    private readonly List<AkkaControlLink> _ends = [];

    // One after the other on both nodes.
    protected override IControlLink End()
    {
        _ends.Add(new AkkaControlLink(nodes.Nodes[(_ends.Count + 1) % 2], _link));
        return _ends[^1];
    }

    public void Dispose() => _ends.ForEach(end => end.Dispose());
}

public sealed class AkkaPoolsLinkTests(TwoNodes nodes) : PoolsLinkContract, IClassFixture<TwoNodes>, IDisposable
{
    private readonly List<AkkaPoolsLink> _links = [];

    // Away from the hub.
    protected override IPoolsLink Create()
    {
        _links.Add(new AkkaPoolsLink(nodes.Nodes[1], nodes.NewLink()));
        return _links[^1];
    }

    public void Dispose() => _links.ForEach(link => link.Dispose());
}
