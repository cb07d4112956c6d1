using System.Reflection;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using MassDpo.App.Running;
using MassDpo.Audit.Replay;
using MassDpo.Ingest;
using MassDpo.Kafka.Topics;
using MassDpo.Learner;
using MassDpo.Policy;
using MassDpo.Selection;
using MassDpo.Shared.Actors;

namespace MassDpo.App.Tests.Structure;

public sealed class DocumentationTests
{
    private static readonly Type[] OneOfEach = [typeof(ActorHost), typeof(PolicyDirectory), typeof(IngestActor), typeof(SelectorActor), typeof(LearnerActor), typeof(Replayer), typeof(KafkaTopics), typeof(RunJob)];

    public static TheoryData<string> Assemblies => [.. OneOfEach.Select(type => type.Assembly.GetName().Name!)];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Every_public_type_says_what_it_is(string assembly)
    {
        var types = OneOfEach.Single(type => type.Assembly.GetName().Name == assembly).Assembly.GetTypes()
            .Where(type => type.IsVisible && !type.IsDefined(typeof(CompilerGeneratedAttribute)) && type.Namespace?.StartsWith("MassDpo", StringComparison.Ordinal) is true).ToList();
        var documented = XDocument.Load(Path.Combine(AppContext.BaseDirectory, $"{assembly}.xml")).Descendants("member")
            .Where(member => !string.IsNullOrWhiteSpace(member.Element("summary")?.Value) || member.Element("inheritdoc") is not null)
            .Select(member => (string)member.Attribute("name")!).ToHashSet();
        Assert.NotEmpty(types);
        var silent = types.Select(type => type.FullName!.Replace('+', '.')).Where(name => !documented.Contains("T:" + name)).ToList();
        Assert.Empty(silent);
    }
}
