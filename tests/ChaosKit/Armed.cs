using MassDpo.ChaosKit.Processes;

namespace MassDpo.ChaosKit;

/// <summary>What becomes of a process at a moment.</summary>
public enum Deed
{
    /// <summary>It dies as by kill -9.</summary>
    Kill,

    /// <summary>It stands still as by SIGSTOP, whole, until SIGCONT.</summary>
    Stop,

    /// <summary>The thread to which it happens waits until it is told to go on; the others do not.</summary>
    Hold,
}

/// <summary>What a process does to itself: a deed at a moment, given with its command line, and after that line by line through its standard input.</summary>
internal sealed class Armed
{
    /// <summary>The line that lets go who is held.</summary>
    public const string Go = "go";

    /// <summary>Begins a line on standard error that names an event, and is no message of the program's.</summary>
    public const string Told = "event ";

    /// <summary>The event that the moment has come, told before a process stands still or is held.</summary>
    public const string Came = "TheMoment";

    private readonly ManualResetEventSlim _go = new();
    private Trap _trap;
    private volatile Deed _due;

    public Armed(Deed deed, Moment moment)
    {
        _trap = new Trap(deed, moment);
        new Thread(Listen) { IsBackground = true, Name = "chaos" }.Start();
    }

    /// <summary>A deed at a moment, as a line.</summary>
    public static string Line(Deed deed, Moment moment) => string.Join(' ', [deed.ToString(), .. moment.ToWords()]);

    /// <summary>Tells of an event to who has started this process.</summary>
    public static void Tell(string name) => Console.Error.WriteLine(Told + name);

    /// <summary>Something happens; whether it is the moment, which comes once. <see cref="Do"/> is due then.</summary>
    public bool IsNow(string what, string of)
    {
        var trap = Volatile.Read(ref _trap);
        if (!trap.IsNow(what, of))
            return false;
        _due = trap.Deed;
        return true;
    }

    /// <summary>Does the deed; comes back unless it is death.</summary>
    public void Do()
    {
        _go.Reset();
        if (_due != Deed.Kill)
            Tell(Came);
        switch (_due)
        {
            case Deed.Kill:
                // No finally block runs, no stream is flushed, and nobody goes on after this.
                Signals.Send(Environment.ProcessId, Signals.Kill);
                Thread.Sleep(Timeout.Infinite);
                break;
            case Deed.Stop:
                Signals.Send(Environment.ProcessId, Signals.Stop);
                break;
            case Deed.Hold:
                _go.Wait();
                break;
        }
    }

    private void Listen()
    {
        while (Console.In.ReadLine() is { } line)
        {
            if (line == Go)
                _go.Set();
            else if (line.Split(' ') is [var deed, .. var moment])
                Volatile.Write(ref _trap, new Trap(Enum.Parse<Deed>(deed), Moment.FromWords(moment)));
        }
    }

    private sealed class Trap(Deed deed, Moment moment)
    {
        private int _seen;

        public Deed Deed => deed;

        // Actors run on threads of their own.
        public bool IsNow(string what, string of) => moment.IsOf(what, of) && Interlocked.Increment(ref _seen) == moment.Nth;
    }
}
