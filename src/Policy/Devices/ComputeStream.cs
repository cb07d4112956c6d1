using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Devices;

/// <summary>
/// Streams of work on CUDA devices: what is given to one is done in order, and beside what others have. Threads share one unless they take their own. Tensors that
/// were made on one may be used on another only when they are done: who hands tensors to another thread waits for them first, by asking for a number of theirs.
/// </summary>
public static class ComputeStream
{
    /// <summary>
    /// From now on what this thread computes on the device goes to a stream of its own, so that it does not wait for what other threads compute there. All that the
    /// device was told to do before is waited for. On the CPU, where each thread computes by itself, nothing is done.
    /// </summary>
    public static void Take(Device device)
    {
        if (device.type != DeviceType.CUDA)
            return;
        cuda.synchronize(device);
        DeviceLibrary.TakeStream((int)device.type, device.index);
    }
}
