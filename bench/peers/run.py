#!/usr/bin/python3
"""
Measures speed against the peers and writes results.md: run.py DATA [--rounds N] [--work DIR] [--short]

DATA holds train.jsonl.gz and items.csv of LastFM. One command makes everything: policies, records, the check that the peers compute what the product
does, all measurements in turns, and the tables. --short runs once with few updates: whether it works, not how fast it is.
"""
import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PYTHON = "/usr/bin/python3"
PEERS = {"random": ["apart", "packed"], "mass": ["apart-mass", "packed-mass"]}
# Of records/s, ours over theirs.
GOALS = {("lastfm", "apart"): 2.5, ("llama", "apart"): 3.5, ("lastfm", "packed"): 1.0, ("llama", "packed"): 0.95}


def run(*command, capture=True):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_"))}
    environment["OPENBLAS_NUM_THREADS"] = environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run([str(part) for part in command], env=environment, text=True, stdout=subprocess.PIPE if capture else None, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(str(part) for part in command)}\n{done.stdout}{done.stderr}\nfailed with {done.returncode}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def massdpo(*arguments):
    return run("dotnet", ROOT / "artifacts/bin/App/release/massdpo.dll", *arguments)


class Workload:
    def __init__(self, name, policy, data, batch, beta, rate, rate_warm_up, beta2, warm_up, updates, peer_updates, settings):
        self.name, self.policy, self.data, self.batch, self.beta = name, policy, data, batch, beta
        self.rate, self.rate_warm_up, self.beta2 = rate, rate_warm_up, beta2
        self.warm_up, self.updates, self.peer_updates, self.settings = warm_up, updates, peer_updates, settings

    def peer(self, script, updates, *more, warm_up=None, batch=None):
        return lines(run(PYTHON, HERE / f"{script}.py", "--policy", self.policy, "--data", self.data, "--batch", batch or self.batch, "--beta", self.beta,
                         "--learning-rate", self.rate, "--learning-rate-warm-up", self.rate_warm_up, "--adam-beta2", self.beta2,
                         "--warm-up", self.warm_up if warm_up is None else warm_up, "--updates", updates, *more))

    def ours(self, method, updates, output, batch=None):
        batch = batch or self.batch
        shutil.rmtree(output, ignore_errors=True)
        massdpo("run", "--policy", self.policy, "--data", self.data, "--output", output, "--selector", method, "--threads", 1, "--batch", batch, "--beta", self.beta,
                "--learning-rate", self.rate, "--passes", 1, "--shuffle", "none", "--max-records", updates * batch, "--set", f"learner.warmup={self.rate_warm_up}",
                "--set", f"learner.adam-beta2={self.beta2}", *self.settings)
        return lines((output / "metrics.jsonl").read_text())

    def steady(self, metrics):
        """Records/s over the updates after the warm-up: each line tells the rate from the end of the update before to its own end."""
        timed = metrics[self.warm_up:]
        return len(timed) * self.batch / sum(self.batch / line["records_per_s"] for line in timed)


def prepare(data, work, short):
    lastfm, llama = work / "lastfm", work / "llama"
    massdpo("sft", "--config", ROOT / "hocon/lastfm.conf", "--items", data / "items.csv", "--data", data / "train.jsonl.gz", "--policy", lastfm,
            "--epochs", 1 if short else 12)
    # The same lines for both, unpacked: only the records count.
    with gzip.open(data / "train.jsonl.gz", "rb") as packed, open(work / "lastfm.jsonl", "wb") as out:
        shutil.copyfileobj(packed, out)
    run(PYTHON, HERE / "make_llama.py", 80, work / "llama.jsonl")
    massdpo("sft", "--data", work / "llama.jsonl", "--policy", llama, "--epochs", 0, "--set", "sft.tokenizer=words", "--set", "sft.layers=6", "--set", "sft.hidden=288",
            "--set", "sft.heads=6", "--set", "sft.intermediate=768", "--set", "sft.max-positions=512")
    return [
        Workload("lastfm", lastfm, work / "lastfm.jsonl", 32, 1, 2.4e-3, 20, 0.99, 30, 40 if short else 280, {"apart-mass": 40}.get, []),
        Workload("llama", llama, work / "llama.jsonl", 8, 0.1, 1e-6, 0, 0.999, 1, 2 if short else 6, {}.get, []),
    ]


