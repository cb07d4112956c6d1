using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A source of random numbers: the same seed gives the same numbers.</summary>
    public class Generator : IDisposable
    {
        private nint handle;

        private Generator(nint handle, Device device)
        {
            this.handle = handle != 0 ? handle : throw Failure();
            this.device = device;
        }

        public Generator(ulong seed = 0, Device? device = null)
            : this(mdt_generator_new(seed, (int)InitializeDevice(device ?? CPU).type, device?.index ?? -1), device ?? CPU) { }

        ~Generator() => Dispose(false);

        /// <summary>The one that is taken where none is given, on the CPU.</summary>
        public static Generator Default => new(mdt_generator_default(), CPU);

        public IntPtr Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Generator));

        public Device device { get; private set; }

        /// <summary>The whole state as bytes.</summary>
        public Tensor get_state() => Tensor.Made(mdt_generator_get_state(Handle), this);

        public void set_state(Tensor value)
        {
            Check(mdt_generator_set_state(Handle, value.Handle));
            GC.KeepAlive(this);
            GC.KeepAlive(value);
        }

        public Generator manual_seed(long seed)
        {
            Check(mdt_generator_manual_seed(Handle, (ulong)seed));
            GC.KeepAlive(this);
            return this;
        }

        /// <summary>Seeds with the time, and tells what that was.</summary>
        public long seed()
        {
            var result = DateTime.UtcNow.Ticks;
            manual_seed(result);
            return result;
        }

        public unsafe long initial_seed()
        {
            ulong result;
            Check(mdt_generator_initial_seed(Handle, &result));
            GC.KeepAlive(this);
            return (long)result;
        }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            var owned = Interlocked.Exchange(ref handle, 0);
            if (owned != 0)
                mdt_generator_free(owned);
        }
    }

    /// <summary>The default generators.</summary>
    public static partial class random
    {
        /// <summary>Seeds those of all devices; the CPU's is returned.</summary>
        public static Generator manual_seed(long seed)
        {
            Check(mdt_manual_seed((ulong)seed));
            return Generator.Default;
        }

        public static long seed() => Generator.Default.seed();

        public static long initial_seed() => Generator.Default.initial_seed();

        public static Tensor get_rng_state() => Generator.Default.get_state();

        public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);
    }

    public static Generator manual_seed(long seed) => random.manual_seed(seed);

    public static long seed() => random.seed();

    public static long initial_seed() => random.initial_seed();

    public static Tensor get_rng_state() => random.get_rng_state();

    public static void set_rng_state(Tensor new_state) => random.set_rng_state(new_state);
}
