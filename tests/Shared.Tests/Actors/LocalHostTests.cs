using MassDpo.Shared.Actors;
using MassDpo.TestKit.Hosts;
using Microsoft.Extensions.Logging.Abstractions;

namespace MassDpo.Shared.Tests.Actors;

public sealed class LocalHostTests : ActorHostContract
{
    protected override ActorHost Create(TimeProvider clock) => new LocalHost(clock, NullLogger.Instance);
}
