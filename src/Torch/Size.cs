using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>The sizes of a tensor's dimensions.</summary>
    public struct Size : IEnumerable<long>
    {
        private readonly long[] sizes;

        public static readonly Size Empty = new(Array.Empty<long>());

        public Size(long[] shape) => sizes = (long[])shape.Clone();
        public Size(int[] shape) => sizes = Array.ConvertAll(shape, size => (long)size);
        public Size(IEnumerable<long> shape) => sizes = [.. shape];
        public Size(long size) => sizes = [size];
        public Size((long, long) size) => sizes = [size.Item1, size.Item2];
        public Size((long, long, long) size) => sizes = [size.Item1, size.Item2, size.Item3];
        public Size((long, long, long, long) size) => sizes = [size.Item1, size.Item2, size.Item3, size.Item4];
        public Size(int size) : this((long)size) { }
        public Size((int, int) size) => sizes = [size.Item1, size.Item2];
        public Size((int, int, int) size) => sizes = [size.Item1, size.Item2, size.Item3];
        public Size((int, int, int, int) size) => sizes = [size.Item1, size.Item2, size.Item3, size.Item4];

        public static implicit operator Size(long size) => new(size);
        public static implicit operator Size((long, long) size) => new(size);
        public static implicit operator Size((long, long, long) size) => new(size);
        public static implicit operator Size((long, long, long, long) size) => new(size);
        public static implicit operator Size(long[] size) => new(size);

        public readonly long[] Shape => sizes;

        public readonly int Length => sizes.Length;

        public readonly bool IsEmpty => sizes.Length == 0;

        public readonly bool IsScalar => sizes.Length == 0;

        public readonly long this[int idx] => sizes[idx];

        public readonly long this[long idx] => sizes[idx];

        public readonly long numel() => sizes.Aggregate(1L, (product, size) => product * size);

        /// <summary>From first up to, not including, next; a negative next counts from the end.</summary>
        public readonly Size Slice(int first, int next) => new(sizes[first..(next < 0 ? sizes.Length + next : next)]);

        public readonly IEnumerable<long> Take(int i) => sizes.Take(i);

        public static Size operator +(Size left, Size right) => new(left.sizes.Concat(right.sizes));

        public static Size operator +(Size left, IEnumerable<long> right) => new(left.sizes.Concat(right));

        public static bool operator ==(Size left, Size right) => left.sizes.AsSpan().SequenceEqual(right.sizes);

        public static bool operator !=(Size left, Size right) => !(left == right);

        public override readonly bool Equals([NotNullWhen(true)] object? obj) => obj is Size other && this == other;

        public override readonly int GetHashCode()
        {
            var hash = new HashCode();
            foreach (var size in sizes)
                hash.Add(size);
            return hash.ToHashCode();
        }

        public readonly IEnumerator<long> GetEnumerator() => ((IEnumerable<long>)sizes).GetEnumerator();

        readonly IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
