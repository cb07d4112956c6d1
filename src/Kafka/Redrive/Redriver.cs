using System.Globalization;
using Confluent.Kafka;
using MassDpo.Kafka.Client;
using MassDpo.Kafka.Records;
using MassDpo.Shared.Contracts;

namespace MassDpo.Kafka.Redrive;

/// <summary>What to put back.</summary>
/// <param name="DeadLetters">topic of dead letters</param>
/// <param name="To">topic that their records go to</param>
/// <param name="Group">under whose name it is remembered what was put back</param>
/// <param name="Codes">of the letters; none: all</param>
/// <param name="IsDryRun">only tells what it would do</param>
public sealed record RedriveRequest(string DeadLetters, string To, string Group, IReadOnlyCollection<string> Codes, bool IsDryRun);

/// <summary>What became of the letters of one code.</summary>
/// <param name="PutBack">now, or would be</param>
/// <param name="Before">letters whose record was dealt with by an earlier redrive, or that tell of the same record again</param>
/// <param name="Refused">that cannot be put back</param>
/// <param name="Left">of a code that was not asked for</param>
public sealed record RedriveCount(long PutBack, long Before, long Refused, long Left);

/// <summary>
/// Puts the records of dead letters back into the input. What is put back and that it was so is written in one transaction: a record is put back once,
/// however often and wherever this is broken off, and two at a time under one name cannot be.
/// </summary>
public sealed class Redriver : IDisposable
{
    /// <summary>The header that tells how often a record was put back.</summary>
    public const string RedrivenHeader = "massdpo_redriven";

    /// <summary>What messages are counted under that are no dead letters.</summary>
    public const string NoLetter = "(no dead letter)";

    // Letters in one transaction.
    private const int Together = 100;
    // The Confluent wire format: a zero and four bytes of a schema's number stand before the record.
    private const int WirePrefix = 5;
    // librdkafka's most: the broker knows what its topic takes.
    private const int MostBytes = 1_000_000_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly KafkaOptions _options;
    private readonly RedriveRequest _request;
    private readonly Action<string> _tell;
    private readonly IProducer<byte[]?, byte[]?>? _producer;
    private readonly OriginalReader _originals;
    private readonly RedriveProgress _progress;
    private readonly SortedDictionary<string, RedriveCount> _counts = new(StringComparer.Ordinal);
    // Records that were dealt with: a learner that goes back to its checkpoint may tell of one again.
    private readonly HashSet<Position> _done = [];
    private readonly Dictionary<(string Code, int Partition), long> _pending = [];
    private int _together;

    /// <param name="options">how to reach the cluster</param>
    /// <param name="request">what to put back</param>
    /// <param name="tell">gets a sentence for each letter that cannot be put back</param>
    /// <exception cref="InvalidDataException">no server is named, or librdkafka does not know a property</exception>
    public Redriver(KafkaOptions options, RedriveRequest request, Action<string> tell)
    {
        (_options, _request, _tell) = (options, request, tell);
        try
        {
            // A message must give up before its transaction does, whatever other producers of these settings are told.
            var config = new ProducerConfig(options.Client("massdpo-redrive"))
            {
                TransactionalId = request.Group, LingerMs = 0, MessageMaxBytes = MostBytes, MessageTimeoutMs = (int)Patience.TotalMilliseconds, TransactionTimeoutMs = (int)Patience.TotalMilliseconds,
            };
            _producer = request.IsDryRun ? null : new ProducerBuilder<byte[]?, byte[]?>(config).SetLogHandler((_, _) => { }).Build();
            _originals = new OriginalReader(options);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            _producer?.Dispose();
            throw new InvalidDataException($"kafka.client: {options.Redact(e.Message)}", e);
        }
        _progress = new RedriveProgress(options, request.DeadLetters, request.Group);
    }

    /// <summary>Goes through all letters that there are now. Where it is stopped, what was done so far holds.</summary>
    /// <returns>by code, in order</returns>
    /// <exception cref="IOException">the cluster cannot be reached, a topic is missing, or another redrive of this name has begun</exception>
    public async Task<IReadOnlyDictionary<string, RedriveCount>> RunAsync(CancellationToken stop)
    {
        try
        {
            // Ends what an earlier one under this name left open, and shuts that out.
            if (_producer is not null)
                await Task.Run(() => _producer.InitTransactions(Patience), stop);
            await foreach (var message in TopicReader.ReadAsync(_options, _request.DeadLetters, fromBeginning: true, untilEnd: true, stop))
                await Task.Run(() => Take(message), CancellationToken.None);
            await Task.Run(Commit, CancellationToken.None);
            return _counts;
        }
        catch (KafkaException e)
        {
            var reason = e.Error.Code is ErrorCode.Local_Fenced or ErrorCode.ProducerFenced or ErrorCode.InvalidProducerEpoch
                ? $"another redrive under the name '{_request.Group}' has begun"
                : _options.Redact(e.Error.Reason);
            throw new IOException($"putting back into '{_request.To}' failed, and the last {_together} letters are as they were: {reason}", e);
        }
        finally
        {
            if (_together > 0)
                await Task.Run(Abort, CancellationToken.None);
        }
    }

