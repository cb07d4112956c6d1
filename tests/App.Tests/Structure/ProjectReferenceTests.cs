using System.Xml.Linq;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Structure;

/// <summary>Who may know whom: see ARCHITECTURE.md.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> Known = new()
    {
        ["Torch"] = [],
        ["Shared"] = [],
        ["Policy"] = ["Shared", "Torch"],
        ["Ingest"] = ["Policy", "Shared"],
        ["Selection"] = ["Policy", "Shared"],
        ["Learner"] = ["Policy", "Shared"],
        ["Audit"] = ["Shared"],
        ["Wire"] = ["Shared"],
        ["Kafka"] = ["Shared", "Wire"],
        ["Cluster"] = ["Learner", "Shared", "Wire"],
        ["App"] = ["Audit", "Ingest", "Kafka", "Learner", "Policy", "Selection", "Shared"],
    };

    public static TheoryData<string> Projects => [.. Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")).Select(folder => Path.GetFileName(folder))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_knows_whom_it_may(string project)
    {
        var file = XDocument.Load(Path.Combine(Repository.Root, "src", project, $"{project}.csproj"));
        // Directory.Build.targets turns UsesTorch into a reference to src/Torch, or to what stands in for it.
        var references = file.Descendants("ProjectReference").Select(reference => (string)reference.Attribute("Include")!)
            .Concat(file.Descendants("UsesTorch").Select(_ => "../Torch/Torch.csproj"));
        Assert.True(Known.TryGetValue(project, out var known), $"say here and in ARCHITECTURE.md whom src/{project} may know");
        Assert.Equal(known!.Select(other => $"../{other}/{other}.csproj"), references.Order());
    }

    [Fact]
    public void Every_project_is_in_its_solution_and_has_tests()
    {
        var (all, cluster) = (Solution("MassDpo.Actors.sln"), Solution("MassDpo.Actors.Cluster.sln"));
        // What Akka.NET's packages are needed for builds only where they can be had.
        Assert.DoesNotContain("Cluster", all);
        foreach (var project in Known.Keys)
        {
            var solution = project == "Cluster" ? cluster : all;
            Assert.Contains($"\"src/{project}/{project}.csproj\"", solution);
            Assert.Contains($"\"tests/{project}.Tests/{project}.Tests.csproj\"", solution);
            Assert.True(File.Exists(Path.Combine(Repository.Root, "tests", $"{project}.Tests", $"{project}.Tests.csproj")));
        }

        static string Solution(string name) => File.ReadAllText(Path.Combine(Repository.Root, name)).Replace('\\', '/');
    }
}
