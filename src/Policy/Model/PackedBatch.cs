using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>
/// Pools laid out for one forward. Each pool is one row, a pack: its prompt, then what is left of each response without its last token, positions
/// restarting after the prompt, each response seeing the prompt and itself only. So a prompt is computed once for all its candidates, and a response
/// of one token costs nothing beyond the prompt. Rows are filled up at the end to the longest.
/// <para>Legend of shapes: N rows, L columns, R the most predicting places of a row, U predicting places of all rows, T response tokens, C candidates.</para>
/// </summary>
public sealed class PackedBatch : IDisposable
{
    private PackedBatch(int rows, int length, int[] candidateStart) => (Rows, Length, CandidateStart) = (rows, length, candidateStart);

    /// <summary>N</summary>
    public int Rows { get; }

    /// <summary>L</summary>
    public int Length { get; }

    /// <summary>[N+1] where each row's candidates begin among the C of all.</summary>
    public int[] CandidateStart { get; }

    /// <summary>C</summary>
    public int Candidates => CandidateStart[^1];

    /// <summary>[N·L] token ids.</summary>
    public required Tensor Tokens { get; init; }

    /// <summary>[N·L] positions; null where each row counts 0, 1, 2, …</summary>
    public Tensor? Positions { get; init; }

    /// <summary>[N·L] 0 in the prompt, which all in its row see, and a number for each response, which it alone sees; null where each place sees all before it in its row.</summary>
    public Tensor? Segments { get; init; }

    /// <summary>R</summary>
    public required int PlacesPerRow { get; init; }

    /// <summary>[N·R] the places of N·L that predict response tokens; rows with fewer repeat their first.</summary>
    public required Tensor Places_NR { get; init; }

    /// <summary>[U] which of N·R are real; null where all are.</summary>
    public Tensor? Real_U { get; init; }

    /// <summary>[T] from which of the U places each response token is predicted.</summary>
    public required Tensor Place_T { get; init; }

    /// <summary><see cref="Place_T"/> in main memory.</summary>
    public required IReadOnlyList<long> PlaceOfToken { get; init; }

    /// <summary>[T] the response tokens' ids.</summary>
    public required Tensor Token_T { get; init; }

    /// <summary>[T] whose tokens they are, of C; null where every response has one token, so that T = C.</summary>
    public Tensor? Candidate_T { get; init; }

    /// <summary>[T] 1 where a token is predicted from its own candidate's place, 0 where from the place that all candidates of its pool share; null where all share.</summary>
    public Tensor? Own_T { get; init; }

    /// <summary>Lays pools out. The caller disposes the result.</summary>
    /// <param name="pools">at least one</param>
    /// <param name="device">where they are computed; null: on the CPU</param>
    public static PackedBatch Of(IReadOnlyList<EncodedPool> pools, Device? device = null)
    {
        var starts = new int[pools.Count + 1];
        var length = 0;
        var places = 0;
        var tokens = 0;
        var allOneToken = true;
        for (var n = 0; n < pools.Count; n++)
        {
            starts[n + 1] = starts[n] + pools[n].Candidates;
            var packed = pools[n].Prompt.Length;
            var rowPlaces = 1;
            foreach (var response in pools[n].Responses)
            {
                packed += response.Length - 1;
                rowPlaces += response.Length - 1;
                tokens += response.Length;
                allOneToken &= response.Length == 1;
            }
            length = Math.Max(length, packed);
            places = Math.Max(places, rowPlaces);
        }
        var layout = new Layout(pools, starts, length, places, tokens, allOneToken);
        device ??= CPU;
        return new PackedBatch(pools.Count, length, starts)
        {
            Tokens = Persist(layout.Tokens, device),
            Positions = allOneToken ? null : Persist(layout.Positions, device),
            Segments = allOneToken ? null : Persist(layout.Segments, device),
            PlacesPerRow = places,
            Places_NR = Persist(layout.Places, device),
            Real_U = layout.Real.Count == layout.Places.Length ? null : Persist([.. layout.Real], device),
            Place_T = Persist(layout.PlaceOfToken, device),
            PlaceOfToken = layout.PlaceOfToken,
            Token_T = Persist(layout.TokenIds, device),
            Candidate_T = allOneToken ? null : Persist(layout.CandidateOfToken, device),
            Own_T = allOneToken ? null : tensor(layout.Own, dtype: ScalarType.Float32, device: device).DetachFromDisposeScope(),
        };
    }

