using System.Security.Cryptography;
using MassDpo.Shared.Contracts;
using static TorchSharp.torch;

namespace MassDpo.Policy.Model;

/// <summary>The hash of named tensors: over names, types, shapes and bytes, in ordinal order of names.</summary>
internal static class TensorHash
{
    // Numbers at a time: a span holds less than a large matrix has.
    private const long Piece = 1 << 24;

    /// <param name="tensors">in ordinal order of names</param>
    /// <param name="before">what goes before them, such as the hash of what they stand on</param>
    public static string Of(SortedDictionary<string, Tensor> tensors, string before = "")
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(before));
        foreach (var (name, tensor) in tensors)
        {
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {TypeName(tensor.dtype)} [{string.Join(',', tensor.shape)}]\n"));
            using var scope = NewDisposeScope();
            var flat = tensor.detach().view(-1);
            for (var at = 0L; at < flat.shape[0]; at += Piece)
            {
                using var piece = NewDisposeScope();
                hash.AppendData(flat.narrow(0, at, Math.Min(Piece, flat.shape[0] - at)).cpu().bytes);
            }
        }
        return ContentHash.Current(hash);
    }

    private static string TypeName(ScalarType type) => type switch
    {
        ScalarType.Float32 => "F32",
        ScalarType.BFloat16 => "BF16",
        ScalarType.Float16 => "F16",
        _ => type.ToString(),
    };
}
