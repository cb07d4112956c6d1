using MassDpo.Kafka.Links;
using MassDpo.LinkKit;
using MassDpo.PolicyKit;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;
using MassDpo.Shared.Numerics;
using MassDpo.Wire;

namespace MassDpo.Kafka.Tests.Links;

/// <summary>What is no message of a link is told of and left out, and the next is heard.</summary>
public sealed class HostileMessageTests(LinkScene scene) : IClassFixture<LinkScene>
{
    private const int Mutants = 500;

    private static EpochOpened Opened(long epoch) => new(epoch, 0, new SettledPositions());

    [Fact]
    public async Task A_control_link_goes_on_after_messages_that_are_none()
    {
        using var ends = scene.Topic(2, (options, topic) => new KafkaControlLink(options, topic));
        using var hostile = new HostileTopic(ends.Kafka, ends.Topic);
        var (learner, member, told, heard) = (ends.End(), ends.End(), new Inbox<ControlMessage>(), new Inbox<ControlNotice>());
        using var authority = await learner.ClaimAsync(new EpochClaim(1, 0, "h"), (message, _) => Taken(told, message), _ => { }, default);
        using var joined = member.Join("m", heard.Add);
        authority.Announce(Opened(1));
        Assert.IsType<EpochOpened>((await heard.Take(1)).Single());
        var messages = Refused(Samples.Messages.Select(MessageCodec.Encode), bytes => MessageCodec.Decode(bytes));
        var notices = Refused(Samples.Notices.Select(NoticeCodec.Encode), bytes => NoticeCodec.Decode(bytes));
        hostile.WriteAll(1, messages);
        hostile.WriteAll(0, notices);
        await member.SendAsync(new SelectorReady("m", 7), default);
        authority.Announce(new BatchClosed(1, 3));
        Assert.Equal(new SelectorReady("m", 7), (await told.Take(1)).Single());
        Assert.Equal(new BatchClosed(1, 3), (await heard.Take(1)).Single());
        // The learner's end reads both partitions, the member's one of them: each told of all that it left out.
        var notes = await ends.Notes.Take(messages.Count + 2 * notices.Count);
        Assert.All(notes, note => Assert.Matches($"^{ends.Topic}/[01], offset [0-9]+: left out, .+", note));
    }

    [Fact]
    public async Task Who_joins_after_a_message_that_is_none_hears_the_epoch_all_the_same()
    {
        using var ends = scene.Topic(2, (options, topic) => new KafkaControlLink(options, topic));
        using var hostile = new HostileTopic(ends.Kafka, ends.Topic);
        using var authority = await ends.End().ClaimAsync(new EpochClaim(5, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default);
        authority.Announce(Opened(5));
        var first = new Inbox<ControlNotice>();
        using (ends.End().Join("first", first.Add))
            await first.Take(1);
        // The last message tells a newcomer where the epoch begins: this one's word must not be taken for it.
        var claim = NoticeCodec.Encode(new EpochClaim(5, 0, "h"), "who asked when nobody had yet, and came late");
        var headers = new[] { null, "", "-1", "99999", "no number" }.Select(start => new[] { ("massdpo-start", start is null ? null : HostileTopic.Ascii(start)) });
        foreach (var (value, header) in headers.Prepend([]).Select(header => (new byte[] { 0xFF, 0xFF }, header)).Append((claim, [])))
        {
            hostile.Write(0, value, header);
            var (late, heard) = (ends.End(), new Inbox<ControlNotice>());
            using var joined = late.Join("late", heard.Add);
            Assert.Equal(5, Assert.IsType<EpochOpened>((await heard.Take(1)).Single()).Epoch);
            await Assert.ThrowsAsync<ClaimRefusedException>(async () => await late.ClaimAsync(new EpochClaim(5, 0, "h"), (_, _) => ValueTask.CompletedTask, _ => { }, default));
        }
    }

    [Fact]
    public async Task A_selections_link_goes_on_after_messages_that_are_none()
    {
        using var ends = scene.Topic(1, (options, topic) => new KafkaSelectionsLink(options, topic));
        using var hostile = new HostileTopic(ends.Kafka, ends.Topic);
        var received = new Inbox<SelectionBlock>();
        using var receiver = ends.End().Receive((block, _) => Taken(received, block));
        var mutants = Refused([SelectionCodec.Encode(Samples.Selections())], bytes => SelectionCodec.Decode(bytes));
        hostile.WriteAll(0, mutants);
        hostile.Write(0, null);
        await ends.End().SendAsync(Samples.Selections(), default);
        Assert.Equal(Samples.Selections().Block, (await received.Take(1)).Single().Block);
        Assert.All(await ends.Notes.Take(mutants.Count + 1), note => Assert.Contains(": left out, ", note));
    }

    private static ValueTask Taken<T>(Inbox<T> inbox, T item)
    {
        inbox.Add(item);
        return ValueTask.CompletedTask;
    }

    // Mutants that a codec refuses: what it reads means something.
    private static List<byte[]> Refused(IEnumerable<byte[]> whole, Action<byte[]> decode)
    {
        var (samples, refused, random) = (whole.ToList(), new List<byte[]>(), new StableRandom(1, 0x1057));
        while (refused.Count < Mutants)
        {
            var mutant = ProtobufMutations.Of(samples[random.Below(samples.Count)], ref random);
            try
            {
                decode(mutant);
            }
            catch (WireFormatException)
            {
                refused.Add(mutant);
            }
        }
        return refused;
    }
}
