namespace TorchSharp;

public static partial class torch
{
    /// <summary>One index of <c>tensor[...]</c>: a position, a slice, a tensor of positions or of truth values, or a placeholder.</summary>
    public struct TensorIndex
    {
        internal NativeIndex Item;
        internal Tensor? Positions;

        private static TensorIndex Of(long kind, long start = 0) => new() { Item = new NativeIndex { Kind = kind, Start = start } };

        /// <summary>From start up to, not including, stop. Negative bounds count from the end.</summary>
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) => new()
        {
            Item = new NativeIndex
            {
                Kind = NativeIndex.KindSlice,
                Start = start ?? NativeIndex.Open,
                Stop = stop ?? NativeIndex.Open,
                Step = step ?? NativeIndex.Open,
            },
        };

        public static TensorIndex Slice((int? start, int? end) range) => Slice(range.start, (long?)range.end);

        public static TensorIndex Slice(Range range) =>
            Slice(range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value,
                range.End.IsFromEnd ? range.End.Value == 0 ? null : -range.End.Value : range.End.Value);

        public static TensorIndex Bool(bool value) => Of(NativeIndex.KindBoolean, value ? 1 : 0);

        public static TensorIndex Single(long? index) => Of(NativeIndex.KindSingle, index.GetValueOrDefault());

        public static TensorIndex Tensor(Tensor tensor) => new() { Item = new NativeIndex { Kind = NativeIndex.KindTensor }, Positions = tensor };

        /// <summary>As many whole dimensions as the other indices leave.</summary>
        public static TensorIndex Ellipsis = Of(NativeIndex.KindEllipsis);

        /// <summary>A new dimension of size one.</summary>
        public static TensorIndex None = Of(NativeIndex.KindNone);

        /// <summary>The same as <see cref="None"/>.</summary>
        public static TensorIndex Null = Of(NativeIndex.KindNone);

        /// <summary>A whole dimension.</summary>
        public static TensorIndex Colon = Slice();

        public static implicit operator TensorIndex(long value) => Single(value);

        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        public static implicit operator TensorIndex(Range range) => Slice(range);

        public static implicit operator TensorIndex(Index index) => Single(index.IsFromEnd ? -index.Value : index.Value);

        /// <summary>Only there so that an indexer's arguments are not taken for tensors; it throws.</summary>
        public static implicit operator Tensor(TensorIndex value) => throw new InvalidOperationException("Should not be called.");
    }
}
