using System.Globalization;
using MassDpo.Policy.Model;
using MassDpo.Shared.Settings;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.App.Running;

/// <summary>What settings say of where a policy is computed, and in what type.</summary>
internal static class PlacementSettings
{
    /// <summary>Name of the compute type's setting.</summary>
    public const string ComputeTypeKey = "runtime.compute-type";

    /// <summary>Name of the device's setting.</summary>
    public const string DeviceKey = "runtime.device";

    private static readonly Dictionary<string, ScalarType> Types = new() { ["float32"] = ScalarType.Float32, ["bfloat16"] = ScalarType.BFloat16 };

    /// <summary>Whether the device is there is not asked yet: settings may be checked on another machine.</summary>
    /// <exception cref="Shared.Settings.Hocon.HoconException">no such type, or no name of a device</exception>
    public static Placement From(EffectiveSettings settings)
    {
        var name = settings.Text(DeviceKey);
        return new Placement(settings.Choice(ComputeTypeKey, Types), name switch
        {
            "cpu" => CPU,
            "cuda" => new Device(DeviceType.CUDA),
            _ when name.StartsWith("cuda:", StringComparison.Ordinal) && byte.TryParse(name.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index) => new Device(DeviceType.CUDA, index),
            _ => throw settings.Outside(DeviceKey, $"'{name}'", "write cpu, cuda, or cuda:N with the number of the device"),
        });
    }

    /// <summary>What of a device's name a run must go on with: another one of the same kind is as good.</summary>
    public static string KindOf(string name) => name.Split(':')[0];

    /// <summary>Makes sure that a device is there before anything is loaded onto it.</summary>
    /// <exception cref="InvalidDataException">it is not</exception>
    public static void CheckThere(Device device)
    {
        var count = device.type == DeviceType.CUDA && cuda.is_available() ? cuda.device_count() : 0;
        if (device.type == DeviceType.CUDA && Math.Max(0, device.index) >= count)
            throw new InvalidDataException($"{DeviceKey} = {device}: libtorch {__version__} finds {(count == 0 ? "no CUDA device" : $"{count} CUDA devices, counted from 0")} here; "
                + (count == 0 ? "set it to cpu, or build against a PyTorch with CUDA (LIBTORCH, see CONTRIBUTING.md) where there is a driver" : "name one of them"));
    }
}
