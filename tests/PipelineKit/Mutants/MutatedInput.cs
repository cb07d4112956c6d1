using System.Text;
using MassDpo.PolicyKit;
using MassDpo.Shared.Numerics;

namespace MassDpo.PipelineKit.Mutants;

/// <summary>A reader, whole inputs of it, and what it makes of mutated ones: each is read, or refused with a reason; anything else is a defect.</summary>
public abstract class MutatedInput : IDisposable
{
    /// <summary>What is read.</summary>
    public abstract string Name { get; }

    /// <summary>Reads mutants <paramref name="first"/> … and tells of each what became of it: <c>valid</c>, or how it was refused.</summary>
    /// <exception cref="MutantException">one was neither read nor refused</exception>
    public abstract void Read(int first, int count, Action<string> verdict);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Mutant i of some whole inputs; the same number gives the same bytes.</summary>
    protected byte[] Mutant(int i, IReadOnlyList<byte[]> whole)
    {
        var random = new StableRandom(i, Name.Length, 0x30747);
        return Mutations.Of(whole[i % whole.Count], ref random);
    }

    protected MutantException Defect(int i, string found, ReadOnlySpan<byte> mutant, Exception? inner = null) =>
        new($"mutant {i} of {Name}: {found}\n{Encoding.UTF8.GetString(mutant[..Math.Min(mutant.Length, 4000)])}", inner);
}

/// <summary>A reader of one input at a time.</summary>
public abstract class MutatedFile : MutatedInput
{
    public override void Read(int first, int count, Action<string> verdict)
    {
        for (var i = first; i < first + count; i++)
        {
            var mutant = MutantOf(i);
            try
            {
                verdict(Read(mutant, i));
            }
            catch (Exception e)
            {
                throw Defect(i, $"{e.GetType().Name}: {e.Message}", mutant, e);
            }
        }
    }

    protected abstract byte[] MutantOf(int i);

    /// <summary>What became of it; an exception is a defect.</summary>
    protected abstract string Read(byte[] mutant, int i);
}

/// <summary>A mutated input was neither read nor refused.</summary>
public sealed class MutantException(string message, Exception? inner) : Exception(message, inner);
