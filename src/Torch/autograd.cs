using static TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Gradients by automatic differentiation.</summary>
    public static partial class autograd
    {
        /// <summary>
        /// The gradients of the outputs' sum, weighted by grad_outputs, with respect to the inputs. With allow_unused the gradient of an input that
        /// the outputs do not depend on is a tensor that <see cref="Tensor.IsInvalid"/>.
        /// </summary>
        public static unsafe IList<Tensor> grad(IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor>? grad_outputs = null,
            bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            fixed (nint* o = Handles(outputs), i = Handles(inputs), g = Handles(grad_outputs))
            {
                var count = mdt_autograd_grad(o, outputs.Count, i, inputs.Count, g, grad_outputs?.Count ?? 0,
                    retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0);
                GC.KeepAlive(outputs);
                GC.KeepAlive(inputs);
                GC.KeepAlive(grad_outputs);
                return Tensor.MadeList(count);
            }
        }

        /// <summary>Adds the gradients to those of the leaves, or of the given inputs alone.</summary>
        public static unsafe void backward(IList<Tensor> tensors, IList<Tensor>? grad_tensors = null, bool? retain_graph = null,
            bool create_graph = false, IList<Tensor>? inputs = null)
        {
            fixed (nint* t = Handles(tensors), g = Handles(grad_tensors), i = Handles(inputs))
            {
                var status = mdt_backward(t, tensors.Count, g, grad_tensors?.Count ?? 0, retain_graph ?? create_graph ? 1 : 0,
                    create_graph ? 1 : 0, i, inputs?.Count ?? 0);
                GC.KeepAlive(tensors);
                GC.KeepAlive(grad_tensors);
                GC.KeepAlive(inputs);
                Check(status);
            }
        }

        public static void backward(Tensor tensor, IList<Tensor>? grad_tensors = null, bool? retain_graph = null, bool create_graph = false,
            IList<Tensor>? inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        public static void backward(Tensor tensor, Tensor grad_tensor, bool? retain_graph = null, bool create_graph = false,
            IList<Tensor>? inputs = null) =>
            backward([tensor], [grad_tensor], retain_graph, create_graph, inputs);

        private static nint[]? Handles(IList<Tensor>? tensors)
        {
            if (tensors is null)
                return null;
            var result = new nint[tensors.Count];
            Tensor.CopyHandles(tensors, result);
            return result;
        }
    }
}
