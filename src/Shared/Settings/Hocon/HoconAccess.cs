using System.Globalization;
using System.Numerics;

namespace MassDpo.Shared.Settings.Hocon;

/// <content>
/// Reading a value as a type (spec: "Automatic type conversions", "Units format"). Null converts to nothing, blocks and lists not to text.
/// </content>
public abstract partial class HoconValue
{
    private static readonly Dictionary<string, long> NanosecondsPerUnit = DurationUnits();
    private static readonly Dictionary<string, BigInteger> BytesPerUnit = SizeUnits();

    /// <summary>The text of a string, number or boolean.</summary>
    /// <param name="key">The full key, for the message.</param>
    /// <exception cref="HoconException">It is null, a list or a block.</exception>
    public string AsString(string? key = null) => Scalar(key, "a text", "write a text, in quotes where it has special characters").Text;

    /// <summary><c>true</c>, <c>yes</c>, <c>on</c>, <c>false</c>, <c>no</c>, <c>off</c>, also as strings.</summary>
    /// <inheritdoc cref="AsString"/>
    public bool AsBoolean(string? key = null)
    {
        const string remedy = "write true, yes, on, false, no or off";
        return Scalar(key, "a boolean", remedy).Text switch
        {
            "true" or "yes" or "on" => true,
            "false" or "no" or "off" => false,
            _ => throw Mismatch(key, "a boolean", remedy),
        };
    }

    /// <summary>A whole number from −2147483648 to 2147483647; 1e3 and 10.0 are whole.</summary>
    /// <inheritdoc cref="AsString"/>
    public int AsInt32(string? key = null) => (int)Whole(key, int.MinValue, int.MaxValue);

    /// <summary>A whole number of 64 bits; 1e3 and 10.0 are whole.</summary>
    /// <inheritdoc cref="AsString"/>
    public long AsInt64(string? key = null) => Whole(key, long.MinValue, long.MaxValue);

    /// <summary>A finite number by JSON's grammar.</summary>
    /// <inheritdoc cref="AsString"/>
    public double AsDouble(string? key = null)
    {
        const string remedy = "write a number as in JSON, such as 0.5 or 1e-3";
        var text = Scalar(key, "a number", remedy).Text;
        if (!HoconNumber.IsNumber(text))
            throw Mismatch(key, "a number", remedy);
        var number = double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        return double.IsFinite(number) ? number : throw Mismatch(key, "a number that a double can hold", "write a smaller number");
    }

    /// <summary>
    /// A number with a unit: ns, us, ms, s, m, h, d, or nano…, micro…, milli…, second, minute, hour, day; without one, milliseconds (spec: "Duration
    /// format"). Rounded to TimeSpan's ticks of 100 ns.
    /// </summary>
    /// <inheritdoc cref="AsString"/>
    public TimeSpan AsDuration(string? key = null)
    {
        const string wanted = "a duration", remedy = "write a number and one of ns, us, ms, s, m, h, d, such as 500ms";
        var (numerator, denominator, unit) = WithUnit(key, wanted, remedy);
        if (!NanosecondsPerUnit.TryGetValue(unit, out var nanoseconds))
            throw Mismatch(key, wanted, remedy);
        numerator *= nanoseconds;
        denominator *= TimeSpan.NanosecondsPerTick;
        var ticks = (2 * numerator + numerator.Sign * denominator) / (2 * denominator);
        if (ticks.IsZero && !numerator.IsZero)
            throw Mismatch(key, "a duration of at least 100ns", "write a longer duration, or 0");
        return ticks >= long.MinValue && ticks <= long.MaxValue
            ? new TimeSpan((long)ticks)
            : throw Mismatch(key, $"a duration of at most {TimeSpan.MaxValue.Days} days", "write a shorter duration");
    }

