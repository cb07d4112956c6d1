using Google.Protobuf;
using MassDpo.Shared.Contracts;
using static MassDpo.Wire.Parsing;
using static MassDpo.Wire.ProtobufReader;

namespace MassDpo.Wire;

/// <summary>
/// <see cref="SelectionBlock"/>s as bytes (Protos/links.proto). Of a record only what the learner trains on travels: the tokens of the prompt, the chosen
/// response and the picks. What is read back has other responses empty, and no texts.
/// </summary>
public static class SelectionCodec
{
    private static readonly PreferenceRecord NoTexts = new() { Prompt = Prompt.OfText(""), Candidates = [] };

    public static byte[] Encode(SelectionBlock block)
    {
        var wire = new V1.SelectionBlock { Block = ToWire(block.Block), Selector = block.Selector, Version = block.Version, Trace = block.Trace ?? "" };
        foreach (var selection in block.Selections)
            wire.Rows.Add(new V1.SelectionBlock.Types.Row { Selection = selection is null ? null : Convert(selection) });
        return wire.ToByteArray();
    }

    /// <exception cref="WireFormatException">the bytes are no block</exception>
    public static SelectionBlock Decode(ReadOnlySpan<byte> bytes) => Read(V1.SelectionBlock.Parser, bytes, wire =>
    {
        var block = FromWire(wire.Block);
        if (wire.Rows.Count != block.Count)
            throw new WireFormatException($"{wire.Rows.Count} rows for {block}");
        return new SelectionBlock(block, wire.Selector, wire.Version, [.. wire.Rows.Select(row => row.Selection is null ? null : Convert(row.Selection))])
        {
            Trace = wire.Trace.Length > 0 ? wire.Trace : null,
        };
    });

    private static V1.Selection Convert(Selection selection)
    {
        var pool = selection.Pool;
        var wire = new V1.Selection
        {
            Position = ToWire(pool.Position),
            Id = pool.Id,
            Origin = ToWire(pool.Origin),
            Duplicates = pool.Duplicates,
            UnknownItems = pool.UnknownItems,
            CutTokens = pool.CutTokens,
            Prompt = { pool.Tokens.Prompt },
            Candidates = pool.Tokens.Candidates,
            Picks = { selection.Picks },
            ReferenceLogps = { selection.ReferenceLogps },
            Event = UnsafeByteOperations.UnsafeWrap(selection.Line.Bytes),
        };
        foreach (var response in pool.Tokens.Of(selection.Picks).Responses)
            wire.Responses.Add(new V1.Response { Tokens = { response } });
        if (selection.Measures is { } measures)
            wire.Measures = new V1.Measures { Rank = measures.Rank, Margin = measures.Margin, Accuracy = measures.Accuracy };
        return wire;
    }

    private static Selection Convert(V1.Selection wire)
    {
        var line = wire.Event.Memory;
        var told = EventLine.Read(line);
        // The event names each of them: no more are made room for than have come.
        if (wire.Candidates < 1 || wire.Candidates != told.Candidates.Count)
            throw new WireFormatException($"a selection among {wire.Candidates} candidates, with an event of {told.Candidates.Count}");
        if (wire.Responses.Count != wire.Picks.Count + 1 || wire.ReferenceLogps.Count != wire.Picks.Count + 1)
            throw new WireFormatException($"{wire.Picks.Count} picks with {wire.Responses.Count} responses and {wire.ReferenceLogps.Count} log-probabilities");
        var responses = new int[wire.Candidates][];
        Array.Fill(responses, []);
        responses[0] = Tokens(wire.Responses[0].Tokens);
        for (var i = 0; i < wire.Picks.Count; i++)
        {
            if (wire.Picks[i] < 1 || wire.Picks[i] >= wire.Candidates)
                throw new WireFormatException($"pick {wire.Picks[i]} among {wire.Candidates} candidates");
            responses[wire.Picks[i]] = Tokens(wire.Responses[i + 1].Tokens);
        }
        if (wire.Prompt.Count == 0 || wire.Responses.Any(response => response.Tokens.Count == 0))
            throw new WireFormatException("a selection with a prompt or a response of no tokens");
        var pool = new CandidatePool(NoTexts, wire.Id, new EncodedPool(Tokens(wire.Prompt), responses), FromWire(wire.Position), FromWire(wire.Origin),
            Count(wire.Duplicates, "duplicates"), Count(wire.UnknownItems, "unknown_items")) { CutTokens = Count(wire.CutTokens, "cut_tokens") };
        if (told.Position != pool.Position || !told.Picks.Select(pick => pick.Index).SequenceEqual(wire.Picks))
            throw new WireFormatException($"the selection of {pool.Position} comes with an event of another");
        return new Selection(pool, [.. wire.Picks], [.. wire.ReferenceLogps], told, new EventLine(line, EventLine.HashOf(line.Span)),
            wire.Measures is { } measures ? new RecordMeasures(measures.Rank, measures.Margin, measures.Accuracy) : null);
    }
}
