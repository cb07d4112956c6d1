using MassDpo.Kafka.Input;
using MassDpo.Shared.Contracts;
using MassDpo.Shared.Sources;

namespace MassDpo.Kafka.Tests.Input;

/// <summary>One reading of a source, entry by entry.</summary>
internal sealed class Reader : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly CancellationTokenSource _over = new(Patience);
    private readonly IAsyncEnumerator<SourceEntry> _entries;

    public Reader(KafkaSource source, SettledPositions? settled = null) => _entries = source.ReadAsync(settled ?? new SettledPositions(), _over.Token).GetAsyncEnumerator(_over.Token);

    public async Task<SourceEntry> NextAsync()
    {
        Assert.True(await _entries.MoveNextAsync());
        return _entries.Current;
    }

    public async Task<T> NextAsync<T>() => Assert.IsType<T>(await NextAsync(), exactMatch: false);

    /// <summary>Entries up to and with the first that is so.</summary>
    public async Task<List<SourceEntry>> UntilAsync(Func<SourceEntry, bool> isLast)
    {
        var entries = new List<SourceEntry>();
        do
            entries.Add(await NextAsync());
        while (!isLast(entries[^1]));
        return entries;
    }

    public void Cancel() => _over.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _entries.DisposeAsync();
        _over.Dispose();
    }
}