def check(workload, work):
    """Log-probabilities and a few losses of apart and packed against ours."""
    batch = 4 if workload.name == "llama" else workload.batch
    some, scores, output, told = work / "some.jsonl", work / "scores.jsonl", work / "check", work / "told.jsonl"
    some.write_text("".join(workload.data.read_text().splitlines(keepends=True)[:batch]))
    scores.write_text(massdpo("score", "--policy", workload.policy, "--data", some))
    workload.ours("random", 5, output, batch)
    found = []
    for script in PEERS["random"]:
        printed = workload.peer(script, 1, "--logps", warm_up=0, batch=batch)
        printed += [line for line in workload.peer(script, 3, "--losses", "--picks", output / "selections.jsonl", warm_up=0, batch=batch) if "loss" in line]
        told.write_text("".join(json.dumps(line) + "\n" for line in printed))
        found.append(f"{script}: {run(PYTHON, HERE / 'check.py', scores, told, output).strip()}")
    return found


def start_seconds(workload, work):
    """From the start of the process to the first selection in the log, and to its end: one batch."""
    output = work / "start"
    shutil.rmtree(output, ignore_errors=True)
    log = output / "selections.jsonl"
    begin = time.perf_counter()
    process = subprocess.Popen(["dotnet", str(ROOT / "artifacts/bin/App/release/massdpo.dll"), "run", "--policy", str(workload.policy), "--data", str(workload.data),
                                "--output", str(output), "--threads", "1", "--max-records", str(workload.batch), "--batch", str(workload.batch)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = None
    while process.poll() is None:
        if first is None and log.exists() and log.stat().st_size > 0:
            first = time.perf_counter() - begin
        time.sleep(0.001)
    if process.returncode != 0 or first is None:
        raise SystemExit("the run whose start is timed failed")
    return first, time.perf_counter() - begin


def machine():
    cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags"))
    memory = int(next(line.split()[1] for line in open("/proc/meminfo") if line.startswith("MemTotal"))) / 2**20
    system = next(line.split("=")[1].strip().strip('"') for line in open("/etc/os-release") if line.startswith("PRETTY_NAME"))
    versions = run(PYTHON, "-c", "import torch, numpy, platform; print(f'Python {platform.python_version()}, PyTorch {torch.__version__}, NumPy {numpy.__version__}')").strip()
    blas = run("dpkg-query", "-W", "-f", "${Package} ${Version}", "libopenblas0-pthread")
    commit = run("git", "-C", ROOT, "describe", "--always", "--dirty").strip()
    avx = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    return (f"{cpu}, {os.cpu_count()} cores, {avx}, {memory:.0f} GiB; {system}; {versions}, {blas}; "
            f".NET {run('dotnet', '--version').strip()} (SDK); commit {commit}")


def told(values):
    return f"{statistics.median(values):,.4g} ({min(values):,.4g} – {max(values):,.4g})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="keeps what is made in between")
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    if options.short:
        options.rounds = 1
    work = options.work or Path(tempfile.mkdtemp(prefix="massdpo-peers-"))
    work.mkdir(parents=True, exist_ok=True)
    began, load = time.time(), os.getloadavg()
    run(ROOT / "massdpo", "build")
    for project in ("Pipeline.Bench", "Selection.Bench"):
        run("dotnet", "build", ROOT / "bench" / project, "-c", "Release", "--nologo", "-v", "q")
    workloads = prepare(options.data, work, options.short)
    checks = [found for workload in workloads for found in check(workload, work)]

    rates = {}
    starts = []
    for turn in range(options.rounds):
        for workload in workloads:
            for method, scripts in PEERS.items():
                for script in scripts:
                    updates = 2 if workload.name == "llama" else 10 if options.short else workload.peer_updates(script) or 100
                    printed = workload.peer(script, updates, warm_up=1 if workload.name == "llama" else 10)[-1]
                    rates.setdefault((workload.name, script), []).append(printed["records_per_s"])
                    rates.setdefault((workload.name, script, "without reference"), []).append(printed["without_reference"])
                metrics = workload.ours(method, workload.warm_up + workload.updates, work / "out")
                rates.setdefault((workload.name, method), []).append(workload.steady(metrics))
        starts.append(start_seconds(workloads[0], work))
        print(f"round {turn + 1} of {options.rounds} done", file=sys.stderr)

    bench = ["dotnet", ROOT / "artifacts/bin/Pipeline.Bench/release/MassDpo.Pipeline.Bench.dll"]
    overhead = {}
    for workload, method, updates in ((workloads[0], "random", 270), (workloads[0], "mass", 270), (workloads[1], "random", 2)):
        updates = min(updates, 20) if options.short else updates
        overhead[(workload.name, method)] = lines(run(*bench, "overhead", workload.policy, workload.data, workload.warm_up, updates, options.rounds,
                                                      "--config", ROOT / "hocon/lastfm.conf", "ingest.shuffle=none", "ingest.passes=1", f"selection.method={method}",
                                                      f"learner.batch={workload.batch}", f"learner.learning-rate={workload.rate}"))
    items = 5000
    made = work / "made.jsonl"
    run(*bench, "made-data", items, 10_000 if options.short else 200_000, made)
    massdpo("sft", "--data", made, "--policy", work / "made", "--epochs", 0, "--set", "sft.max-records=10000")
    ingest = lines(run(*bench, "ingest", work / "made", made, options.rounds))
    numpy = {line["size"]: line for line in lines(run(PYTHON, HERE / "kernels.py", 0.1 if options.short else 1.0))}
    kernels = run("dotnet", ROOT / "artifacts/bin/Selection.Bench/release/MassDpo.Selection.Bench.dll", "--filter", "*KernelBenchmarks*", "--artifacts", work / "kernels",
                  *(["--iterationCount", 3, "--warmupCount", 1] if options.short else []))
    kernel_table = [line for line in kernels.splitlines() if line.startswith("|")]

    out = ["# Speed against peers", "",
           "Made by one command, which also gathered what is said of the machine:", "", "```", f"bench/peers/run.py DATA{' --short' if options.short else ''}", "```", "",
           f"{machine()}. Load average {load[0]:.2f} at the start. {options.rounds} interleaved rounds; medians, with the least and the greatest in brackets."]
    if options.short:
        out += ["", "**A short run: it shows that the script works, not how fast anything is.**"]
    out += ["", "## Records/s", "",
            "Ours is `massdpo run --threads 1`, everything it does included, over the updates after a warm-up (`metrics.jsonl`: from the end of one update to the end of the "
            "next). The peers are plain PyTorch on one thread; their records are read and tokenised before the clock runs. Both see each record once, so that packed.py's and our "
            "reference is computed for each record, within the time; *without reference* leaves that part of the peer's time out. Ratio: the median over rounds of ours over theirs, goals where there is one.",
            "", "| | rival | ours | rival | rival without reference | ratio | goal |", "|---|---|---|---|---|---|---|"]
    for workload in workloads:
        for method, scripts in PEERS.items():
            for script in scripts:
                ours, theirs = rates[(workload.name, method)], rates[(workload.name, script)]
                ratio = statistics.median(a / b for a, b in zip(ours, theirs))
                goal = GOALS.get((workload.name, script))
                out.append(f"| {workload.name} {method} | {script} | {told(ours)} | {told(theirs)} | {told(rates[(workload.name, script, 'without reference')])} "
                           f"| {ratio:.2f} | {'' if goal is None else f'≥ {goal}'} |")
    out += ["", "LastFM: 20 candidates, the policy of `sft` with `hocon/lastfm.conf`, batches of 32. Llama: random, hidden 288, 6 layers, 6 heads, vocabulary 4,096, prompts of 256 "
            "tokens, 20 responses of 16, batches of 8. k = 3, Adam, clipping at 1.", "", "The peers compute what we compute:", ""]
    out += [f"- {found}" for found in checks]
    out += ["", "## The pipeline", "",
            "Actors, links, JSON, events and checkpoints against a plain loop over the same selection and training calls on records read before (`bench/Pipeline.Bench`).", "",
            "| | direct loop, records/s | pipeline, records/s | overhead, % (goal ≤ 10) |", "|---|---|---|---|"]
    for (name, method), found in overhead.items():
        out.append(f"| {name} {method} | {told([line['direct_records_per_s'] for line in found])} | {told([line['pipeline_records_per_s'] for line in found])} "
                   f"| {told([line['overhead_percent'] for line in found])} |")
    out += ["", f"Ingest alone on one thread (read, parse, validate, tokenise; {ingest[0]['bytes_per_record']:.0f} bytes a record): "
            f"{told([line['records_per_s'] for line in ingest])} records/s (goal ≥ 150,000).", "",
            f"From the start of the process to the first selection of LastFM in the log: {told([first for first, _ in starts])} s (goal < 1.5); to the end of a run of one batch: "
            f"{told([whole for _, whole in starts])} s.", "", "## Selection", "",
            "Ours (BenchmarkDotNet, `bench/Selection.Bench`; goals for mass 5, 5, 20 and 500 µs, for exact of 100,256,8 80 µs, 0 B):", "", *kernel_table, "",
            "NumPy, one thread (`bench/peers/kernels.py`):", "", "| n,d,k | greedy among samples, µs | d×d inverse, Sherman–Morrison, µs |", "|---|---|---|"]
    out += [f"| {size} | {line['numpy_greedy_us']:,.1f} | {line['sherman_morrison_us']:,.1f} |" for size, line in numpy.items()]
    out += ["", f"{(time.time() - began) / 60:.0f} minutes in all."]
    (work / "rates.json").write_text(json.dumps({" ".join(key): values for key, values in rates.items()}, indent=1))
    (HERE / ("results-short.md" if options.short else "results.md")).write_text("\n".join(out) + "\n", encoding="utf-8")
    if options.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
