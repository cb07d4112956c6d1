using System.Collections;
using System.Runtime.CompilerServices;

namespace MassDpo.Policy;

/// <summary>Ids of tokens, in an order. Two with the same ids are equal, so that records that hold some are.</summary>
[CollectionBuilder(typeof(TokenIds), nameof(Of))]
public sealed class TokenIds : IReadOnlyList<int>, IEquatable<TokenIds>
{
    private readonly int[] _ids;

    private TokenIds(int[] ids) => _ids = ids;

    public int Count => _ids.Length;

    public int this[int index] => _ids[index];

    public static TokenIds Of(ReadOnlySpan<int> ids) => new(ids.ToArray());

    public bool Equals(TokenIds? other) => other is not null && _ids.AsSpan().SequenceEqual(other._ids);

    public override bool Equals(object? obj) => Equals(obj as TokenIds);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var id in _ids)
            hash.Add(id);
        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(", ", _ids)}]";

    public IEnumerator<int> GetEnumerator() => _ids.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
