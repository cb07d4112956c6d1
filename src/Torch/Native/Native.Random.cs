using System.Runtime.InteropServices;

namespace TorchSharp;

// native/core/random.cpp
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern nint mdt_generator_new(ulong seed, int device, int index);
    [DllImport(Library)] internal static extern nint mdt_generator_default();
    [DllImport(Library)] internal static extern void mdt_generator_free(nint g);
    [DllImport(Library)] internal static extern nint mdt_generator_get_state(nint g);
    [DllImport(Library)] internal static extern int mdt_generator_set_state(nint g, nint state);
    [DllImport(Library)] internal static extern int mdt_generator_manual_seed(nint g, ulong seed);
    [DllImport(Library)] internal static extern int mdt_generator_initial_seed(nint g, ulong* into);
    [DllImport(Library)] internal static extern int mdt_manual_seed(ulong seed);
    [DllImport(Library)] internal static extern nint mdt_rand(long* sizes, int count, nint g, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_randn(long* sizes, int count, nint g, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_randint(long low, long high, long* sizes, int count, nint g, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_randperm(long n, nint g, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_rand_like(nint a, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_randn_like(nint a, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_randint_like(nint a, long low, long high, NativeOptions o);
    [DllImport(Library)] internal static extern nint mdt_bernoulli(nint p, nint g);
    [DllImport(Library)] internal static extern int mdt_bernoulli_(nint a, double p, nint g);
    [DllImport(Library)] internal static extern int mdt_bernoulli_tensor_(nint a, nint p, nint g);
    [DllImport(Library)] internal static extern nint mdt_multinomial(nint p, long samples, int replacement, nint g);
    [DllImport(Library)] internal static extern int mdt_normal_(nint a, double mean, double std, nint g);
    [DllImport(Library)] internal static extern int mdt_uniform_(nint a, double from, double to, nint g);
    [DllImport(Library)] internal static extern int mdt_exponential_(nint a, double lambda, nint g);
}
