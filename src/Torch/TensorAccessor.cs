using System.Collections;

namespace TorchSharp.Utils;

/// <summary>The elements of a tensor in main memory, row by row, whatever its strides. It keeps the tensor from being collected.</summary>
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T> where T : unmanaged
{
    private torch.Tensor? tensor;
    private T* elements;
    private readonly long[] shape;
    private readonly long[] strides;
    private readonly bool contiguous;

    internal TensorAccessor(torch.Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU)
            throw torch.Tensor.NotInMainMemory();
        this.tensor = tensor;
        elements = (T*)tensor.DataPointer;
        shape = tensor.shape;
        strides = tensor.stride();
        contiguous = tensor.is_contiguous();
        Count = tensor.numel();
    }

    public long Count { get; private set; }

    public bool IsReadOnly => false;

    /// <summary>The element at a position counted row by row, or at one position for each dimension.</summary>
    public T this[params long[] indices]
    {
        get => elements[Offset(indices)];
        set => elements[Offset(indices)] = value;
    }

    public T[] ToArray()
    {
        var result = new T[Count];
        CopyTo(result.AsSpan());
        return result;
    }

    /// <summary>An array of as many dimensions as the tensor has; a tensor without dimensions gives an array of one element.</summary>
    public Array ToNDArray()
    {
        if (shape.Length <= 1)
            return ToArray();
        var result = Array.CreateInstance(typeof(T), shape);
        fixed (byte* into = &System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(result))
        {
            // The elements of a .NET array lie row by row too.
            var target = (T*)into;
            for (var walk = new Walk(this, 0); walk.Next();)
                *target++ = elements[walk.Offset];
        }
        GC.KeepAlive(tensor);
        return result;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    /// <summary>Copies as many elements as there are, or as there is room for, from <paramref name="tensorIndex"/> on.</summary>
    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var target = array[arrayIndex..];
        if (contiguous)
        {
            var count = (int)Math.Min(target.Length, Count - Checked(tensorIndex));
            new ReadOnlySpan<T>(elements + tensorIndex, count).CopyTo(target);
        }
        else
        {
            var walk = new Walk(this, Checked(tensorIndex));
            for (var i = 0; i < target.Length && walk.Next(); i++)
                target[i] = elements[walk.Offset];
        }
        GC.KeepAlive(tensor);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    /// <summary>Copies as many elements as the array has from its index on, or as there is room for.</summary>
    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var source = array[arrayIndex..];
        if (contiguous)
        {
            var count = (int)Math.Min(source.Length, Count - Checked(tensorIndex));
            source[..count].CopyTo(new Span<T>(elements + tensorIndex, count));
        }
        else
        {
            var walk = new Walk(this, Checked(tensorIndex));
            for (var i = 0; i < source.Length && walk.Next(); i++)
                elements[walk.Offset] = source[i];
        }
        GC.KeepAlive(tensor);
    }

    public IEnumerator<T> GetEnumerator()
    {
        var walk = new Walk(this, 0);
        while (walk.Next())
            yield return At(walk.Offset);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public static bool operator ==(TensorAccessor<T> left, TensorAccessor<T> right) => left.Count == right.Count && left.SequenceEqual(right);

    public static bool operator !=(TensorAccessor<T> left, TensorAccessor<T> right) => !(left == right);

    public override bool Equals(object? obj) => obj is TensorAccessor<T> other && this == other;

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    /// <summary>Lets go of the tensor, which lives on.</summary>
    public void Dispose()
    {
        tensor = null;
        elements = null;
        Count = 0;
    }

    private T At(long offset) => elements[offset];

    private long Checked(long index) =>
        index >= 0 && (index < Count || Count == 0) ? index : throw new ArgumentOutOfRangeException($"{index} in a collection of {Count} elements.");

    private long Offset(long[] indices)
    {
        if (indices.Length == 1)
            return Linear(indices[0]);
        if (Count == 0 || indices.Length < shape.Length)
            throw new IndexOutOfRangeException($"{indices.Length} indices for {shape.Length} dimensions.");
        long offset = 0;
        for (var i = 0; i < shape.Length; i++)
        {
            if (indices[i] < 0 || indices[i] >= shape[i])
                throw new IndexOutOfRangeException($"{indices[i]} >= {shape[i]} in dimension {i}.");
            offset += indices[i] * strides[i];
        }
        return offset;
    }

    private long Linear(long index)
    {
        if (index >= Count)
            throw new IndexOutOfRangeException();
        if (index < 0)
            throw new ArgumentOutOfRangeException($"{index} in a collection of {Count} elements.");
        if (contiguous)
            return index;
        long offset = 0;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            (index, var position) = Math.DivRem(index, shape[i]);
            offset += position * strides[i];
        }
        return offset;
    }

    /// <summary>Goes through the elements' offsets row by row.</summary>
    private struct Walk
    {
        private readonly TensorAccessor<T> accessor;
        private readonly long[] position;
        private long left;

        public Walk(TensorAccessor<T> accessor, long start)
        {
            this.accessor = accessor;
            left = accessor.Count - start;
            position = new long[accessor.shape.Length];
            if (left <= 0)
                return;
            Offset = accessor.Linear(start);
            for (var i = position.Length - 1; i >= 0; i--)
                (start, position[i]) = Math.DivRem(start, accessor.shape[i]);
            started = false;
        }

        private bool started;

        public long Offset { get; private set; }

        public bool Next()
        {
            if (left <= 0)
                return false;
            left--;
            if (!started)
            {
                started = true;
                return true;
            }
            for (var i = position.Length - 1; i >= 0; i--)
            {
                Offset += accessor.strides[i];
                if (++position[i] < accessor.shape[i])
                    break;
                Offset -= position[i] * accessor.strides[i];
                position[i] = 0;
            }
            return true;
        }
    }
}
