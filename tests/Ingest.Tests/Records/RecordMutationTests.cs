using System.Text;
using MassDpo.Ingest.Records;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.Ingest.Tests.Records;

public sealed class RecordMutationTests
{
    private const int Mutants = 10_000;

    private static readonly string[] Codes =
        [DeadLetterCodes.Encoding, DeadLetterCodes.Json, DeadLetterCodes.Field, DeadLetterCodes.EmptyPool, DeadLetterCodes.Unsupported];

    private static readonly byte[][] Records = [.. new[]
    {
        """
        {"id":"r1","prompt":"Say hé 😀","chosen":"a \u00e9 \ud83d\ude00","rejected":["b","c"],"rewards":[1,null,-2.5],
        "meta":{"u":[1,{"x":null}]},"extra":{"a":[1,2]}}
        """,
        """{"id":7,"prompt":{"history":["x","y y","z"]},"chosen":"w","rejected1":"u","rejected2":"v","reference_logps":[-1.5,-2,null]}""",
        """{"candidates":["\n\nHuman: hi\n\nAssistant: yes","\n\nHuman: hi\n\nAssistant: no"],"chosen_index":1}""",
        """{"prompt":"p","ranked":["best","good","bad"],"rewards":[3,2,1],"note":"\"quoted\" \\"}""",
        """{"messages":[{"role":"user","content":"hi"}],"chosen":{"role":"assistant","content":"a"},"rejected":["b"]}""",
    }.Select(Encoding.UTF8.GetBytes)];

    [Fact]
    public void Whatever_is_done_to_a_record_it_is_a_valid_one_or_refused_with_a_code_and_a_reason()
    {
        var (valid, codes) = (0, new HashSet<string>());
        for (var i = 0; i < Mutants; i++)
        {
            var random = new StableRandom(i, 0x4EC);
            var mutant = Mutations.Of(Records[i % Records.Length], ref random);
            try
            {
                AssertWhole(RecordParser.Parse(mutant));
                valid++;
            }
            catch (RecordFormatException e)
            {
                Assert.Contains(e.Code, Codes);
                Assert.NotEmpty(e.Message);
                codes.Add(e.Code);
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i} gives {e.GetType().Name}: {e.Message}\n{Encoding.UTF8.GetString(mutant)}");
            }
        }
        // The mutations reach what they should: some leave a record, and every code comes up.
        Assert.InRange(valid, Mutants / 20, Mutants / 2);
        Assert.Equal(Codes.Order(), codes.Order());
    }

    // What all that works with records may rely on.
    private static void AssertWhole(PreferenceRecord record)
    {
        Assert.True(record.Candidates.Count >= 2);
        Assert.All(record.Candidates, Assert.NotNull);
        Assert.All(record.Prompt.Items, Assert.NotNull);
        Assert.True(record.Prompt.Form == PromptForm.Text || record.Prompt.Text.Length == 0);
        Assert.Equal(record.Prompt.Form == PromptForm.Chat, record.Prompt.Messages.Count > 0);
        Assert.All(record.Prompt.Messages, message => Assert.True(ChatRoles.IsOne(message.Role) && message.Content is not null));
        foreach (var numbers in new[] { record.Rewards, record.ReferenceLogps })
        {
            Assert.True(numbers is null || numbers.Count == record.Candidates.Count);
            Assert.DoesNotContain(numbers ?? [], double.IsInfinity);
        }
        if (record.UnknownFields is { } unknown)
            System.Text.Json.JsonDocument.Parse(unknown).Dispose();
    }
}
