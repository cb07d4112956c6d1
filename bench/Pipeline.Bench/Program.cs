using System.Text.Json;
using MassDpo.Pipeline.Bench;

// overhead POLICY DATA WARM-UP UPDATES ROUNDS [--config FILE] [key=value …]   the pipeline against a plain loop over the same calls
// ingest POLICY DATA ROUNDS                                                   records/s of reading, parsing, validating and tokenising
// tokenizers DATA ROUNDS NAME=PATH …                                          MB/s of text to tokens
// instruments BATCHES ROUNDS                                                  what measuring costs per record, with and without somebody who listens
// references POLICY DATA RECORDS ROUNDS                                       reference log-probabilities from memory, from disk and computed
// made-data ITEMS RECORDS OUT                                                 records of 1 KiB for ingest, and their items
// Every measurement is one line of JSON.
switch (args)
{
    case ["overhead", var policy, var data, var warmUp, var updates, var rounds, .. var rest]:
        await Overhead.RunAsync(policy, data, int.Parse(warmUp), int.Parse(updates), int.Parse(rounds), rest, Print);
        return 0;
    case ["ingest", var policy, var data, var rounds]:
        await IngestRate.RunAsync(policy, data, int.Parse(rounds), Print);
        return 0;
    case ["tokenizers", var data, var rounds, .. var named]:
        await TokenizerRate.RunAsync(data, int.Parse(rounds), named, Print);
        return 0;
    case ["instruments", var batches, var rounds]:
        InstrumentCost.Run(int.Parse(batches), int.Parse(rounds), Print);
        return 0;
    case ["references", var policy, var data, var records, var rounds]:
        await ReferenceRate.RunAsync(policy, data, int.Parse(records), int.Parse(rounds), Print);
        return 0;
    case ["made-data", var items, var records, var path]:
        IngestRate.Write(int.Parse(items), int.Parse(records), path);
        return 0;
    default:
        Console.Error.WriteLine("see Program.cs for the arguments");
        return 2;
}

static void Print(object line) => Console.WriteLine(JsonSerializer.Serialize(line));
