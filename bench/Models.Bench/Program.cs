using MassDpo.Models.Bench;
using static TorchSharp.torch;

// Figures of language models on this machine, as tables for results.md. One thread inside an operation; what is measured in memory runs in a process of its own.
set_num_threads(1);
switch (args)
{
    case ["load"]:
        return LoadMemory.Run(ScalarType.Float32) ? 0 : 1;
    case ["load", "bfloat16"]:
        return LoadMemory.Run(ScalarType.BFloat16) ? 0 : 1;
    case ["load", "child", var directory, var type]:
        LoadMemory.Child(directory, Enum.Parse<ScalarType>(type));
        return 0;
    case ["packed"]:
        return PackedTime.Run() ? 0 : 1;
    case ["memory"]:
        PeakMemory.Run();
        return 0;
    case ["memory", "child", var vocabulary, var what, var checkpointing]:
        PeakMemory.Child(int.Parse(vocabulary), what, bool.Parse(checkpointing));
        return 0;
    case ["long"]:
        PeakMemory.RunLong();
        return 0;
    case ["long", "child", var places, var what, var checkpointing, var inParts]:
        PeakMemory.ChildLong(int.Parse(places), what, bool.Parse(checkpointing), bool.Parse(inParts));
        return 0;
    // One line of JSON for bench/peers/device.py, which says what the words are. It measures devices: threads are the caller's to choose.
    case ["device", var threads, .. var words]:
        set_num_threads(int.Parse(threads));
        DeviceWork.Of(words).Run();
        return 0;
    default:
        Console.Error.WriteLine("usage: load [TYPE] | packed | memory | long | device …, which bench/peers/device.py calls");
        return 2;
}
