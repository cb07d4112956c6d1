using static TorchSharp.torch;

namespace MassDpo.Policy.Lora;

/// <summary>What an adapter adds to one matrix: s·B·A (LoRA, arXiv 2106.09685).</summary>
/// <param name="A">[rank, inputs]</param>
/// <param name="B">[outputs, rank]</param>
/// <param name="Scale">s</param>
public sealed record LowRank(Tensor A, Tensor B, double Scale);