    /// <summary>
    /// A number of bytes with a unit: B; kB, KB, MB, GB … in powers of 1000; k, K, Ki, KiB, m, M, Mi, MiB … in powers of 1024; long forms such as
    /// kilobytes and kibibytes; without one, bytes (spec: "Size in bytes format"). A fraction of a byte is cut off.
    /// </summary>
    /// <inheritdoc cref="AsString"/>
    public long AsSizeInBytes(string? key = null)
    {
        const string wanted = "a size in bytes";
        const string remedy = "write a number and one of B, kB, MB, GB (powers of 1000), KiB, MiB, GiB (powers of 1024), such as 64MiB";
        var (numerator, denominator, unit) = WithUnit(key, wanted, remedy);
        if (!BytesPerUnit.TryGetValue(unit, out var bytes) || numerator.Sign < 0)
            throw Mismatch(key, wanted, remedy);
        var size = numerator * bytes / denominator;
        return size <= long.MaxValue ? (long)size : throw Mismatch(key, "a size below 8EiB", "write a smaller size");
    }

    /// <summary>
    /// The items of a list, or of a block whose keys are whole numbers (spec: "Conversion of numerically-indexed objects to arrays").
    /// </summary>
    /// <inheritdoc cref="AsString"/>
    public IReadOnlyList<HoconValue> AsList(string? key = null) => this switch
    {
        HoconArray array => array.Items,
        HoconObject block when HoconMerge.NumberedItems(block) is { } items => items,
        _ => throw Mismatch(key, "a list", "write [a, b]"),
    };

    /// <summary>The block itself.</summary>
    /// <inheritdoc cref="AsString"/>
    public HoconObject AsObject(string? key = null) => this as HoconObject ?? throw Mismatch(key, "a block of settings", "write { key = value }");

    private HoconException Mismatch(string? key, string wanted, string remedy) =>
        new(Origin, key, $"found {Describe()} where {wanted} is wanted", remedy);

    private HoconScalar Scalar(string? key, string wanted, string remedy) =>
        this is HoconScalar { Kind: not HoconKind.Null } scalar ? scalar : throw Mismatch(key, wanted, remedy);

    private long Whole(string? key, long minimum, long maximum)
    {
        const string wanted = "a whole number", remedy = "write digits only, such as 8";
        var text = Scalar(key, wanted, remedy).Text;
        if (!HoconNumber.IsNumber(text))
            throw Mismatch(key, wanted, remedy);
        if (!HoconNumber.TryParse(text, out var numerator, out var denominator))
            throw Mismatch(key, $"{wanted} from {minimum} to {maximum}", remedy);
        var whole = BigInteger.DivRem(numerator, denominator, out var rest);
        if (!rest.IsZero)
            throw Mismatch(key, wanted, remedy);
        return whole >= minimum && whole <= maximum
            ? (long)whole
            : throw Mismatch(key, $"{wanted} from {minimum} to {maximum}", "write a number in this range");
    }

    private (BigInteger Numerator, BigInteger Denominator, string Unit) WithUnit(string? key, string wanted, string remedy)
    {
        var text = Scalar(key, wanted, remedy).Text;
        var (start, end) = (0, text.Length);
        while (start < end && HoconTokenizer.IsWhiteSpace(text[start]))
            start++;
        while (end > start && HoconTokenizer.IsWhiteSpace(text[end - 1]))
            end--;
        var unitStart = end;
        while (unitStart > start && char.IsLetter(text[unitStart - 1]))
            unitStart--;
        var numberEnd = unitStart;
        while (numberEnd > start && HoconTokenizer.IsWhiteSpace(text[numberEnd - 1]))
            numberEnd--;
        var number = text.AsSpan(start, numberEnd - start);
        return HoconNumber.IsNumber(number) && HoconNumber.TryParse(number, out var numerator, out var denominator)
            ? (numerator, denominator, text[unitStart..end])
            : throw Mismatch(key, wanted, remedy);
    }

    private static Dictionary<string, long> DurationUnits()
    {
        var units = new Dictionary<string, long> { [""] = 1_000_000 };
        Add(1, "ns", "nano", "nanos", "nanosecond", "nanoseconds");
        Add(1_000, "us", "micro", "micros", "microsecond", "microseconds");
        Add(1_000_000, "ms", "milli", "millis", "millisecond", "milliseconds");
        Add(1_000_000_000, "s", "second", "seconds");
        Add(60_000_000_000, "m", "minute", "minutes");
        Add(3_600_000_000_000, "h", "hour", "hours");
        Add(86_400_000_000_000, "d", "day", "days");
        return units;

        void Add(long nanoseconds, params ReadOnlySpan<string> names)
        {
            foreach (var name in names)
                units.Add(name, nanoseconds);
        }
    }

