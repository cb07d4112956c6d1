using Google.Protobuf;
using MassDpo.Shared.Contracts;
using static MassDpo.Wire.Parsing;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Wire;

/// <summary><see cref="PoolBlock"/>s, from intakes to selectors, as bytes (Protos/links.proto): whole records, texts and tokens.</summary>
public static class PoolCodec
{
    private static readonly MessageParser<V1.PoolBlockHead> Head = V1.PoolBlockHead.Parser.WithDiscardUnknownFields(true);

    public static byte[] Encode(PoolBlock block)
    {
        var wire = new V1.PoolBlock { Block = ToWire(block.Block), Trace = block.Trace ?? "" };
        foreach (var pool in block.Pools)
            wire.Rows.Add(new V1.PoolBlock.Types.Row { Pool = pool is null ? null : Convert(pool) });
        return wire.ToByteArray();
    }

    /// <exception cref="WireFormatException">the bytes are no block</exception>
    public static PoolBlock Decode(ReadOnlySpan<byte> bytes) => Read(V1.PoolBlock.Parser, bytes, wire =>
    {
        var block = FromWire(wire.Block);
        return wire.Rows.Count == block.Count
            ? new PoolBlock(block, [.. wire.Rows.Select(row => row.Pool is null ? null : Convert(row.Pool))]) { Trace = Text(wire.Trace) }
            : throw new WireFormatException($"{wire.Rows.Count} rows for {block}");
    });

    /// <summary>Which block it is, without its records.</summary>
    /// <exception cref="WireFormatException">the bytes are no block</exception>
    public static SlotBlock DecodeHead(ReadOnlySpan<byte> bytes) => Read(Head, bytes, wire => FromWire(wire.Block));

    private static V1.Pool Convert(CandidatePool pool)
    {
        var wire = new V1.Pool
        {
            Position = ToWire(pool.Position),
            Id = pool.Id,
            Origin = ToWire(pool.Origin),
            Duplicates = pool.Duplicates,
            UnknownItems = pool.UnknownItems,
            CutTokens = pool.CutTokens,
            Trace = pool.Trace ?? "",
            Record = Convert(pool.Record),
            PromptTokens = { pool.Tokens.Prompt },
        };
        foreach (var response in pool.Tokens.Responses)
            wire.Responses.Add(new V1.Response { Tokens = { response } });
        return wire;
    }

    private static CandidatePool Convert(V1.Pool wire)
    {
        var record = Convert(Required(wire.Record, "record"));
        if (wire.Responses.Count != record.Candidates.Count)
            throw new WireFormatException($"{wire.Responses.Count} responses of {record.Candidates.Count} candidates");
        if (wire.PromptTokens.Count == 0 || wire.Responses.Any(response => response.Tokens.Count == 0))
            throw new WireFormatException("a pool with a prompt or a response of no tokens");
        return new CandidatePool(record, wire.Id, new EncodedPool(Tokens(wire.PromptTokens), [.. wire.Responses.Select(response => Tokens(response.Tokens))]),
            FromWire(wire.Position), FromWire(wire.Origin), Count(wire.Duplicates, "duplicates"), Count(wire.UnknownItems, "unknown_items"))
        {
            CutTokens = Count(wire.CutTokens, "cut_tokens"),
            Trace = Text(wire.Trace),
        };
    }

    private static V1.Record Convert(PreferenceRecord record)
    {
        var wire = new V1.Record
        {
            Form = (V1.Record.Types.PromptForm)record.Prompt.Form,
            Text = record.Prompt.Text,
            Items = { record.Prompt.Items },
            Messages = { record.Prompt.Messages.Select(message => new V1.Record.Types.ChatMessage { Role = message.Role, Content = message.Content }) },
            Candidates = { record.Candidates },
            Rewards = { record.Rewards ?? [] },
            ReferenceLogps = { record.ReferenceLogps ?? [] },
            Ranked = record.Ranked,
        };
        if (record.Id is { } id)
            wire.Id = id;
        if (record.MetaUtf8 is { } meta)
            wire.Meta = UnsafeByteOperations.UnsafeWrap(meta);
        if (record.UnknownFields is { } unknown)
            wire.UnknownFields = unknown;
        return wire;
    }

    private static PreferenceRecord Convert(V1.Record wire)
    {
        var form = (PromptForm)wire.Form;
        if (!Enum.IsDefined(form))
            throw new WireFormatException($"a prompt of form {wire.Form}, which this build does not know");
        if (wire.Candidates.Count == 0)
            throw new WireFormatException("a record without candidates");
        return new PreferenceRecord
        {
            Id = wire.HasId ? wire.Id : null,
            Prompt = new Prompt(form, wire.Text, [.. wire.Items]) { Messages = [.. wire.Messages.Select(message => new ChatMessage(message.Role, message.Content))] },
            Candidates = [.. wire.Candidates],
            Rewards = Numbers(wire.Rewards, wire.Candidates.Count, "rewards"),
            ReferenceLogps = Numbers(wire.ReferenceLogps, wire.Candidates.Count, "reference_logps"),
            Ranked = wire.Ranked,
            MetaUtf8 = wire.HasMeta ? (ReadOnlyMemory<byte>?)wire.Meta.Memory : null,
            UnknownFields = wire.HasUnknownFields ? wire.UnknownFields : null,
        };
    }

    // None, or one per candidate.
    private static double[]? Numbers(IReadOnlyCollection<double> numbers, int candidates, string name) => numbers.Count == 0
        ? null
        : numbers.Count == candidates ? [.. numbers] : throw new WireFormatException($"{numbers.Count} {name} of {candidates} candidates");

    private static string? Text(string text) => text.Length > 0 ? text : null;
}
