using System.Globalization;
using MassDpo.Endurance.Bench;

var count = args.Length > 1 ? int.Parse(args[1]) : (int?)null;
var first = args.Length > 2 && int.TryParse(args[2], out var number) ? number : 0;
return args.FirstOrDefault() switch
{
    "schedules" => ScheduleCount.Run(first, count ?? 10_000) ? 0 : 1,
    "fleets" => FleetCount.Run(first, count ?? 100_000, args.Length > 3 ? double.Parse(args[3], CultureInfo.InvariantCulture) : double.PositiveInfinity) ? 0 : 1,
    "mutants" => MutantCount.Run(count ?? 1_000_000, args.Length > 2 ? first : 100_000, [.. args.Skip(3)]) ? 0 : 1,
    "memory" => Memory(count ?? 1_000_000, args.Length > 2 ? args[2] : "mass"),
    "load" => await Load(count ?? 10, args.Length > 2 ? first : 512),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("schedules [count [first seed]] | fleets [count [first seed [minutes]]] | mutants [records [others [kinds …]]] | memory [records [method]] | load [minutes [MiB of each role]]");
    return 2;
}

static int Memory(int records, string method)
{
    using var run = new MemoryRun(records, method);
    return run.Run() ? 0 : 1;
}

static async Task<int> Load(int minutes, int cap)
{
    using var run = new LoadRun(TimeSpan.FromMinutes(minutes), cap);
    return await run.RunAsync() ? 0 : 1;
}
