"""One training in 1, 2 and 3 processes of ``torchrun`` on one machine: its time, its figures, one lost.

Fashion-MNIST by the ordinary command, a thread a process, and beside these one process with all threads. The
seeds are the same in all, so that accuracies differ by roundings only, which grow. Then a process of three is
killed by SIGKILL at a moment drawn from the middle of the training: counted are the seconds until torchrun
has ended, and how many sentences say why. The run is resumed in another number of processes, and its accuracy
stands beside those of the runs which were never killed.

Measured on 2 cores of a shared AMD EPYC, torch 2.13.0, Python 3.11.7, nothing else running, three seeds,
seconds of training (median and range) and mean test accuracy: one process with both threads 9.8 (8.7 to
10.7), 91.14 %; with one 15.2 (14.8 to 15.9), 91.18 %; two processes 14.3 (14.2 to 14.8), 91.22 %; three 20.9
(20.6 to 21.6), 91.12 %. All three killed trainings had ended 0.6 s after the kill, one sentence each; resumed
in 2, 1 and 3 processes they came to 91.40, 91.18 and 91.20 %, those never killed to 91.02 to 91.40 %.

Run it with nothing else running: ``python benchmarks/distributed.py`` (about eight minutes on 2 cores).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from striate.training import Run

SIDES = {
    "1 process, all threads": (1, None),
    "1 process": (1, 1),
    "2 processes": (2, 1),
    "3 processes": (3, 1),
}
"""Name -> processes, and threads of each; ``None``: all."""


def begin(processes: int, threads: int | None, *words: str) -> subprocess.Popen[str]:
    """Start ``striate train`` in some processes."""
    command = ["-m", "striate", "train", *words, "--device", "cpu"]
    if threads is not None:
        command = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), *command]
    environment = {**os.environ, **({} if threads is None else {"OMP_NUM_THREADS": str(threads)})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *command], env=environment, **pipes)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for a training to end well."""
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a training ended with status {process.returncode}: {said[-2000:]}")


def figures(out: Path) -> tuple[float, float]:
    """Give the seconds of training and the test accuracy of a run."""
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    done = [event for event in events if event["kind"] == "done"]
    return done[-1]["training_seconds"], Run(out).evaluation["test"].accuracy


def lose_one(words: list[str], out: Path, after: float, random_rank: int) -> tuple[float, int]:
    """Kill one of three processes; give the seconds until all have ended, and how many said one sentence."""
    process = begin(3, 1, *words, "--out", str(out))
    events = out / "events.jsonl"
    while not events.exists() or '"start"' not in events.read_text():
        if process.poll() is not None:
            raise SystemExit(f"the training did not start: {process.communicate()[0][-2000:]}")
        time.sleep(0.05)
    time.sleep(after)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[random_rank]), signal.SIGKILL)
    killed = time.perf_counter()
    said, _ = process.communicate(timeout=120)
    return time.perf_counter() - killed, said.count("another of the 3 processes has ended")


def main() -> None:
    """Train on every side with each seed, then lose processes and resume."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=float, default=1.2)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    recipe = [options.data, "--epochs", str(options.epochs)]
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            for side, (processes, threads) in SIDES.items():
                out = Path(folder, f"{side}-{seed}".replace(" ", "-"))
                finish(begin(processes, threads, *recipe, "--seed", str(seed), "--out", str(out)))
                found[side].append(figures(out))
                seconds, accuracy = found[side][-1]
                print(f"seed {seed}, {side}: {seconds:.1f} s of training, {accuracy:.2%} of the test part")
        for side, rows in found.items():
            seconds = [row[0] for row in rows]
            print(
                f"{side:24} {statistics.median(seconds):6.1f} s ({min(seconds):.1f} to {max(seconds):.1f})  "
                f"{statistics.mean(row[1] for row in rows):.2%}"
            )
        draw = random.Random(0)
        usual = statistics.median(seconds for seconds, _ in found["3 processes"])
        for seed, resumed in enumerate((2, 1, 3)[: options.seeds]):
            out, rank = Path(folder, f"lost-{seed}"), draw.randrange(3)
            words = [*recipe, "--seed", str(seed)]
            ended, sentences = lose_one(words, out, usual * draw.uniform(0.3, 0.8), rank)
            finish(begin(resumed, 1, "--resume", str(out)))
            accuracies = ", ".join(f"{rows[seed][1]:.2%}" for rows in found.values())
            print(
                f"seed {seed}: process {rank} of 3 killed, all ended {ended:.1f} s later, {sentences} said "
                f"why; resumed in {resumed}: {figures(out)[1]:.2%}; never killed: {accuracies}"
            )


if __name__ == "__main__":
    main()
