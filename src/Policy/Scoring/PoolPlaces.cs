using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Scoring;

/// <summary>
/// The response tokens of one pool, and which of its predicting places each comes from: place 0 is the prompt's last one, which predicts the first
/// token of every response; then come each response's own, in order, as <see cref="Model.PackedBatch"/> lays them out.
/// </summary>
internal sealed class PoolPlaces
{
    private PoolPlaces(int tokens, int candidates) =>
        (Place_T, Token_T, Candidate_T, Candidates) = (new long[tokens], new long[tokens], new int[tokens], candidates);

    /// <summary>[T] from which of the U places each token is predicted.</summary>
    public long[] Place_T { get; }

    /// <summary>[T] ids.</summary>
    public long[] Token_T { get; }

    /// <summary>[T] whose tokens they are.</summary>
    public int[] Candidate_T { get; }

    /// <summary>C</summary>
    public int Candidates { get; }

    /// <summary>U</summary>
    public int Places { get; private set; } = 1;

    public static PoolPlaces Of(EncodedPool pool)
    {
        var places = new PoolPlaces(pool.Responses.Sum(response => response.Length), pool.Candidates);
        var t = 0;
        for (var c = 0; c < pool.Candidates; c++)
            for (var i = 0; i < pool.Responses[c].Length; i++, t++)
            {
                places.Place_T[t] = i == 0 ? 0 : places.Places++;
                places.Token_T[t] = pool.Responses[c][i];
                places.Candidate_T[t] = c;
            }
        return places;
    }

    /// <summary>[C × T], row-major: 1 where a token is a candidate's, or 1/(its tokens).</summary>
    public double[] Membership(bool mean)
    {
        var lengths = new int[Candidates];
        foreach (var candidate in Candidate_T)
            lengths[candidate]++;
        var membership = new double[Candidates * Candidate_T.Length];
        for (var t = 0; t < Candidate_T.Length; t++)
            membership[Candidate_T[t] * Candidate_T.Length + t] = mean ? 1.0 / lengths[Candidate_T[t]] : 1;
        return membership;
    }
}
