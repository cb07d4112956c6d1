using System.Numerics;
using System.Runtime.InteropServices;

namespace MassDpo.Policy.Tokenizers;

/// <summary>Finds texts by their UTF-8 without making another text: a table of linear probing, half full at most.</summary>
internal sealed class Utf8Index
{
    private readonly Slot[] _slots;
    private readonly byte[] _bytes;

    /// <param name="texts">distinct</param>
    public Utf8Index(IReadOnlyCollection<string> texts)
    {
        _slots = new Slot[BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, texts.Count) * 2)];
        _bytes = new byte[texts.Sum(System.Text.Encoding.UTF8.GetByteCount)];
        var start = 0;
        foreach (var text in texts)
        {
            var length = System.Text.Encoding.UTF8.GetBytes(text, _bytes.AsSpan(start));
            var hash = Hash(_bytes.AsSpan(start, length));
            var at = hash & (uint)(_slots.Length - 1);
            while (_slots[at].Text is not null)
                at = (at + 1) & (uint)(_slots.Length - 1);
            _slots[at] = new Slot(text, hash, start, length);
            start += length;
        }
    }

    /// <summary>The text of these bytes; null where it is none of them.</summary>
    public string? Find(ReadOnlySpan<byte> utf8)
    {
        var (slots, hash) = (_slots, Hash(utf8));
        for (var at = hash & (uint)(slots.Length - 1); ; at = (at + 1) & (uint)(slots.Length - 1))
        {
            ref readonly var slot = ref slots[at];
            if (slot.Text is null || (slot.Hash == hash && utf8.SequenceEqual(_bytes.AsSpan(slot.Start, slot.Length))))
                return slot.Text;
        }
    }

    // Eight bytes at a time, mixed by a product of which the high half comes back. Texts are the vocabulary's own: nobody can choose them to collide.
    private static uint Hash(ReadOnlySpan<byte> utf8)
    {
        const ulong odd = 0x9E3779B97F4A7C15;
        var hash = (ulong)utf8.Length;
        while (utf8.Length >= sizeof(ulong))
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(utf8));
            utf8 = utf8[sizeof(ulong)..];
        }
        var rest = 0UL;
        foreach (var one in utf8)
            rest = rest << 8 | one;
        return (uint)Mix(hash ^ rest);

        static ulong Mix(ulong value)
        {
            var high = Math.BigMul(value, odd, out var low);
            return high ^ low;
        }
    }

    private readonly record struct Slot(string? Text, uint Hash, int Start, int Length);
}
