using MassDpo.Kafka.Links;

namespace MassDpo.Kafka.Tests.Links;

public sealed class ChunkStreamTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(16)]
    [InlineData(100)]
    public void However_it_is_written_all_chunks_but_the_last_have_one_size_and_together_are_what_was_written(int length)
    {
        var bytes = Enumerable.Range(0, length).Select(i => (byte)i).ToArray();
        foreach (var piece in new[] { 1, 3, 8, 20, 100 })
        {
            var chunks = new List<byte[]>();
            using var stream = new ChunkStream(8, chunks.Add);

            for (var at = 0; at < length; at += piece)
                stream.Write(bytes, at, Math.Min(piece, length - at));
            stream.Complete();

            Assert.Equal(bytes, chunks.SelectMany(chunk => chunk));
            Assert.Equal(length, stream.Length);
            Assert.All(chunks.SkipLast(1), chunk => Assert.Equal(8, chunk.Length));
            Assert.DoesNotContain(chunks, chunk => chunk.Length == 0);
        }
    }
}
