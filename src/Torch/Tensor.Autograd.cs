using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    // Gradients.
    public partial class Tensor
    {
        /// <summary>Whether operations on the tensor are recorded, so that gradients can be computed with respect to it.</summary>
        public bool requires_grad
        {
            get
            {
                var result = mdt_requires_grad(Handle) != 0;
                GC.KeepAlive(this);
                return result;
            }
            set => Done(mdt_set_requires_grad(Handle, value ? 1 : 0));
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            this.requires_grad = requires_grad;
            return this;
        }

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        /// <summary>Whether the tensor is no result of recorded operations.</summary>
        public unsafe bool is_leaf
        {
            get
            {
                int result;
                Done(mdt_is_leaf(Handle, &result));
                return result != 0;
            }
        }

        /// <summary>Makes <see cref="backward()"/> leave a gradient here although the tensor is no leaf.</summary>
        public void retain_grad() => Done(mdt_retain_grad(Handle));

        /// <summary>The gradient that <see cref="backward()"/> has accumulated: another tensor object each time, over the same memory.</summary>
        public unsafe Tensor? grad
        {
            get
            {
                nint result;
                Done(mdt_grad(Handle, &result));
                return result == 0 ? null : new Tensor(result);
            }
            set => Done(mdt_set_grad(Handle, value?.Handle ?? 0), value);
        }

        /// <summary>Adds the gradients of this tensor, a single number, to those of the leaves it was computed from.</summary>
        public void backward() => autograd.backward([this]);

        public void backward(IList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false,
            IList<Tensor>? inputs = null) =>
            autograd.backward([this], grad_tensors, retain_graph, create_graph, inputs);
    }
}
