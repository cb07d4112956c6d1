using System.Runtime.InteropServices;

namespace MassDpo.Policy.Fused;

/// <summary>
/// The C interface of native/fused, where this process has it: it is part of the library that <c>src/Torch</c> loads, so it is looked for among what is
/// loaded. With another Torch, or on a machine that cannot multiply and add in one, it is not there, and tensor operations do the work.
/// </summary>
internal static unsafe class FusedLibrary
{
    private const string FileName = "libmassdpo_torch.so";

    private static readonly nint Library = Find();

    /// <summary>Whether policies may be scored by it.</summary>
    public static bool IsAvailable => Library != 0;

    /// <summary>The best instruction set here: 2 AVX-512, 1 AVX2 with FMA, 0 neither. All give the same bits.</summary>
    public static int BestLevel => ((delegate* unmanaged<int>)Export("mdt_fused_level"))();

    /// <summary>A packed policy; the tensors must outlive it.</summary>
    public static nint Pack(FusedShape* shape, float** tensors)
    {
        var packed = ((delegate* unmanaged<FusedShape*, float**, nint>)Export("mdt_fused_pack"))(shape, tensors);
        return packed != 0 ? packed : throw Failure();
    }

    public static void Free(nint packed) => ((delegate* unmanaged<nint, void>)Export("mdt_fused_free"))(packed);

    /// <summary>Log-probabilities [C] and features [C × d], the latter unless null; the level −1 is the best.</summary>
    public static void Score(nint packed, FusedPools* pools, int level, float* logps, float* features) =>
        Check(((delegate* unmanaged<nint, FusedPools*, int, float*, float*, int>)Export("mdt_fused_score"))(packed, pools, level, logps, features));

    /// <summary>A policy to train; tensors and gradients must outlive it.</summary>
    public static nint NewLearner(FusedShape* shape, float** tensors, float** gradients)
    {
        var learner = ((delegate* unmanaged<FusedShape*, float**, float**, nint>)Export("mdt_fused_learner_new"))(shape, tensors, gradients);
        return learner != 0 ? learner : throw Failure();
    }

    public static void FreeLearner(nint learner) => ((delegate* unmanaged<nint, void>)Export("mdt_fused_learner_free"))(learner);

    /// <summary>Takes the weights as they are now.</summary>
    public static void Refresh(nint learner) => Check(((delegate* unmanaged<nint, int>)Export("mdt_fused_learner_refresh"))(learner));

    /// <summary>Log-probabilities [C], for the backward that follows; the level −1 is the best.</summary>
    public static void Forward(nint learner, FusedPools* pools, int level, float* logps) =>
        Check(((delegate* unmanaged<nint, FusedPools*, int, float*, int>)Export("mdt_fused_learner_forward"))(learner, pools, level, logps));

    /// <summary>Adds to the gradients, from those of the log-probabilities [C].</summary>
    public static void Backward(nint learner, int level, float* gradients) =>
        Check(((delegate* unmanaged<nint, int, float*, int>)Export("mdt_fused_learner_backward"))(learner, level, gradients));

    /// <summary>One step of Adam on some tensors.</summary>
    public static void Adam(FusedAdamSlot* slots, int count, FusedAdamStep* step) =>
        Check(((delegate* unmanaged<FusedAdamSlot*, int, FusedAdamStep*, int>)Export("mdt_fused_adam"))(slots, count, step));

    /// <summary>The sum of squares.</summary>
    public static double Squares(float* x, long count)
    {
        double result;
        Check(((delegate* unmanaged<float*, long, double*, int>)Export("mdt_fused_squares"))(x, count, &result));
        return result;
    }

    /// <summary>eˣ as the forward computes it.</summary>
    public static void Exp(int level, ReadOnlySpan<float> x, Span<float> y)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(y.Length, x.Length);
        fixed (float* from = x, to = y)
            Check(((delegate* unmanaged<int, float*, float*, long, int>)Export("mdt_fused_exp"))(level, from, to, x.Length));
    }

    /// <summary>C [m × n] = A [m × k]·Wᵀ for W [n × k], some times over, for measuring; W is packed once.</summary>
    public static void Multiply(int level, long m, long n, long k, ReadOnlySpan<float> a, ReadOnlySpan<float> w, Span<float> c, int times)
    {
        fixed (float* aAt = a, wAt = w, cAt = c)
            Check(((delegate* unmanaged<int, long, long, long, float*, float*, float*, int, int>)Export("mdt_fused_gemm"))(level, m, n, k, aAt, wAt, cAt, times));
    }

    private static nint Export(string name) => NativeLibrary.GetExport(Library, name);

    private static void Check(int status)
    {
        if (status != 0)
            throw Failure();
    }

    private static ExternalException Failure() => new(Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)Export("mdt_error"))()));

    private static nint Find()
    {
        // By its bare name the loader gives what is loaded under it, wherever from.
        if (!NativeLibrary.TryLoad(FileName, out var library) || !NativeLibrary.TryGetExport(library, "mdt_fused_level", out var level))
            return 0;
        // Without the instruction each fused multiply-add would be a call, far slower than tensor operations.
        return ((delegate* unmanaged<int>)level)() > 0 || RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? library : 0;
    }
}

/// <summary>An architecture, as native/fused/engine.h has it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FusedShape
{
    public int Hidden;
    public int Intermediate;
    public int Layers;
    public int Heads;
    public int KeyValueHeads;
    public int HeadSize;
    public int Vocabulary;
    public int Positions;
    public float Epsilon;
}

/// <summary>Pools as native/fused/interface.cpp takes them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FusedPools
{
    /// <summary>[N] tokens of each prompt</summary>
    public int* Prompts;

    /// <summary>[N] candidates of each pool</summary>
    public int* Candidates;

    /// <summary>[C] tokens of each response</summary>
    public int* Responses;

    /// <summary>Each pool's prompt, then its responses.</summary>
    public int* Tokens;

    public long TokenCount;

    /// <summary>N</summary>
    public int Count;

    /// <summary>[positions × head size / 2]</summary>
    public float* Cos;

    /// <summary>[positions × head size / 2]</summary>
    public float* Sin;
}

/// <summary>One tensor of Adam, as native/fused/training.h has it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FusedAdamSlot
{
    public float* Parameter;
    public float* Gradient;
    public float* Mean;
    public float* Square;
    public long Count;
    public float Decay;
}

/// <summary>The numbers of one step of Adam, as native/fused/training.h has them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FusedAdamStep
{
    public float Scale;
    public float Beta1;
    public float Rest1;
    public float Beta2;
    public float Rest2;
    public float Epsilon;
    public float Correction2;
    public float Rate;
}
