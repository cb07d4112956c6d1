#!/usr/bin/python3
"""
Measures score, select, train and snapshot on policies of published shapes with random weights, in a compute type and on a device, beside a plain PyTorch script
that does the same jobs (device_peer.py), and prints a table:

    device.py --device cuda --type bfloat16 [--shape qwen3-0.6b ...] [--records N] [--candidates N] [--prompt N] [--response N] [--budget N] [--rounds N]

Ours and the peer's are processes of their own, one after the other. Memory is the greatest of what nvidia-smi tells of the whole device less what it told before, or, on the
CPU, the process's greatest resident memory. PyTorch for the peer is that of --python.
"""
import argparse
import json
import statistics
import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHAPES = ROOT / "bench/Models.Bench/shapes"
OURS = ROOT / "artifacts/bin/Models.Bench/release/MassDpo.Models.Bench.dll"


def used(index):
    told = subprocess.run(["nvidia-smi", "-i", index, "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=True)
    return int(told.stdout.split()[0]) << 20


def measure(command, device):
    """What the process printed, and the most memory that it took."""
    if device == "cpu":
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        told = json.loads(done.stdout.splitlines()[-1])
        return told, told["resident_bytes"]
    index = device.partition(":")[2] or "0"
    before, peak, ended = used(index), [0], threading.Event()

    def watch():
        while not ended.wait(0.05):
            peak[0] = max(peak[0], used(index))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    finally:
        ended.set()
        watcher.join()
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]), peak[0] - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", default=["qwen3-0.6b", "llama-3.1-8b"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--type", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--records", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--response", type=int, default=16)
    parser.add_argument("--budget", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--python", default="/usr/bin/python3")
    options = parser.parse_args()
    print(f"{options.records} records a round, prompts of {options.prompt} tokens, {options.candidates} candidates of {options.response} (training and snapshots: 4 of them, adapters of rank 8); "
          f"{options.type} on {options.device}; medians of {options.rounds} rounds.\n")
    print("| shape | job | ours, records/s | tokens/s | peer, records/s | tokens/s | ours / peer | memory, ours | peer | weights | check, ours | peer |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for shape in options.shape:
        for work in ["score", "select", "train", "snapshot"]:
            words = [str(word) for word in (options.threads, SHAPES / f"{shape}.json", work, options.type, options.device, options.records,
                                            options.candidates if work in ("score", "select") else 4, options.prompt, options.response, options.budget, options.rounds)]
            ours, our_memory = measure(["dotnet", str(OURS), "device", *words], options.device)
            peer, peer_memory = measure([options.python, str(HERE / "device_peer.py"), *words], options.device)
            seconds = [statistics.median(told["seconds"]) for told in (ours, peer)]
            # A snapshot is of the adapter, whatever the records are.
            rates = [f"{1 / s:.2f} a second | " if work == "snapshot" else f"{told['records'] / s:.2f} | {told['tokens'] / s:,.0f}" for told, s in zip((ours, peer), seconds)]
            print(f"| {shape} | {work} | {rates[0]} | {rates[1]} | {seconds[1] / seconds[0]:.2f} | {our_memory >> 20:,} MiB | {peer_memory >> 20:,} MiB | {ours['weights_bytes'] >> 20:,} MiB | "
                  f"{ours['check']:.5g} | {peer['check']:.5g} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
