using MassDpo.Endurance.Bench;

var count = args.Length > 1 ? int.Parse(args[1]) : (int?)null;
var first = args.Length > 2 ? int.Parse(args[2]) : 0;
if (args.FirstOrDefault() == "time")
{
    var w = System.Diagnostics.Stopwatch.StartNew();
    for (var i = 0; i < 300; i++) { var s = MassDpo.PipelineKit.Schedules.PipelineSchedule.Of(i); s.OptionsOf(s.Lives[0]); }
    Console.WriteLine($"options {w.Elapsed.TotalMilliseconds / 300:F2} ms");
    return 0;
}
return args.FirstOrDefault() switch
{
    "schedules" => ScheduleCount.Run(first, count ?? 10_000) ? 0 : 1,
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("schedules [count [first seed]]");
    return 2;
}
