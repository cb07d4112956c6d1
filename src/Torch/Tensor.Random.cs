using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Random numbers drawn by and into tensors.
    public partial class Tensor
    {
        public Tensor bernoulli(Generator? generator = null) => Made2(mdt_bernoulli(Handle, generator?.Handle ?? 0), generator);
        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) => Done(mdt_bernoulli_(Handle, p, generator?.Handle ?? 0), generator);

        public Tensor bernoulli_(Tensor p, Generator? generator = null) =>
            Done(mdt_bernoulli_tensor_(Handle, p.Handle, generator?.Handle ?? 0), p, generator);

        public Tensor multinomial(long num_samples, bool replacement = false, Generator? generator = null) =>
            Made2(mdt_multinomial(Handle, num_samples, Flag(replacement), generator?.Handle ?? 0), generator);

        public Tensor normal_(double mean = 0, double std = 1, Generator? generator = null) =>
            Done(mdt_normal_(Handle, mean, std, generator?.Handle ?? 0), generator);

        public Tensor uniform_(double from, double to, Generator? generator = null) =>
            Done(mdt_uniform_(Handle, from, to, generator?.Handle ?? 0), generator);

        public Tensor exponential_(double lambda = 1, Generator? generator = null) =>
            Done(mdt_exponential_(Handle, lambda, generator?.Handle ?? 0), generator);
    }
}