    public void Dispose()
    {
        _progress.Dispose();
        _originals.Dispose();
        _producer?.Dispose();
    }

    private void Take(TopicMessage message)
    {
        DeadLetterMessage letter;
        try
        {
            letter = DeadLetterMessage.Read(message);
        }
        catch (FormatException e)
        {
            _tell($"{_request.DeadLetters}, partition {message.Partition}, offset {message.Offset}: {e.Message}");
            Count(NoLetter, count => count with { Refused = count.Refused + 1 });
            return;
        }
        if (message.Offset < _progress.Next(letter.Code, message.Partition) || _done.Contains(letter.Position))
        {
            _done.Add(letter.Position);
            Count(letter.Code, count => count with { Before = count.Before + 1 });
            return;
        }
        if (_request.Codes.Count > 0 && !_request.Codes.Contains(letter.Code))
        {
            Count(letter.Code, count => count with { Left = count.Left + 1 });
            return;
        }
        _done.Add(letter.Position);
        var record = Restore(letter, out var why);
        if (record is null)
            _tell($"{letter.Position} ({letter.Code}) cannot be put back: {why}");
        Count(letter.Code, count => record is null ? count with { Refused = count.Refused + 1 } : count with { PutBack = count.PutBack + 1 });
        if (_producer is null)
            return;
        if (_together++ == 0)
            _producer.BeginTransaction();
        if (record is not null)
            _producer.Produce(_request.To, record);
        _pending[(letter.Code, message.Partition)] = message.Offset + 1;
        if (_together == Together)
            Commit();
    }

    // The record as it came: where it stands, with its key and headers, else the bytes in the letter.
    private Message<byte[]?, byte[]?>? Restore(DeadLetterMessage letter, out string why)
    {
        var original = letter.From is null ? null : _originals.Read(letter.From);
        if (original?.Value is { } value && IsThat(value, letter.RawHash))
        {
            why = "";
            var headers = new Headers();
            foreach (var header in original.Headers.Where(header => header.Key != RedrivenHeader))
                headers.Add(header.Key, header.GetValueBytes());
            return Marked(original.Key, value, headers, original);
        }
        why = $"its {letter.RawLength} bytes were cut to {letter.Raw.Length}, and " + (letter.From, original) switch
        {
            (null, _) => $"it is from no topic but from '{letter.Position.Source}', where it must be read again",
            ({ } from, null) => $"it is gone from topic '{from.Topic}', partition {from.Partition.Value}, offset {from.Offset.Value}",
            ({ } from, _) => $"what is in topic '{from.Topic}', partition {from.Partition.Value}, offset {from.Offset.Value} has another hash than its {letter.RawHash}",
        };
        return letter.IsCut ? null : Marked(null, letter.Raw.ToArray(), CloudEvents.Of(CloudEvents.RecordType, letter.Position.Source, letter.Position.ToString()), original);
    }

    private static Message<byte[]?, byte[]?> Marked(byte[]? key, byte[] value, Headers headers, TopicMessage? original)
    {
        var before = int.TryParse(CloudEvents.Read(original?.Headers, RedrivenHeader), NumberStyles.None, CultureInfo.InvariantCulture, out var times) ? times : 0;
        CloudEvents.Add(headers, RedrivenHeader, (before + 1).ToString(CultureInfo.InvariantCulture));
        return new Message<byte[]?, byte[]?> { Key = key, Value = value, Headers = headers };
    }

    private static bool IsThat(byte[] value, string hash) =>
        ContentHash.Of(value) == hash || (value.Length > WirePrefix && value[0] == 0 && ContentHash.Of(value.AsSpan(WirePrefix)) == hash);

    private void Commit()
    {
        if (_together == 0)
            return;
        var offsets = _pending.GroupBy(offset => offset.Key.Code, offset => new TopicPartitionOffset(_request.DeadLetters, offset.Key.Partition, offset.Value)).ToList();
        foreach (var code in offsets)
            _producer!.SendOffsetsToTransaction(code, _progress.Group(code.Key), Patience);
        _producer!.CommitTransaction(Patience);
        _pending.Clear();
        _together = 0;
        foreach (var code in offsets)
            _progress.Commit(code.Key, code);
    }

    // What is left open would hold up readers of the input until it times out.
    private void Abort()
    {
        try
        {
            _producer!.AbortTransaction(Patience);
        }
        catch (KafkaException)
        {
            // What is to be told is why it came to this.
        }
    }

    private void Count(string code, Func<RedriveCount, RedriveCount> change) => _counts[code] = change(_counts.GetValueOrDefault(code, new RedriveCount(0, 0, 0, 0)));
}
