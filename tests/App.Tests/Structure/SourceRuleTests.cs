using System.Text.RegularExpressions;

namespace MassDpo.App.Tests.Structure;

public sealed partial class SourceRuleTests
{
    // Waiters.WaitAsync is the links' own.
    [GeneratedRegex(@"Task\.(Run|Delay)\b|Thread\.Sleep|DateTime(Offset)?\.(Utc)?Now\b|TimeProvider\.System|\bStopwatch\b|new Random\(|Random\.Shared|Guid\.NewGuid|ConfigureAwait\(false\)|(?<!\bWaiters)\.WaitAsync\(|new (System\.Threading\.)?Timer\(|ThreadPool\.")]
    private static partial Regex OfTheSystem();

    [Fact]
    public void Actors_and_links_take_time_randomness_and_tasks_from_their_host()
    {
        var files = SourceFiles.All.Where(file => file.EndsWith("Actor.cs", StringComparison.Ordinal) && file.StartsWith("src/", StringComparison.Ordinal)
            || file.StartsWith("src/Shared/Links/", StringComparison.Ordinal) || file.StartsWith("src/Learner/Slots/", StringComparison.Ordinal)).ToList();
        Assert.Superset(new HashSet<string> { "src/Ingest/IngestActor.cs", "src/Selection/SelectorActor.cs", "src/Learner/LearnerActor.cs", "src/Learner/Slots/SlotLedger.cs",
            "src/Shared/Links/Local/LocalPoolsLink.cs" }, files.ToHashSet());
        Assert.Empty(files.SelectMany(file => SourceFiles.Code(file).Where(line => OfTheSystem().IsMatch(line.Code)).Select(line => $"{file}, line {line.Number}: {line.Code.Trim()}")));
    }

    [Theory]
    [InlineData("await Task.Run(() => 1);", true)]
    [InlineData("await Task.Delay(1);", true)]
    [InlineData("var now = DateTime.Now;", true)]
    [InlineData("var now = DateTimeOffset.UtcNow;", true)]
    [InlineData("var watch = Stopwatch.StartNew();", true)]
    [InlineData("var r = new Random(1);", true)]
    [InlineData("await task.ConfigureAwait(false);", true)]
    [InlineData("await task.WaitAsync(token);", true)]
    [InlineData("await Waiters.WaitAsync(room, token);", false)]
    [InlineData("var now = context.Clock.GetUtcNow();", false)]
    public void The_rule_finds_what_it_is_for(string code, bool found) => Assert.Equal(found, OfTheSystem().IsMatch(code));

    [Fact]
    public void No_file_names_a_package_registry()
    {
        // Put together here, so that this file names none either.
        var hosts = new[] { "nuget", "npmjs", "pypi", "crates", "docker", "ghcr", "quay", "maven", "anaconda", "pythonhosted", "rubygems" }
            .SelectMany(name => new[] { ".org", ".io", ".com" }.Select(end => name + end)).Append("deb.debian" + ".org").Append("mcr.microsoft" + ".com").ToList();
        var named = SourceFiles.All.Where(file => Path.GetExtension(file) is not (".png" or ".gz" or ".safetensors"))
            .SelectMany(file => hosts.Where(SourceFiles.Read(file).Contains).Select(host => $"{file} names {host}"));
        Assert.Empty(named);
    }

    [Fact]
    public void No_code_is_in_a_folder_for_what_belongs_nowhere() =>
        Assert.DoesNotContain(SourceFiles.All, file => file.Split('/').Any(part => part is "Helpers" or "Utils" or "Common" or "Misc"));
}
