using System.Text.RegularExpressions;
using MassDpo.App.Verbs;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Structure;

/// <summary>What the repository's pages say of it is so.</summary>
public sealed partial class PagesTests
{
    public static TheoryData<string> Pages => [.. Directory.EnumerateFiles(Repository.Root, "*.md").Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md"))
        .Select(file => Path.GetRelativePath(Repository.Root, file))];

    // What the script does itself, and the verb of a program of its own, whose tests read docs/cluster.md.
    private static readonly string[] OfTheScript = ["test", "build", "cluster"];

    [Fact]
    public void The_pages_are_there() => Assert.All(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md", ".editorconfig"],
        page => Assert.NotEqual(0, new FileInfo(Path.Combine(Repository.Root, page)).Length));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Folders_and_files_that_a_page_names_exist(string page)
    {
        var absent = PathInText().Matches(SourceFiles.Read(page)).Select(match => match.Value.TrimEnd('.', '/')).Distinct()
            .Where(path => !Path.Exists(Path.Combine(Repository.Root, path))).ToList();
        Assert.Empty(absent);
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_to_files_lead_somewhere(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
        var dead = Link().Matches(SourceFiles.Read(page)).Select(match => match.Groups[1].Value).Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith('#'))
            .Where(target => !Path.Exists(Path.Combine(folder, target.Split('#')[0]))).ToList();
        Assert.Empty(dead);
    }

    [Fact]
    public void The_architecture_names_every_project()
    {
        var page = SourceFiles.Read("ARCHITECTURE.md");
        Assert.All(Directory.EnumerateDirectories(Path.Combine(Repository.Root, "src")), folder => Assert.Contains($"src/{Path.GetFileName(folder)}", page));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Commands_that_a_page_shows_can_be_given(string page)
    {
        var commands = PageCommands.Of(page);
        if (page == "README.md")
            Assert.NotEmpty(commands);
        foreach (var (text, words) in commands.Where(command => !OfTheScript.Contains(command.Words[0])))
            Assert.True(CommandLine.Create().Parse(words).Errors is [], $"{page}: {text}: {string.Join(", ", CommandLine.Create().Parse(words).Errors.Select(error => error.Message))}");
    }

    [Fact]
    public void The_program_that_the_readme_shows_is_the_sample() =>
        Assert.Contains(CSharp().Match(SourceFiles.Read("README.md")).Groups[1].Value, SourceFiles.Read("samples/Embedded/Program.cs"), StringComparison.Ordinal);

    [GeneratedRegex(@"^```csharp\n(.+?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex CSharp();

    [GeneratedRegex(@"(?<![\w/.-])(src|tests|native|hocon|bench|docs|samples)/[\w./-]+")]
    private static partial Regex PathInText();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
