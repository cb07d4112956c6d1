using Akka.Actor;
using Akka.Configuration;
using MassDpo.Cluster.Actors;
using MassDpo.Shared.Actors;
using MassDpo.TestKit.Hosts;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Cluster.Tests.Actors;

public sealed class AkkaHostContractTests : ActorHostContract, IAsyncLifetime
{
    private readonly ActorSystem _system = ActorSystem.Create("contract", ConfigurationFactory.ParseString("akka.loglevel = WARNING").WithFallback(AkkaHost.Defaults));

    protected override ActorHost Create(TimeProvider clock) => new AkkaHost(_system, clock, NullLogger.Instance);

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _system.Terminate();
}
