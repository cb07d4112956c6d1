using MassDpo.Policy.Safetensors;
using MassDpo.TestKit;
using TorchSharp;
using static TorchSharp.torch;

namespace MassDpo.Policy.Tests.Safetensors;

public sealed class SafetensorsFileTests
{
    private static readonly ScalarType[] Types =
    [
        ScalarType.Float32, ScalarType.Float64, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Int64, ScalarType.Int32, ScalarType.Int16,
        ScalarType.Int8, ScalarType.Byte, ScalarType.Bool,
    ];

    private static readonly long[][] Shapes = [[], [1], [7], [0], [2, 3], [3, 0, 2], [1, 1, 1, 5], [2, 2, 2, 2, 2]];

    [Fact]
    public void Tensors_of_every_type_and_shape_are_read_back_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        using var random = new Generator(3);
        var tensors = Types.SelectMany(type => Shapes.Select((shape, i) => ($"{type}/{i}", (randn(shape, generator: random) * 50).to(type))))
            .ToArray();
        using var stream = new MemoryStream(MadeFile.Written(tensors));
        var read = SafetensorsFile.Read(stream, "x");
        Assert.Equal(tensors.Length, read.Count);
        foreach (var (name, written) in tensors)
        {
            using var tensor = read[name];
            Assert.Equal((written.dtype, "cpu"), (tensor.dtype, tensor.device.ToString()));
            Assert.Equal(written.shape, tensor.shape);
            Assert.Equal(written.bytes.ToArray(), tensor.bytes.ToArray());
        }
    }

    [Fact]
    public void Special_numbers_keep_their_bits()
    {
        using var scope = NewDisposeScope();
        float[] numbers = [float.NaN, float.PositiveInfinity, -0f, float.Epsilon, float.MaxValue, BitConverter.UInt32BitsToSingle(0xFFC12345)];
        using var stream = new MemoryStream(MadeFile.Written(("x", tensor(numbers))));
        using var read = SafetensorsFile.Read(stream, "x")["x"];
        Assert.Equal(numbers.Select(BitConverter.SingleToUInt32Bits), read.data<float>().ToArray().Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void Views_and_tensors_with_gradients_are_written_row_by_row()
    {
        using var scope = NewDisposeScope();
        var matrix = arange(6, dtype: ScalarType.Float32).reshape(2, 3);
        var trained = ones(2, requires_grad: true);
        var file = MadeFile.Written(("column", matrix.select(1, 1)), ("trained", trained), ("turned", matrix.transpose(0, 1)));
        using var stream = new MemoryStream(file);
        var read = SafetensorsFile.Read(stream, "x");
        Assert.Equal([1f, 4f], read["column"].data<float>().ToArray());
        Assert.Equal([1f, 1f], read["trained"].data<float>().ToArray());
        Assert.Equal([0f, 3f, 1f, 4f, 2f, 5f], read["turned"].data<float>().ToArray());
        Assert.Equal([3, 2], read["turned"].shape);
        foreach (var t in read.Values)
            t.Dispose();
    }

    [Fact]
    public void The_header_is_what_the_reference_implementation_writes_padded_to_eight_bytes()
    {
        using var scope = NewDisposeScope();
        var file = MadeFile.Written(("attn0", arange(6, dtype: ScalarType.Float32).reshape(1, 1, 2, 3)), ("b", tensor((byte)7)));
        const string header = """{"__metadata__":{"format":"pt"},"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}"""
            + ""","b":{"dtype":"U8","shape":[],"data_offsets":[24,25]}}""";
        byte[] data = [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((float)i)), 7];
        Assert.Equal(MadeFile.Of(header.PadRight((header.Length + 7) / 8 * 8), data), file);
        for (var length = 1; length < 20; length++)
            Assert.Equal(0, BitConverter.ToInt64(MadeFile.Written((new string('n', length), ones(1)))) % 8);
        Assert.Equal(MadeFile.Of("""{"__metadata__":{"format":"pt"}}""".PadRight(32), []), MadeFile.Written());
    }

    [Fact]
    public void Tensors_follow_one_another_by_type_and_then_by_name_as_in_the_reference_implementation()
    {
        using var scope = NewDisposeScope();
        // Given in an order that is neither by type nor by name.
        ScalarType[] given = [.. Types.OrderBy(type => type.ToString(), StringComparer.Ordinal)];
        var file = MadeFile.Written([.. Named("z"), .. Named("A")]);
        using var stream = new MemoryStream(file);
        var order = SafetensorsHeader.Read(stream, "x").Entries.OrderBy(entry => entry.Value.Start).ToList();
        Assert.Equal(["I64", "F64", "F32", "I32", "BF16", "F16", "I16", "I8", "U8", "BOOL"], order.Select(entry => entry.Value.Type).Distinct());
        Assert.All(order.Chunk(2), pair => Assert.Equal("Az", $"{pair[0].Key[0]}{pair[1].Key[0]}"));

        IEnumerable<(string, Tensor)> Named(string name) => given.Select(type => ($"{name}.{type}", ones(2, dtype: type)));
    }

    [SharedDataFact("fixtures/hf")]
    public void Files_of_the_reference_implementation_are_written_again_byte_for_byte()
    {
        // Models and adapters say what wrote them; the gradients beside them do not.
        var files = Directory.GetFiles(SharedData.PathOf("fixtures/hf"), "*model*.safetensors", SearchOption.AllDirectories);
        Assert.True(files.Length >= 17, $"{files.Length} files");
        foreach (var file in files)
        {
            var tensors = SafetensorsFile.Read(file);
            Assert.NotEmpty(tensors);
            using var stream = new MemoryStream();
            SafetensorsFile.Write(stream, tensors);
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(stream.ToArray()), file);
            foreach (var t in tensors.Values)
                t.Dispose();
        }
    }

    [Fact]
    public void What_is_read_belongs_to_the_caller_and_not_to_a_scope()
    {
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Dictionary<string, Tensor> read;
        using (NewDisposeScope())
        {
            using var stream = new MemoryStream(MadeFile.Written(("a", ones(2)), ("b", zeros(3))));
            read = SafetensorsFile.Read(stream, "x");
        }
        Assert.Equal([1f, 1f], read["a"].data<float>().ToArray());
        foreach (var t in read.Values)
            t.Dispose();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void A_type_that_safetensors_lacks_is_refused_by_the_name_of_its_tensor()
    {
        using var scope = NewDisposeScope();
        var complex = zeros(1, dtype: ScalarType.ComplexFloat32);
        Assert.Contains("'odd'", Assert.Throws<ArgumentException>(() => MadeFile.Written(("odd", complex))).Message);
    }

    [Fact]
    public void Tensors_may_stand_in_any_order_and_the_header_may_be_padded_with_spaces()
    {
        const string header = """
            {"b":{"dtype":"I16","shape":[1],"data_offsets":[0,2]},"a":{"shape":[2],"data_offsets":[2,4],"dtype":"U8"},
            "__metadata__":{"k":"v","é":"\u00e9"}}

            """;
        using var stream = new MemoryStream(MadeFile.Of(header, [1, 2, 3, 4]));
        var parsed = SafetensorsHeader.Read(stream, "x");
        Assert.Equal(stream.Position, parsed.DataStart);
        Assert.Equal([("a", 2), ("b", 0)], parsed.Entries.Select(entry => (entry.Key, (int)entry.Value.Start)));
        Assert.Equal(["k=v", "é=é"], parsed.Metadata.Select(item => $"{item.Key}={item.Value}").Order());
        stream.Position = 0;
        var tensors = SafetensorsFile.Read(stream, "x");
        Assert.Equal([3, 4], tensors["a"].bytes.ToArray());
        Assert.Equal(0x0201, tensors["b"].data<short>().ToArray()[0]);
        foreach (var t in tensors.Values)
            t.Dispose();
    }

    private static string Entry(string name, string type, string shape, string offsets) =>
        $$$"""{"{{{name}}}":{"dtype":"{{{type}}}","shape":{{{shape}}},"data_offsets":{{{offsets}}}}}""";

    private static string Entries(params string[] entries) => "{" + string.Join(",", entries.Select(entry => entry[1..^1])) + "}";

    /// <summary>A header, how many bytes follow it, and what the message names.</summary>
    public static TheoryData<string, int, string[]> Broken => new()
    {
        { Entry("t", "F32", "[2]", "[0,8]"), 7, ["8 of 7", "truncated"] },
        { Entry("t", "F32", "[2]", "[0,8]"), 9, ["8 of 9", "something after"] },
        { Entry("t", "F32", "[2]", "[0,8]"), 0, ["truncated"] },
        { "{}", 1, ["0 of 1", "something after"] },
        { Entry("t", "F32", "[2]", "[0,4]"), 4, ["'t'", "F32 of shape [2] needs 8 bytes", "[0, 4]"] },
        { Entry("t", "U8", "[2]", "[0,8]"), 8, ["'t'", "needs 2 bytes"] },
        { Entry("t", "U8", "[2]", "[2,0]"), 2, ["'t'", "[2, 0]"] },
        { Entry("t", "U8", "[2]", "[-2,0]"), 2, ["'t'", "[-2, 0]"] },
        { Entry("t", "U8", "[0]", "[5,5]"), 0, ["'t'", "begins at byte 5 where 0"] },
        { Entry("t", "U8", "[2]", "[1,3]"), 3, ["'t'", "begins at byte 1 where 0 is expected", "hole"] },
        { Entries(Entry("a", "U8", "[2]", "[0,2]"), Entry("b", "U8", "[2]", "[1,3]")), 3, ["'b'", "begins at byte 1 where 2", "overlap"] },
        { Entries(Entry("a", "U8", "[2]", "[0,2]"), Entry("b", "U8", "[2]", "[0,2]")), 2, ["overlap"] },
        { Entries(Entry("a", "U8", "[2]", "[0,2]"), Entry("b", "U8", "[2]", "[3,5]")), 5, ["'b'", "begins at byte 3 where 2", "hole"] },
        { Entries(Entry("a", "U8", "[1]", "[0,1]"), Entry("a", "U8", "[1]", "[1,2]")), 2, ["'a'", "Duplicate"] },
        { """{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}""", 1, ["Duplicate", "dtype"] },
        { """{"__metadata__":{"a":"1","a":"2"}}""", 0, ["Duplicate"] },
        // Sizes whose product overflows, with or without a nought among them.
        { Entry("t", "U8", "[4294967296,4294967296]", "[0,0]"), 0, ["'t'", "impossible"] },
        { Entry("t", "F64", "[2305843009213693952]", "[0,0]"), 0, ["'t'", "impossible"] },
        { Entry("t", "U8", "[0,4611686018427387904,4611686018427387904]", "[0,0]"), 0, ["'t'", "impossible"] },
        { Entry("t", "U8", "[4611686018427387904,4611686018427387904,0]", "[0,0]"), 0, ["'t'", "impossible"] },
        { Entry("t", "U8", "[-1]", "[0,0]"), 0, ["'t'", "impossible"] },
        { Entry("t", "U8", "[-1,-1]", "[0,1]"), 1, ["'t'", "impossible"] },
        { Entry("t", "F32", "[1099511627776]", "[0,4398046511104]"), 8, ["4398046511104 of 8", "truncated"] },
        { Entry("t", "U8", "[9223372036854775807]", "[0,9223372036854775807]"), 8, ["truncated"] },
        { Entry("t", "U8", "[9223372036854775808]", "[0,8]"), 8, ["malformed"] },
        { Entry("t", "U8", "[1.5]", "[0,1]"), 1, ["malformed"] },
        { Entry("t", "U8", "[\"1\"]", "[0,1]"), 1, ["malformed"] },
        { Entry("t", "U8", "1", "[0,1]"), 1, ["malformed"] },
        { Entry("t", "U8", "[1]", "[0]"), 1, ["'t'", "data_offsets has 1 numbers instead of 2"] },
        { Entry("t", "U8", "[1]", "[0,1,1]"), 1, ["'t'", "data_offsets has 3 numbers"] },
        { Entry("t", "U8", "[1]", "{}"), 1, ["malformed"] },
        { Entry("t", "U8", "[1]", "[0,1e0]"), 1, ["malformed"] },
        // Types that there are, but not here, and types that there are not.
        { Entry("t", "F8_E4M3", "[1]", "[0,1]"), 1, ["'t'", "'F8_E4M3'", "not supported"] },
        { Entry("t", "U64", "[1]", "[0,8]"), 8, ["'t'", "'U64'", "not supported"] },
        { Entry("t", "f32", "[1]", "[0,4]"), 4, ["'t'", "'f32'", "not supported"] },
        { """{"t":{"dtype":null,"shape":[1],"data_offsets":[0,1]}}""", 1, ["'t'", "not supported"] },
        { """{"t":{"shape":[1],"data_offsets":[0,1]}}""", 1, ["malformed"] },
        { """{"t":{"dtype":"U8","data_offsets":[0,1]}}""", 1, ["malformed"] },
        { """{"t":{"dtype":"U8","shape":[1]}}""", 1, ["malformed"] },
        { """{"t":[]}""", 0, ["malformed"] },
        { """{"__metadata__":{"a":1}}""", 0, ["malformed"] },
        { """{"__metadata__":{"a":null}}""", 0, ["__metadata__", "'a'", "no text"] },
        { """{"__metadata__":7}""", 0, ["malformed"] },
        // Headers that are no JSON object from the first byte on.
        { "", 0, ["does not begin with '{'"] },
        { " {}", 0, ["does not begin with '{'"] },
        { "[]", 0, ["does not begin with '{'"] },
        { "{", 0, ["malformed"] },
        { "{}x", 0, ["malformed"] },
        { "{}\0\0\0\0\0\0", 0, ["malformed"] },
        { """{"t\ud800":{}}""", 0, ["malformed"] },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void What_breaks_a_rule_of_the_format_is_refused_by_tensor_and_rule(string header, int data, string[] named)
    {
        var message = MadeFile.Refusal(MadeFile.Of(header, new byte[data]));
        Assert.All(named, part => Assert.Contains(part, message));
    }

    [Fact]
    public void A_file_that_ends_before_its_header_does_is_refused()
    {
        var whole = MadeFile.Of(Entry("t", "U8", "[2]", "[0,2]"), [1, 2]);
        for (var length = 0; length < whole.Length; length++)
            MadeFile.Refusal(whole[..length]);
        Assert.Contains("8-byte prefix", MadeFile.Refusal(whole[..7]));
        Assert.Contains("more than the file has", MadeFile.Refusal(whole[..20]));
    }

    [Theory]
    [InlineData(100_000_001)]
    [InlineData(99_999_999)]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void A_header_that_claims_to_be_huge_is_refused_before_memory_is_taken_for_it(long claimed)
    {
        byte[] file = [.. BitConverter.GetBytes(claimed), .. System.Text.Encoding.UTF8.GetBytes("{}      ")];
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = MadeFile.Refusal(file);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Contains($"header claims {(ulong)claimed} bytes", message);
    }

    [Fact]
    public void A_file_that_shrinks_while_it_is_read_is_refused_wherever_it_ends()
    {
        var whole = MadeFile.Of(Entries(Entry("a", "U8", "[20]", "[0,20]"), Entry("b", "I64", "[2]", "[20,36]")), new byte[36]);
        for (var length = 0; length < whole.Length; length++)
        {
            var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
            using var stream = new Shrinking(whole, length);
            var message = Assert.Throws<PolicyFormatException>(() => SafetensorsFile.Read(stream, "x")).Message;
            Assert.Contains((whole.Length - length) switch
            {
                <= 16 => "ends within tensor 'b'",
                <= 36 => "ends within tensor 'a'",
                _ => length < 8 ? "8-byte prefix" : "ends within its header",
            }, message);
            Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        }
    }

    /// <summary>A file that had more bytes when its length was asked for.</summary>
    private sealed class Shrinking(byte[] whole, int left) : MemoryStream(whole[..left])
    {
        public override long Length => whole.Length;
    }
}
