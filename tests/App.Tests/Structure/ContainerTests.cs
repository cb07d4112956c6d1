using System.Text.RegularExpressions;
using MassDpo.App.Verbs;
using MassDpo.Shared.Settings;

namespace MassDpo.App.Tests.Structure;

/// <summary>What the container files take from the program is so.</summary>
public sealed partial class ContainerTests
{
    [Fact]
    public void The_image_is_built_with_the_packages_that_the_script_asks_for()
    {
        var build = SourceFiles.Read("Dockerfile").Split("FROM ")[1];
        var asked = Packages().Matches(SourceFiles.Read("massdpo")).SelectMany(match => match.Groups[1].Value.Split(' ')).ToList();
        Assert.Contains("libtorch-dev", asked);
        Assert.Empty(asked.Except(build.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public void The_services_are_given_settings_that_exist()
    {
        var variables = Setting().Matches(SourceFiles.Read("docker-compose.yml")).ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        Assert.Contains("MASSDPO__KAFKA__BOOTSTRAP", variables.Keys);
        ValidateVerb.CheckAll(EffectiveSettings.Load(null, variables, [], []));
    }

    [GeneratedRegex(@"packages\+?=\(([^)]+)\)")]
    private static partial Regex Packages();

    [GeneratedRegex(@"^ +(MASSDPO__\w+): ""?([^""\n]+)""?$", RegexOptions.Multiline)]
    private static partial Regex Setting();
}
