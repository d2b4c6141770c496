"""Kill a training by SIGKILL at random moments, resume it, and compare its weights bit for bit.

One run is never killed. Each of the others is killed once, at a moment drawn evenly over the time that the
first one took from its first event to its end, then resumed to the end. Counted is how many end with exactly
the tensors (values and memory order) of the first run, in ``last.safetensors`` and ``model.safetensors``, and
with the same evaluation. Checkpoints are written every half second instead of every 15, so that kills fall
within the writing, too.

Run it: ``python benchmarks/kill_and_resume.py --kills 20`` (about 6 minutes on 2 cores). The recipe is
changed by ``--fields '{"l1": 1e-5, "average_weights": 0.1}'``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARGUMENTS = {"data": "fashion-mnist", "model": "compact-small", "epochs": 1.25, "seed": 7}
TRAIN = """
import sys
import striate
from striate.training import loop
loop.CHECKPOINT_SECONDS = 0.5
striate.train(**eval(sys.argv[1]), on_event=lambda event: print(event.kind, flush=True))
"""


def start(**arguments) -> tuple[subprocess.Popen, float]:
    """Start a training in a process of its own and wait until the run can be resumed."""
    command = [sys.executable, "-c", TRAIN, repr(arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "start":
            return process, time.perf_counter()
    raise SystemExit("the training did not start")


def finish(process: subprocess.Popen) -> None:
    """Wait for a training to end well."""
    process.communicate()
    if process.returncode:
        raise SystemExit(f"a training ended with status {process.returncode}")


def equal(left: Path, right: Path) -> bool:
    """Say whether two runs ended with the same bits and the same figures."""
    from striate.core.tensors import load_tensors
    from striate.training import Run

    for name in ("last.safetensors", "model.safetensors"):
        one, _ = load_tensors(left / name)
        other, _ = load_tensors(right / name)
        same = one.keys() == other.keys() and all(
            one[key].equal(other[key]) and one[key].stride() == other[key].stride() for key in one
        )
        if not same:
            return False
    return Run(left).evaluation == Run(right).evaluation


def main() -> None:
    """Kill and resume, and print the count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fields", type=json.loads, default={}, help="fields of the recipe, as JSON")
    options = parser.parse_args()
    arguments = {**ARGUMENTS, **options.fields}
    import torch

    print(f"torch {torch.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        process, began = start(out=str(whole), **arguments)
        finish(process)
        seconds = time.perf_counter() - began
        print(f"never killed: {seconds:.1f} s from its start to its end")
        good = 0
        for number in range(options.kills):
            path = Path(folder, str(number))
            moment = moments.uniform(0, seconds)
            process, _ = start(out=str(path), **arguments)
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode == -signal.SIGKILL and not (path / "evaluation.json").exists():
                process, _ = start(resume=str(path))
                finish(process)
                what = "resumed"
            else:
                what = "had ended"
            same = equal(whole, path)
            good += same
            print(f"killed after {moment:5.2f} s, {what}: {'the same bits' if same else 'DIFFERENT'}")
        print(f"{good} of {options.kills} ended with the same weights, bit for bit")


if __name__ == "__main__":
    main()
