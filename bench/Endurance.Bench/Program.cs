using MassDpo.Endurance.Bench;

var count = args.Length > 1 ? int.Parse(args[1]) : (int?)null;
var first = args.Length > 2 ? int.Parse(args[2]) : 0;
return args.FirstOrDefault() switch
{
    "schedules" => ScheduleCount.Run(first, count ?? 10_000) ? 0 : 1,
    "mutants" => MutantCount.Run(count ?? 1_000_000, args.Length > 2 ? first : 100_000) ? 0 : 1,
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("schedules [count [first seed]] | mutants [records [others]]");
    return 2;
}
