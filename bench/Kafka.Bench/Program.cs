using MassDpo.Kafka.Bench;

// ingest [ROUNDS]   records/s of the source, and of the source with the validator, against a bare consumer of the same topic; prints a markdown table
switch (args)
{
    case ["ingest"]:
        await IngestRate.RunAsync(rounds: 5);
        return 0;
    case ["ingest", var rounds]:
        await IngestRate.RunAsync(int.Parse(rounds));
        return 0;
    default:
        Console.Error.WriteLine("see Program.cs for the arguments");
        return 2;
}