    private static Dictionary<string, BigInteger> SizeUnits()
    {
        var units = new Dictionary<string, BigInteger> { [""] = 1, ["B"] = 1, ["b"] = 1, ["byte"] = 1, ["bytes"] = 1, ["kB"] = 1000 };
        string[] decimals = ["kilo", "mega", "giga", "tera", "peta", "exa", "zetta", "yotta"];
        string[] binaries = ["kibi", "mebi", "gibi", "tebi", "pebi", "exbi", "zebi", "yobi"];
        for (var i = 0; i < decimals.Length; i++)
        {
            var (lower, upper) = (decimals[i][..1], decimals[i][..1].ToUpperInvariant());
            foreach (var name in (string[])[upper + "B", decimals[i] + "byte", decimals[i] + "bytes"])
                units.Add(name, BigInteger.Pow(1000, i + 1));
            foreach (var name in (string[])[lower, upper, upper + "i", upper + "iB", binaries[i] + "byte", binaries[i] + "bytes"])
                units.Add(name, BigInteger.Pow(1024, i + 1));
        }
        return units;
    }
}

/// <content>Reading by path. Every getter throws a <see cref="HoconException"/> where the path is absent or its value is of another type.</content>
public sealed partial class HoconObject
{
    /// <summary>The value at a path such as <c>learner.beta</c> or <c>a."key.with.dots"</c>, null where there is none.</summary>
    /// <exception cref="HoconException">The path is malformed.</exception>
    public HoconValue? Find(string path)
    {
        HoconValue? value = this;
        foreach (var element in HoconPath.Parse(path).Elements)
            value = (value as HoconObject)?.Map.GetValueOrDefault(element);
        return value;
    }

    /// <summary>Whether a value other than null is set there.</summary>
    public bool HasPath(string path) => Find(path) is { Kind: not HoconKind.Null };

    /// <summary>The value at a path.</summary>
    /// <exception cref="HoconException">There is none.</exception>
    public HoconValue GetValue(string path) =>
        Find(path) ?? throw new HoconException(Origin, path, "found no such setting", "set it, or correct the key");

    /// <inheritdoc cref="HoconValue.AsString"/>
    public string GetString(string path) => GetValue(path).AsString(path);

    /// <inheritdoc cref="HoconValue.AsBoolean"/>
    public bool GetBoolean(string path) => GetValue(path).AsBoolean(path);

    /// <inheritdoc cref="HoconValue.AsInt32"/>
    public int GetInt32(string path) => GetValue(path).AsInt32(path);

    /// <inheritdoc cref="HoconValue.AsInt64"/>
    public long GetInt64(string path) => GetValue(path).AsInt64(path);

    /// <inheritdoc cref="HoconValue.AsDouble"/>
    public double GetDouble(string path) => GetValue(path).AsDouble(path);

    /// <inheritdoc cref="HoconValue.AsDuration"/>
    public TimeSpan GetDuration(string path) => GetValue(path).AsDuration(path);

    /// <inheritdoc cref="HoconValue.AsSizeInBytes"/>
    public long GetSizeInBytes(string path) => GetValue(path).AsSizeInBytes(path);

    /// <inheritdoc cref="HoconValue.AsObject"/>
    public HoconObject GetObject(string path) => GetValue(path).AsObject(path);

    /// <inheritdoc cref="HoconValue.AsList"/>
    public IReadOnlyList<HoconValue> GetList(string path) => GetValue(path).AsList(path);

    /// <summary>The items of a list, each read with <paramref name="read"/>, which is given the item and its key, <c>path[i]</c>.</summary>
    public IReadOnlyList<T> GetList<T>(string path, Func<HoconValue, string, T> read) =>
        [.. GetList(path).Select((item, i) => read(item, $"{path}[{i}]"))];
}
