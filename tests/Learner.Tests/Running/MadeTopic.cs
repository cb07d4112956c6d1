using System.Text;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Links;

namespace MassDpo.Learner.Tests.Running;

/// <summary>What a learner told of one position.</summary>
/// <param name="Position">of the record</param>
/// <param name="Epoch">that told it</param>
/// <param name="Line">of the log, or the dead letter's code</param>
internal sealed record Outcome(Position Position, long Epoch, string Line);

/// <summary>Outcomes that others have; it outlives the processes that tell them. What is on its way when one of them ends is lost.</summary>
internal sealed class MadeTopic
{
    private readonly List<Outcome> _onTheirWay = [];

    /// <summary>In the order of arrival.</summary>
    public List<Outcome> Arrived { get; } = [];

    /// <summary>Sinks made, and those of them that are not disposed.</summary>
    public (int Made, int Open) Sinks { get; private set; }

    /// <summary>Whether a call fails, by its name and how many calls there were before.</summary>
    public Func<string, int, bool> Fails { get; set; } = (_, _) => false;

    public int Calls { get; private set; }

    /// <summary>What holds of each position.</summary>
    public Dictionary<Position, Outcome> Newest => Arrived.GroupBy(outcome => outcome.Position).ToDictionary(group => group.Key, group => group.MaxBy(outcome => outcome.Epoch)!);

    public IOutcomeSink NewSink()
    {
        // The one before failed or was killed: what it had on its way never arrives.
        _onTheirWay.Clear();
        Sinks = (Sinks.Made + 1, Sinks.Open + 1);
        return new Sink(this);
    }

    /// <summary>That all the logs hold was told, and the newest told of each position is what they hold.</summary>
    public void AssertHolds(RunLogs logs)
    {
        var newest = Newest;
        Assert.Equal(logs.SelectionLines, logs.Selections.Select(e => newest[e.Position].Line));
        Assert.Equal(logs.DeadLetters.Select(letter => letter.GetProperty("code").GetString()), logs.Dead.Select(position => newest[position].Line));
        Assert.Equal(logs.Selections.Count + logs.DeadLetters.Count, newest.Count);
        // One epoch tells of a position once.
        Assert.Equal(Arrived.Count, Arrived.Select(outcome => (outcome.Position, outcome.Epoch)).Distinct().Count());
    }

    private void Called(string name)
    {
        if (Fails(name, Calls++))
            throw new IOException($"made to fail: {name}");
    }

    private sealed class Sink(MadeTopic topic) : IOutcomeSink
    {
        public void Applied(SelectionEvent selection, EventLine line)
        {
            topic.Called("applied");
            Assert.Equal((byte)'\n', line.Bytes.Span[^1]);
            topic._onTheirWay.Add(new Outcome(selection.Position, selection.Epoch, Encoding.UTF8.GetString(line.Bytes.Span[..^1])));
        }

        public void Died(DeadLetter letter, long version, long epoch)
        {
            topic.Called("died");
            topic._onTheirWay.Add(new Outcome(letter.Position, epoch, letter.Code));
        }

        public void Flush()
        {
            topic.Called("flush");
            topic.Arrived.AddRange(topic._onTheirWay);
            topic._onTheirWay.Clear();
        }

        public void Dispose() => topic.Sinks = topic.Sinks with { Open = topic.Sinks.Open - 1 };
    }
}
