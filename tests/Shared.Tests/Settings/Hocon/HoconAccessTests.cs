using MassDpo.Shared.Settings.Hocon;
using static MassDpo.Shared.Tests.Settings.Hocon.HoconAssert;

namespace MassDpo.Shared.Tests.Settings.Hocon;

public class HoconAccessTests
{
    [Theory]
    [InlineData("true", true)]
    [InlineData("yes", true)]
    [InlineData("on", true)]
    [InlineData("\"on\"", true)]
    [InlineData("false", false)]
    [InlineData("no", false)]
    [InlineData("off", false)]
    public void Booleans(string text, bool expected) => Assert.Equal(expected, Resolve($"a = {text}").GetBoolean("a"));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("\"-12\"", -12)]
    [InlineData("1e3", 1000)]
    [InlineData("10.0", 10)]
    [InlineData("1200e-2", 12)]
    [InlineData("2147483647", int.MaxValue)]
    [InlineData("-2147483648", int.MinValue)]
    public void WholeNumbers(string text, int expected)
    {
        Assert.Equal(expected, Resolve($"a = {text}").GetInt32("a"));
        Assert.Equal(expected, Resolve($"a = {text}").GetInt64("a"));
    }

    [Fact]
    public void LongNumbersAreExact()
    {
        var settings = Resolve("a = [9223372036854775807, -9223372036854775808, 9007199254740993.0]");
        Assert.Equal([long.MaxValue, long.MinValue, 9007199254740993], settings.GetList("a", (item, key) => item.AsInt64(key)));
    }

    [Theory]
    [InlineData("0.1", 0.1)]
    [InlineData("\"-1.5E+3\"", -1500)]
    [InlineData("7", 7)]
    [InlineData("1e-999", 0)]
    [InlineData("1.7976931348623157e308", double.MaxValue)]
    public void Doubles(string text, double expected) => Assert.Equal(expected, Resolve($"a = {text}").GetDouble("a"));

    [Theory]
    [InlineData("5", "5")]
    [InlineData("1.50e3", "1.50e3")]
    [InlineData("true", "true")]
    [InlineData("a b", "a b")]
    public void ScalarsAreTextAsWritten(string text, string expected) => Assert.Equal(expected, Resolve($"a = {text}").GetString("a"));

    [Theory]
    [InlineData("10", 100_000L)]
    [InlineData("10 ms", 100_000L)]
    [InlineData("\" 10ms \"", 100_000L)]
    [InlineData("0.1s", 1_000_000L)]
    [InlineData("1.5 m", 900_000_000L)]
    [InlineData("-2h", -72_000_000_000L)]
    [InlineData("1e2 ns", 1L)]
    [InlineData("149ns", 1L)]
    [InlineData("150ns", 2L)]
    [InlineData("0ns", 0L)]
    [InlineData("0.3333333333s", 3_333_333L)]
    [InlineData("1d", 864_000_000_000L)]
    public void Durations(string text, long ticks) => Assert.Equal(ticks, Resolve($"a = {text}").GetDuration("a").Ticks);

    [Theory]
    [InlineData("ns nano nanos nanosecond nanoseconds", 10L)]
    [InlineData("us micro micros microsecond microseconds", 10_000L)]
    [InlineData("ms milli millis millisecond milliseconds", 10_000_000L)]
    [InlineData("s second seconds", 10_000_000_000L)]
    [InlineData("m minute minutes", 600_000_000_000L)]
    [InlineData("h hour hours", 36_000_000_000_000L)]
    [InlineData("d day days", 864_000_000_000_000L)]
    public void EveryUnitOfDuration(string units, long expected) =>
        Assert.All(units.Split(' '), unit => Assert.Equal(expected, Resolve($"a = 1000{unit}").GetDuration("a").Ticks));

    [Theory]
    [InlineData("B b byte bytes", 1L)]
    [InlineData("kB KB kilobyte kilobytes", 1_000L)]
    [InlineData("MB megabyte megabytes", 1_000_000L)]
    [InlineData("GB gigabyte gigabytes", 1_000_000_000L)]
    [InlineData("TB terabyte terabytes", 1_000_000_000_000L)]
    [InlineData("PB petabyte petabytes", 1_000_000_000_000_000L)]
    [InlineData("EB exabyte exabytes", 1_000_000_000_000_000_000L)]
    [InlineData("K k Ki KiB kibibyte kibibytes", 1L << 10)]
    [InlineData("M m Mi MiB mebibyte mebibytes", 1L << 20)]
    [InlineData("G g Gi GiB gibibyte gibibytes", 1L << 30)]
    [InlineData("T t Ti TiB tebibyte tebibytes", 1L << 40)]
    [InlineData("P p Pi PiB pebibyte pebibytes", 1L << 50)]
    [InlineData("E e Ei EiB exbibyte exbibytes", 1L << 60)]
    public void EveryUnitOfSize(string units, long expected) =>
        Assert.All(units.Split(' '), unit => Assert.Equal(2 * expected, Resolve($"a = 2{unit}").GetSizeInBytes("a")));

    [Theory]
    [InlineData("512", 512L)]
    [InlineData("0.5 k", 512L)]
    [InlineData("\"0.3kB\"", 300L)]
    [InlineData("1.9B", 1L)]
    [InlineData("0.001ZB", 1_000_000_000_000_000_000L)]
    [InlineData("0.0000001YiB", 120892581961462917L)]
    public void Sizes(string text, long expected) => Assert.Equal(expected, Resolve($"a = {text}").GetSizeInBytes("a"));

    [Fact]
    public void ListsAndNumberedBlocks()
    {
        var settings = Resolve("a = [1, x, { b = 2 }], n { 2 = c, 0 = a, x = no, 10 = d }, e = []");
        Assert.Equal(["1", "x"], settings.GetList("a").Take(2).Select(item => item.AsString()));
        Assert.Equal(2, settings.GetList("a")[2].AsObject().GetInt32("b"));
        Assert.Equal(["a", "c", "d"], settings.GetList("n", (item, key) => item.AsString(key)));
        Assert.Empty(settings.GetList("e"));
    }

    [Fact]
    public void PathsAreFound()
    {
        var settings = Resolve("a { \"x.y\" = 1, n = null, \"\" = 2 }, b = 3");
        Assert.Equal(1, settings.GetInt32("a.\"x.y\""));
        Assert.Equal(1, settings.GetObject("a").GetInt32("\"x.y\""));
        Assert.Equal(2, settings.GetInt32("a.\"\""));
        Assert.Equal((false, true, false, false), (settings.HasPath("a.n"), settings.HasPath("b"), settings.HasPath("b.c"), settings.HasPath("c")));
        Assert.Equal(HoconKind.Null, settings.Find("a.n")!.Kind);
        Assert.Null(settings.Find("b.c.d"));
        Refuses(() => settings.Find("a..b"), "path, column 1", "a..b", "empty element");
        Refuses(() => settings.Find("a = b"), "path, column 3", "a = b", "found \"=\"");
        Refuses(() => settings.Find(""), "path, column 1", null, "where a key is wanted");
    }

    [Fact]
    public void LeavesAreListedWithTheirOrigin()
    {
        var leaves = Resolve("a.b = 1\na { \"c.d\" = [1, 2], e {} }\nb = null").Paths().ToList();
        Assert.Equal(["a.b", "a.\"c.d\"", "a.e", "b"], leaves.Select(leaf => leaf.Path));
        Assert.Equal(["test.conf:1:7", "test.conf:2:13", "test.conf:2:23", "test.conf:3:5"], leaves.Select(leaf => leaf.Value.Origin.ToString()));
        Assert.Equal(HoconKind.Object, leaves[2].Value.Kind);
    }

    [Fact]
    public void AValueKeepsTheOriginOfTheTextThatGaveIt()
    {
        var settings = Resolve("a = ${b}\nb = 1\nc = ${b}x\nd = [1] ${e}\ne = [2]\nf = { x = 1 }\nf = { y = 2 }");
        Assert.Equal([2, 3, 4, 6], new[] { "a", "c", "d", "f" }.Select(path => settings.GetValue(path).Origin.Line));
        Assert.Equal([4, 5], settings.GetList("d").Select(item => item.Origin.Line));
    }

    [Theory]
    [InlineData("string", "[1]", "found a list of 1 value where a text is wanted")]
    [InlineData("string", "{}", "found a block of 0 settings where a text is wanted")]
    [InlineData("string", "null", "found null where a text is wanted")]
    [InlineData("bool", "1", "found the number 1 where a boolean is wanted; write true, yes, on")]
    [InlineData("bool", "True", "found the text \"True\" where a boolean")]
    [InlineData("bool", "null", "found null where a boolean")]
    [InlineData("int", "1.5", "found the number 1.5 where a whole number is wanted")]
    [InlineData("int", "x", "found the text \"x\" where a whole number")]
    [InlineData("int", "007", "found the text \"007\" where a whole number")]
    [InlineData("int", "2147483648", "a whole number from -2147483648 to 2147483647")]
    [InlineData("int", "1e99999999999", "a whole number from -2147483648 to 2147483647")]
    [InlineData("int", "true", "found true where a whole number")]
    [InlineData("int", "{0:1}", "found a block of 1 setting where a whole number")]
    [InlineData("long", "9223372036854775808", "from -9223372036854775808 to 9223372036854775807")]
    [InlineData("double", "abc", "found the text \"abc\" where a number is wanted; write a number as in JSON")]
    [InlineData("double", ".5", "found the text \".5\"")]
    [InlineData("double", "1e999", "a number that a double can hold")]
    [InlineData("double", "NaN", "found the text \"NaN\"")]
    [InlineData("duration", "5 parsecs", "found the text \"5 parsecs\" where a duration is wanted; write a number and one of ns, us, ms, s, m, h, d")]
    [InlineData("duration", "5 S", "found the text \"5 S\"")]
    [InlineData("duration", "ms", "found the text \"ms\"")]
    [InlineData("duration", "10ns", "at least 100ns")]
    [InlineData("duration", "1e300 d", "at most 10675199 days")]
    [InlineData("duration", "[]", "found a list of 0 values where a duration")]
    [InlineData("size", "-1", "found the number -1 where a size in bytes")]
    [InlineData("size", "5 kb", "found the text \"5 kb\"")]
    [InlineData("size", "8EiB", "a size below 8EiB")]
    [InlineData("size", "1YB", "a size below 8EiB")]
    [InlineData("list", "1", "found the number 1 where a list is wanted; write [a, b]")]
    [InlineData("list", "{}", "found a block of 0 settings where a list")]
    [InlineData("list", "{a:1}", "found a block of 1 setting where a list")]
    [InlineData("object", "[1]", "found a list of 1 value where a block of settings")]
    [InlineData("items", "[1, x]", "found the text \"x\" where a whole number")]
    public void AValueOfAnotherTypeIsRefused(string type, string text, string words)
    {
        var settings = Resolve($"\nlearner.beta = {text}");
        const string path = "learner.beta";
        Action read = type switch
        {
            "string" => () => settings.GetString(path),
            "bool" => () => settings.GetBoolean(path),
            "int" => () => settings.GetInt32(path),
            "long" => () => settings.GetInt64(path),
            "double" => () => settings.GetDouble(path),
            "duration" => () => settings.GetDuration(path),
            "size" => () => settings.GetSizeInBytes(path),
            "list" => () => settings.GetList(path),
            "object" => () => settings.GetObject(path),
            _ => () => settings.GetList(path, (item, key) => item.AsInt32(key)),
        };
        Refuses(read, type == "items" ? "test.conf:2:20" : "test.conf:2:16", type == "items" ? "learner.beta[1]" : path, words);
    }

    [Fact]
    public void AMissingSettingIsRefused() => Refuses(() => Resolve("a = 1").GetInt32("b.c"), "test.conf:1:1", "b.c", "no such setting");

    [Fact]
    public void LongTextsAreCutInMessages() =>
        Assert.InRange(Assert.Throws<HoconException>(() => Resolve($"a = {new string('x', 100_000)}").GetInt32("a")).Message.Length, 60, 300);

    [Fact]
    public void NumbersOfAnyLengthAreRead()
    {
        var settings = Resolve($"a = {new string('9', 1_000_000)}");
        Assert.Equal(1_000_000, settings.GetString("a").Length);
        Refuses(() => settings.GetInt64("a"), "test.conf:1:5", "a", "9…");
        Refuses(() => settings.GetDouble("a"), "test.conf:1:5", "a", "a double can hold");
        Refuses(() => settings.GetDuration("a"), "test.conf:1:5", "a", "duration");
        Refuses(() => settings.GetSizeInBytes("a"), "test.conf:1:5", "a", "size");
    }
}
