using System.Text;
using MassDpo.App.Demo;
using MassDpo.Policy;
using MassDpo.Policy.Tokenizers;
using MassDpo.PolicyKit;

namespace MassDpo.ChaosKit;

/// <summary>What a run is to learn: a small policy, and a file of simulated listeners in which some lines cannot be used.</summary>
public static class ChaosStream
{
    // Every so many lines one is bad.
    private const int Bad = 40;

    /// <summary>Writes the policy and the file.</summary>
    /// <param name="policy">directory to write</param>
    /// <param name="data">file to write</param>
    /// <param name="lines">of the file</param>
    /// <param name="hidden">size of the policy</param>
    public static void Write(string policy, string data, int lines, int hidden)
    {
        var listeners = new SimulatedListeners(seed: 11);
        var config = MadePolicy.Config(vocabulary: listeners.Items.Length + 3, hidden: hidden, layers: 1, heads: 2, keyValueHeads: 1, positions: 32);
        using (var weights = MadePolicy.Weights(config))
            PolicyDirectory.Save(policy, config, WordLevelTokenizer.Create(listeners.Items, splitsAtWhitespace: false), weights);
        SimulatedListeners.Write(data, listeners.Records("chaos", lines, noise: 0.05));
        WriteSpoilt(data, File.ReadAllLines(data, Encoding.UTF8));
    }

    /// <summary>Writes lines of which one in forty cannot be used: bytes that are no text, a line that is torn, and a record that holds nothing to compare with, in turn.</summary>
    public static void WriteSpoilt(string data, IReadOnlyList<string> lines)
    {
        using var stream = File.Create(data);
        for (var i = 0; i < lines.Count; i++)
        {
            stream.Write(i % Bad != Bad / 2 ? Encoding.UTF8.GetBytes(lines[i]) : (i / Bad % 3) switch
            {
                0 => [.. "{\"id\": \""u8, 0xC3, 0x28, .. "\"}"u8],
                1 => Encoding.UTF8.GetBytes(lines[i][..(lines[i].Length / 2)]),
                _ => "{\"prompt\": {\"history\": []}, \"chosen\": \"Amber Arcade\", \"rejected\": []}"u8,
            });
            stream.WriteByte((byte)'\n');
        }
    }
}
