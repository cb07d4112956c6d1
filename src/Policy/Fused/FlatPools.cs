using MassDpo.Policy.Model;
using MassDpo.Shared.Contracts;

namespace MassDpo.Policy.Fused;

/// <summary>Pools as flat arrays, as native/fused takes them.</summary>
internal sealed unsafe class FlatPools
{
    private readonly int[] _prompts;
    private readonly int[] _candidates;
    private readonly int[] _responses;
    private readonly int[] _tokens;

    public FlatPools(IReadOnlyList<EncodedPool> pools)
    {
        Starts = new int[pools.Count + 1];
        _prompts = new int[pools.Count];
        _candidates = new int[pools.Count];
        var length = 0L;
        for (var n = 0; n < pools.Count; n++)
        {
            _prompts[n] = pools[n].Prompt.Length;
            _candidates[n] = pools[n].Candidates;
            Starts[n + 1] = Starts[n] + _candidates[n];
            length += _prompts[n];
            foreach (var response in pools[n].Responses)
                length += response.Length;
        }
        _responses = new int[Candidates];
        _tokens = new int[length];
        var (at, c) = (0, 0);
        foreach (var pool in pools)
        {
            Append(pool.Prompt);
            foreach (var response in pool.Responses)
            {
                _responses[c++] = response.Length;
                Append(response);
            }
        }

        void Append(int[] ids)
        {
            ids.CopyTo(_tokens, at);
            at += ids.Length;
        }
    }

    /// <summary>What is done with the pools while they stay where they are.</summary>
    public delegate void Body(FusedPools* given);

    /// <summary>[pools + 1] where each pool's candidates begin</summary>
    public int[] Starts { get; }

    /// <summary>C</summary>
    public int Candidates => Starts[^1];

    public void With(RotaryTable rotary, Body body)
    {
        fixed (int* prompts = _prompts, candidates = _candidates, responses = _responses, tokens = _tokens)
        {
            var given = new FusedPools
            {
                Prompts = prompts,
                Candidates = candidates,
                Responses = responses,
                Tokens = tokens,
                TokenCount = _tokens.Length,
                Count = _prompts.Length,
                Cos = (float*)FusedWeights.Address(rotary.Cos),
                Sin = (float*)FusedWeights.Address(rotary.Sin),
            };
            body(&given);
        }
    }
}
