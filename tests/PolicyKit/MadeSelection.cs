using System.Text;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Numerics;

namespace MassDpo.PolicyKit;

/// <summary>Pools with a position, and selections out of them, made by hand or from a seed.</summary>
public static class MadeSelection
{
    /// <summary>A pool as an intake hands it out; its candidates' texts are their token ids.</summary>
    public static CandidatePool Pool(EncodedPool tokens, Position position)
    {
        var record = new PreferenceRecord
        {
            Prompt = Prompt.OfText(Text(tokens.Prompt)),
            Candidates = [.. tokens.Responses.Select(Text)],
        };
        var id = position.ToString();
        return new CandidatePool(record, id, tokens, position, RecordOrigin.Of(position.Source, position.Index + 1, Encoding.UTF8.GetBytes(id)));
    }

    /// <summary>The selection of given candidates of a pool.</summary>
    /// <param name="pool">the record</param>
    /// <param name="picks">indices of candidates, never 0</param>
    /// <param name="referenceLogps">of the chosen one, then of each pick</param>
    /// <param name="describe">changes the event that is told of it</param>
    /// <param name="measures">before training</param>
    public static Selection Of(CandidatePool pool, int[] picks, float[] referenceLogps, Func<SelectionEvent, SelectionEvent>? describe = null,
        RecordMeasures? measures = null)
    {
        var plain = new SelectionEvent
        {
            Id = pool.Id,
            Position = pool.Position,
            Slot = 0,
            Version = 0,
            PolicyHash = "made",
            Method = "made",
            K = picks.Length,
            Beta = 1,
            Candidates = [.. pool.Record.Candidates.Select(text => new CandidateEvent(ContentHash.Of(text)[..16], null, null, null, null))],
            Picks = [.. picks.Select(pick => new PickEvent(pick, null, null, null))],
        };
        var e = describe is null ? plain : describe(plain);
        return new Selection(pool, picks, referenceLogps, e, EventLine.Of(e), measures);
    }

    /// <summary>Picks of <paramref name="count"/> candidates of a pool, in random order.</summary>
    public static int[] Picks(ref StableRandom random, EncodedPool pool, int count)
    {
        var all = Enumerable.Range(1, pool.Candidates - 1).ToArray();
        random.Shuffle<int>(all);
        return all[..count];
    }

    private static string Text(int[] tokens) => string.Join(' ', tokens);
}
