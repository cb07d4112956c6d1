using System.Runtime.CompilerServices;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>
    /// A tensor of libtorch's. It holds memory outside the garbage collector's reach: dispose of it, or let a <see cref="DisposeScope"/> do so.
    /// What is forgotten is freed when the collector finalises it.
    /// </summary>
    public partial class Tensor : IDisposable
    {
        private nint handle;

        private static long totalCount;
        private static long peakCount;

        internal DisposeScope? OwningDisposeScope { get; set; }

        /// <summary>Takes over a native tensor. A zero handle makes a tensor that is there in name only: <see cref="IsInvalid"/>.</summary>
        internal Tensor(nint handle, bool register = true)
        {
            this.handle = handle;
            if (handle == 0)
            {
                GC.SuppressFinalize(this);
                return;
            }
            var count = Interlocked.Increment(ref totalCount);
            for (var peak = Volatile.Read(ref peakCount); count > peak; peak = Volatile.Read(ref peakCount))
                if (Interlocked.CompareExchange(ref peakCount, count, peak) == peak)
                    break;
            if (register)
                OwningDisposeScope = DisposeScopeManager.ThreadSingleton.Register(this);
        }

        ~Tensor() => Dispose(false);

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            // Exchanged, so that of two threads that dispose at once only one frees.
            var owned = Interlocked.Exchange(ref handle, 0);
            if (owned == 0)
                return;
            DisposeScopeManager.ThreadSingleton.CountDisposal(this);
            // A finaliser runs on another thread; what it sees of the scope is garbage too.
            if (disposing)
                OwningDisposeScope?.MarkAsDisposed(this);
            Interlocked.Decrement(ref totalCount);
            Native.mdt_free(owned);
        }

        /// <summary>Whether the tensor was disposed of, or never stood for anything.</summary>
        public bool IsInvalid => handle == 0;

        /// <summary>The address of the at::Tensor; throws once it is disposed of.</summary>
        public IntPtr Handle
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get
            {
                var current = handle;
                if (current == 0)
                    ThrowInvalid();
                return current;
            }
        }

        private static void ThrowInvalid() => throw new InvalidOperationException("Tensor invalid -- empty handle.");

        /// <summary>A tensor over an at::Tensor that another library made; it owns that from now on.</summary>
        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        /// <summary>Gives the at::Tensor up: who called has to free it.</summary>
        public IntPtr DecoupleFromNativeHandle()
        {
            GC.SuppressFinalize(this);
            var owned = Interlocked.Exchange(ref handle, 0);
            if (owned == 0)
                ThrowInvalid();
            Interlocked.Decrement(ref totalCount);
            return owned;
        }

        /// <summary>The at::Tensor on its way into another object, which counts for this one's.</summary>
        internal IntPtr MoveHandle() => DecoupleFromNativeHandle();

        /// <summary>How many tensors there are that were not disposed of.</summary>
        public static long TotalCount => Interlocked.Read(ref totalCount);

        /// <summary>The most there have been.</summary>
        public static long PeakCount => Interlocked.Read(ref peakCount);

        /// <summary>A name of the user's choice.</summary>
        public string? name { get; set; }

        // ---- dispose scopes ----

        /// <summary>Moves the tensor from its scope to the enclosing one, or out of all scopes where there is none.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            OwningDisposeScope?.MoveToOuter(this);
            return this;
        }

        /// <summary>Takes the tensor out of its scope: it lives until it is disposed of.</summary>
        public Tensor DetachFromDisposeScope()
        {
            OwningDisposeScope?.Detach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningDisposeScope);

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningDisposeScope is { } scope)
                scope.MoveToOther(other, this);
            else
                other?.Attach(this);
            return this;
        }

        // ---- results of native calls ----
        //
        // The collector may finalise an object while a call still uses its handle, once no code mentions the object any more. Each of these therefore
        // takes what the call used after the call has returned, and keeps it alive until then.

        /// <summary>A native function's result as a tensor; throws its error if there is none.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static Tensor Made(nint result)
        {
            if (result == 0)
                throw Native.Failure();
            return new Tensor(result);
        }

        /// <summary>The same, keeping alive what the call used.</summary>
        internal static Tensor Made(nint result, object? used, object? used2 = null, object? used3 = null, object? used4 = null)
        {
            GC.KeepAlive(used);
            GC.KeepAlive(used2);
            GC.KeepAlive(used3);
            GC.KeepAlive(used4);
            return Made(result);
        }

        private Tensor Made1(nint result)
        {
            GC.KeepAlive(this);
            return Made(result);
        }

        private Tensor Made2(nint result, object? used)
        {
            GC.KeepAlive(this);
            GC.KeepAlive(used);
            return Made(result);
        }

        private Tensor Made3(nint result, object? used, object? usedToo)
        {
            GC.KeepAlive(this);
            GC.KeepAlive(used);
            GC.KeepAlive(usedToo);
            return Made(result);
        }

        /// <summary>This tensor, which a native function has worked on.</summary>
        private Tensor Done(int status)
        {
            GC.KeepAlive(this);
            Native.Check(status);
            return this;
        }

        private Tensor Done(int status, object? used)
        {
            GC.KeepAlive(used);
            return Done(status);
        }

        private Tensor Done(int status, object? used, object? usedToo)
        {
            GC.KeepAlive(used);
            GC.KeepAlive(usedToo);
            return Done(status);
        }

        /// <summary>A list of tensors that a native function has made, of which it told the number.</summary>
        internal static unsafe Tensor[] MadeList(long count)
        {
            if (count < 0)
                throw Native.Failure();
            var handles = new nint[count];
            fixed (nint* into = handles)
                Native.Check(Native.mdt_take_list(into));
            return Array.ConvertAll(handles, handle => new Tensor(handle));
        }

        private Tensor[] MadeList1(long count)
        {
            GC.KeepAlive(this);
            return MadeList(count);
        }

        /// <summary>The handles of tensors, zero for null; the caller keeps them alive.</summary>
        internal static void CopyHandles(IList<Tensor> tensors, Span<nint> into)
        {
            for (var i = 0; i < into.Length; i++)
                into[i] = tensors[i]?.Handle ?? 0;
        }
    }
}