    /// <summary>
    /// Lays plain sequences out for next-token prediction: each row one sequence, predicted at some of its places only. Every predicted token counts as a
    /// candidate of its own. The caller disposes the result.
    /// </summary>
    /// <param name="sequences">token ids, and places in them, at least one; place p predicts token p+1</param>
    /// <param name="device">where they are computed; null: on the CPU</param>
    public static PackedBatch OfSequences(IReadOnlyList<(int[] Tokens, int[] Places)> sequences, Device? device = null)
    {
        // The last token of a sequence predicts nothing.
        var length = sequences.Max(sequence => sequence.Tokens.Length) - 1;
        var perRow = sequences.Max(sequence => sequence.Places.Length);
        var starts = new int[sequences.Count + 1];
        var tokens = new long[sequences.Count * length];
        var places = new long[sequences.Count * perRow];
        var real = new List<long>(places.Length);
        var targets = new List<long>(places.Length);
        for (var n = 0; n < sequences.Count; n++)
        {
            var (ids, predicting) = sequences[n];
            starts[n + 1] = starts[n] + predicting.Length;
            for (var i = 0; i < ids.Length - 1; i++)
                tokens[n * length + i] = ids[i];
            for (var i = 0; i < perRow; i++)
            {
                places[n * perRow + i] = n * length + predicting[Math.Min(i, predicting.Length - 1)];
                if (i >= predicting.Length)
                    continue;
                real.Add(n * perRow + i);
                targets.Add(ids[predicting[i] + 1]);
            }
        }
        device ??= CPU;
        return new PackedBatch(sequences.Count, length, starts)
        {
            Tokens = Persist(tokens, device),
            PlacesPerRow = perRow,
            Places_NR = Persist(places, device),
            Real_U = real.Count == places.Length ? null : Persist([.. real], device),
            Place_T = arange(targets.Count, dtype: ScalarType.Int64, device: device).DetachFromDisposeScope(),
            PlaceOfToken = [.. Enumerable.Range(0, targets.Count).Select(place => (long)place)],
            Token_T = Persist([.. targets], device),
        };
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { Tokens, Positions, Segments, Places_NR, Real_U, Place_T, Token_T, Candidate_T, Own_T })
            tensor?.Dispose();
    }

    private static Tensor Persist(long[] values, Device device) => tensor(values, dtype: ScalarType.Int64, device: device).DetachFromDisposeScope();

    /// <summary>The arrays behind the tensors.</summary>
    private sealed class Layout
    {
        public Layout(IReadOnlyList<EncodedPool> pools, int[] starts, int length, int placesPerRow, int tokens, bool allOneToken)
        {
            var rows = pools.Count;
            Tokens = new long[rows * length];
            Positions = allOneToken ? [] : new long[rows * length];
            Segments = allOneToken ? [] : new long[rows * length];
            Places = new long[rows * placesPerRow];
            PlaceOfToken = new long[tokens];
            TokenIds = new long[tokens];
            CandidateOfToken = allOneToken ? [] : new long[tokens];
            Own = allOneToken ? [] : new float[tokens];
            var t = 0;
            for (var n = 0; n < rows; n++)
            {
                var (prompt, responses) = (pools[n].Prompt, pools[n].Responses);
                var row = n * length;
                var at = row;
                for (var i = 0; i < prompt.Length; i++, at++)
                {
                    Tokens[at] = prompt[i];
                    if (!allOneToken)
                        Positions[at] = i;
                }
                var place = n * placesPerRow;
                var shared = Real.Count;
                Places[place] = at - 1;
                Real.Add(place++);
                for (var c = 0; c < responses.Length; c++)
                {
                    var response = responses[c];
                    for (var i = 0; i < response.Length; i++, t++)
                    {
                        TokenIds[t] = response[i];
                        PlaceOfToken[t] = i == 0 ? shared : Real.Count - 1;
                        if (allOneToken)
                            continue;
                        CandidateOfToken[t] = starts[n] + c;
                        Own[t] = i == 0 ? 0 : 1;
                        if (i == response.Length - 1)
                            continue;
                        // The last token predicts nothing, so it needs no place.
                        Tokens[at] = response[i];
                        Positions[at] = prompt.Length + i;
                        Segments[at] = c + 1;
                        Places[place] = at;
                        Real.Add(place++);
                        at++;
                    }
                }
                for (; place < (n + 1) * placesPerRow; place++)
                    Places[place] = Places[n * placesPerRow];
                // What fills the row up sees what the last response sees, and nothing real sees it.
                for (; !allOneToken && at < row + length; at++)
                    Segments[at] = responses.Length;
            }
        }

        public long[] Tokens { get; }
        public long[] Positions { get; }
        public long[] Segments { get; }
        public long[] Places { get; }
        public List<long> Real { get; } = [];
        public long[] PlaceOfToken { get; }
        public long[] TokenIds { get; }
        public long[] CandidateOfToken { get; }
        public float[] Own { get; }
    }
}
