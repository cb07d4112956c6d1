using System.Text.Encodings.Web;
using System.Text.Json;
using MassDpo.Shared.Numerics;

namespace MassDpo.App.Demo;

/// <summary>One simulated preference.</summary>
/// <param name="Id">unique in its file</param>
/// <param name="History">items heard, oldest first</param>
/// <param name="Chosen">what the listener took next, or, with a wrong label, something else</param>
/// <param name="Rejected">what was on offer besides</param>
internal sealed record SimulatedRecord(string Id, string[] History, string Chosen, string[] Rejected);

/// <summary>
/// A made-up stream of listeners. Songs have a place in a space of tastes, in neighbourhoods; some exist in several versions that lie almost in the same place.
/// A listener hears what is near to a taste that drifts, takes one more, and is offered nineteen others: popular ones, two songs in all their versions, and
/// any. Some labels are wrong. All of it is a function of the seed.
/// </summary>
internal sealed class SimulatedListeners
{
    public const int Candidates = 20;

    private const int Dimensions = 6;
    private const int Neighbourhoods = 20;
    private const int SongsPerNeighbourhood = 20;
    private const int Versions = 3;

    private static readonly string[] First = ["Amber", "Broken", "Cobalt", "Distant", "Electric", "Faded", "Golden", "Hollow", "Ivory", "Jade", "Kindred", "Lunar", "Midnight",
        "Northern", "Open", "Paper", "Quiet", "Restless", "Silver", "Tidal"];
    private static readonly string[] Second = ["Arcade", "Bridge", "Canyon", "Dance", "Empire", "Garden", "Harbour", "Island", "Jungle", "Kites", "Letters", "Mirror", "Nights",
        "Orchard", "Parade", "River", "Signals", "Tower", "Valley", "Windows"];
    private static readonly string[] Suffix = ["", " (live)", " (remix)"];

    private readonly double[][] _places;
    private readonly double[] _popularity;
    private StableRandom _random;

    public SimulatedListeners(long seed)
    {
        _random = new StableRandom(seed, 0xDE30);
        var centres = Enumerable.Range(0, Neighbourhoods).Select(_ => Normal(1)).ToArray();
        var songs = Neighbourhoods * SongsPerNeighbourhood;
        Items = new string[songs * Versions];
        _places = new double[Items.Length][];
        _popularity = new double[Items.Length];
        for (var song = 0; song < songs; song++)
        {
            var place = Add(centres[song / SongsPerNeighbourhood], Normal(0.35));
            for (var version = 0; version < Versions; version++)
            {
                var item = song * Versions + version;
                Items[item] = First[song / Second.Length % First.Length] + " " + Second[song % Second.Length] + Suffix[version];
                // Versions of one song are all but the same.
                _places[item] = version == 0 ? place : Add(place, Normal(0.02));
                _popularity[item] = 1.0 / (1 + song % SongsPerNeighbourhood) / (1 + version);
            }
        }
    }

    /// <summary>All songs in all versions.</summary>
    public string[] Items { get; }

    /// <summary>The song, whatever the version.</summary>
    public static string SongOf(string item) => Suffix.Skip(1).Aggregate(item, (name, suffix) => name.EndsWith(suffix, StringComparison.Ordinal) ? name[..^suffix.Length] : name);

    /// <summary>The next records; each call makes new listeners.</summary>
    /// <param name="name">of the records' ids</param>
    /// <param name="count">how many</param>
    /// <param name="noise">share of wrong labels</param>
    public IEnumerable<SimulatedRecord> Records(string name, int count, double noise)
    {
        for (var i = 0; i < count; i++)
        {
            var taste = Add(_places[_random.Below(Items.Length)], Normal(0.2));
            var heard = new List<int>();
            for (var length = 3 + _random.Below(8); heard.Count <= length;)
            {
                heard.Add(Near(taste, heard));
                taste = Add(taste, Normal(0.1));
            }
            var chosen = heard[^1];
            var rejected = Offered(heard);
            if (_random.Unit() < noise)
            {
                var wrong = _random.Below(rejected.Count);
                (chosen, rejected[wrong]) = (rejected[wrong], chosen);
            }
            yield return new SimulatedRecord($"{name}-{i:D6}", [.. heard.SkipLast(1).Select(item => Items[item])], Items[chosen], [.. rejected.Select(item => Items[item])]);
        }
    }

    /// <summary>Writes records as JSON lines.</summary>
    public static void Write(string file, IEnumerable<SimulatedRecord> records)
    {
        using var stream = File.Create(file);
        foreach (var record in records)
        {
            using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            {
                json.WriteStartObject();
                json.WriteString("id", record.Id);
                json.WriteStartObject("prompt");
                Strings(json, "history", record.History);
                json.WriteEndObject();
                json.WriteString("chosen", record.Chosen);
                Strings(json, "rejected", record.Rejected);
                json.WriteEndObject();
            }
            stream.Write("\n"u8);
        }

        static void Strings(Utf8JsonWriter json, string name, string[] values)
        {
            json.WriteStartArray(name);
            foreach (var value in values)
                json.WriteStringValue(value);
            json.WriteEndArray();
        }
    }

    // Nineteen others: two songs in all versions, two popular ones, and any.
    private List<int> Offered(List<int> heard)
    {
        var offered = new List<int>();
        for (var song = 0; song < 2; song++)
        {
            var drawn = _random.Below(Items.Length / Versions);
            for (var version = 0; version < Versions; version++)
                Offer(drawn * Versions + version);
        }
        for (var popular = 0; popular < 2; popular++)
            Offer(Popular());
        while (offered.Count < Candidates - 1)
            Offer(_random.Below(Items.Length));
        _random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(offered));
        return offered;

        void Offer(int item)
        {
            if (!heard.Contains(item) && !offered.Contains(item))
                offered.Add(item);
        }
    }

    // A song near to a taste that was not heard yet: nearer and more popular ones are more likely.
    private int Near(double[] taste, List<int> heard)
    {
        var weights = new double[Items.Length];
        var total = 0.0;
        for (var item = 0; item < weights.Length; item++)
            total += weights[item] = heard.Contains(item) ? 0 : _popularity[item] * Math.Exp(-4 * DistanceSquared(taste, _places[item]));
        var drawn = _random.Unit() * total;
        for (var item = 0; item < weights.Length; item++)
            if ((drawn -= weights[item]) < 0)
                return item;
        return Array.FindLastIndex(weights, weight => weight > 0);
    }

    private int Popular()
    {
        while (true)
        {
            var item = _random.Below(Items.Length);
            if (_random.Unit() < _popularity[item])
                return item;
        }
    }

    private double[] Normal(double deviation)
    {
        var vector = new double[Dimensions];
        for (var i = 0; i < Dimensions; i++)
            vector[i] = deviation * _random.Normal();
        return vector;
    }

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double DistanceSquared(double[] a, double[] b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
