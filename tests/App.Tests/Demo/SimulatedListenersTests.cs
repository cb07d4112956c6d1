using MassDpo.App.Demo;

namespace MassDpo.App.Tests.Demo;

public sealed class SimulatedListenersTests
{
    [Fact]
    public void Every_record_offers_twenty_different_songs_none_of_which_was_heard()
    {
        var listeners = new SimulatedListeners(seed: 3);
        foreach (var record in listeners.Records("r", 200, noise: 0.2))
        {
            string[] offered = [record.Chosen, .. record.Rejected];
            Assert.Equal(SimulatedListeners.Candidates, offered.Distinct().Count());
            Assert.InRange(record.History.Length, 3, 10);
            Assert.Empty(offered.Intersect(record.History));
            Assert.All(offered.Concat(record.History), song => Assert.Contains(song, listeners.Items));
        }
    }

    [Fact]
    public void Pools_hold_versions_of_one_song()
    {
        var records = new SimulatedListeners(seed: 3).Records("r", 50, noise: 0).ToList();
        Assert.All(records, record => Assert.Contains(record.Rejected.CountBy(SimulatedListeners.SongOf), song => song.Value >= 2));
        Assert.Equal("Amber Arcade", SimulatedListeners.SongOf("Amber Arcade (live)"));
        Assert.Equal("Amber Arcade", SimulatedListeners.SongOf("Amber Arcade"));
    }

    [Fact]
    public void A_wrong_label_swaps_the_choice_with_an_offered_one()
    {
        var (right, wrong) = (new SimulatedListeners(seed: 3).Records("r", 1, noise: 0).Single(), new SimulatedListeners(seed: 3).Records("r", 1, noise: 1).Single());
        Assert.NotEqual(right.Chosen, wrong.Chosen);
        Assert.Contains(right.Chosen, wrong.Rejected);
        Assert.Equal(new[] { right.Chosen }.Concat(right.Rejected).Order(), new[] { wrong.Chosen }.Concat(wrong.Rejected).Order());
    }

    [Fact]
    public void A_seed_gives_one_stream_and_each_call_new_listeners()
    {
        var (one, again) = (new SimulatedListeners(seed: 5), new SimulatedListeners(seed: 5));
        var first = one.Records("r", 20, 0.1).Select(Text).ToList();
        Assert.Equal(first, again.Records("r", 20, 0.1).Select(Text));
        Assert.NotEqual(first, one.Records("r", 20, 0.1).Select(Text));

        static string Text(SimulatedRecord record) => string.Join('|', [record.Id, .. record.History, record.Chosen, .. record.Rejected]);
    }
}
