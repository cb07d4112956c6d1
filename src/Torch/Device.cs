namespace TorchSharp;

/// <summary>The kind of a device. The numbers are libtorch's own.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
    MKLDNN = 2,
    OPENGL = 3,
    OPENCL = 4,
    IDEEP = 5,
    HIP = 6,
    FPGA = 7,
    MSNPU = 8,
    XLA = 9,
    MPS = 13,
    META = 14,
}

public static partial class torch
{
    /// <summary>Where a tensor lies: a kind of device and, where there are several of it, which one (-1: the current one).</summary>
    public class Device
    {
        public DeviceType type { get; private set; }

        public int index { get; private set; }

        /// <summary>A device from its description: "cpu", "cuda", "cuda:1".</summary>
        public Device(string description)
        {
            var colon = description.IndexOf(':');
            type = Enum.Parse<DeviceType>((colon < 0 ? description : description[..colon]).ToUpperInvariant());
            index = colon < 0 ? -1 : int.Parse(description.AsSpan(colon + 1));
        }

        public Device(string deviceType, int index = -1)
        {
            type = Enum.Parse<DeviceType>(deviceType.ToUpperInvariant());
            this.index = index;
        }

        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        /// <summary>The CUDA device of that number.</summary>
        public Device(int index) : this(DeviceType.CUDA, index) { }

        public override string ToString() =>
            type == DeviceType.CPU ? "cpu" : index == -1 ? type.ToString().ToLowerInvariant() : $"{type.ToString().ToLowerInvariant()}:{index}";

        public static implicit operator Device(string description) => new(description);
    }

    public static readonly Device CPU = new(DeviceType.CPU);

    public static readonly Device META = new(DeviceType.META);

    private static Device default_device = CPU;

    /// <summary>The CUDA device; throws where there is none.</summary>
    public static Device CUDA => InitializeDevice(new Device(DeviceType.CUDA));

    public static Device device(string description) => InitializeDevice(new Device(description));

    public static Device device(string deviceType, int index = -1) => InitializeDevice(new Device(deviceType, index));

    public static Device device(DeviceType deviceType, int index = -1) => InitializeDevice(new Device(deviceType, index));

    public static Device device(int index) => new(DeviceType.CUDA, index);

    /// <summary>Where new tensors lie when nothing else is said.</summary>
    public static Device get_default_device() => default_device;

    public static void set_default_device(Device device) => default_device = InitializeDevice(device);

    public static void set_default_device(string device) => default_device = torch.device(device);

    /// <summary>The given device, or else the default one, once it is known to be there.</summary>
    public static Device InitializeDevice(Device? device)
    {
        device ??= default_device;
        InitializeDeviceType(device.type);
        return device;
    }

    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (!TryInitializeDeviceType(deviceType))
            throw new InvalidOperationException($"Torch device type {deviceType} did not initialise on the current machine.");
    }

    public static bool TryInitializeDeviceType(DeviceType deviceType) => deviceType != DeviceType.CUDA || cuda_is_available();

    private static int cuda_available = -1;

    public static bool cuda_is_available()
    {
        // It does not change while the process lives, and is asked for with every new tensor.
        if (cuda_available < 0)
            cuda_available = Native.mdt_cuda_is_available();
        return cuda_available == 1;
    }
}
