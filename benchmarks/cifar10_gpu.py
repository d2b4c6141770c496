"""How soon CIFAR-10 is learned on one GPU: striate beside the two speed records, in one run, by one rule.

The rule: the seconds from the data on the device to the accuracy on the 10,000 test images with test-time
augmentation, everything compiled and warmed up before. For ours these are the parts ``first layer``,
``steps`` (with the one validation) and ``test`` of what ``striate.train`` tells; what a user waits for
besides is printed whole, for the first training of the process and for the second, which finds everything
recorded.

The records are the scripts of their authors, run as they are by this Python in a folder that holds the data
as they keep it: ``cifar10/train.pt`` and ``cifar10/test.pt``. They print a row a run and are stopped after
enough rows; the first row is their own warm-up. They need torchvision. Fetch them first::

    git clone https://github.com/KellerJordan/cifar10-airbench peers/cifar10-airbench
    git clone https://github.com/hiverge/cifar10-speedrun peers/cifar10-speedrun
    python benchmarks/cifar10_gpu.py --data cifar10-jpeg.tar.xz --peers peers --out cifar10_gpu.json

They train on all images of the training part; ours holds a fiftieth of them out. Never run on a GPU yet:
there are no figures to state here.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FIRST_SEED = 1000
PEER_SECONDS = 900.0
"""How long a peer may take in all, compiling included."""

PEERS = {
    "airbench94_muon": "cifar10-airbench/airbench94_muon.py",
    "cifar10_speedrun": "cifar10-speedrun/cifar10_speedrun.py",
}

# Multiplications and additions of one image going forward through the network that both share: whitening, six
# convolutions of 3x3 at 31, 15, 15, 7, 7 and 3 pixels a side, head.
PEER_FORWARD = 2 * (
    31**2 * 24 * 12
    + 31**2 * 64 * 24 * 9
    + 15**2 * (64 * 64 + 256 * 64) * 9
    + (7**2 + 7**2 + 3**2) * 256 * 256 * 9
    + 2560
)
# Steps times batch, three times the forward pass each, and how many images are looked at in the end.
PEER_OPERATIONS = {
    "airbench94_muon": PEER_FORWARD * (3 * 200 * 2000 + 6 * 10_000),
    "cifar10_speedrun": PEER_FORWARD * (3 * 243 * 1536 + 10_000 + 6 * 2500),
}


def main() -> None:
    """Measure all sides and print the table."""
    options = _options()
    if options.one:
        return train_ours(*options.one)
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(
            "this machine has no CUDA device that torch can use, and this benchmark measures nothing else"
        )
    name = torch.cuda.get_device_name()
    print(f"{name}, torch {torch.__version__}, Python {platform.python_version()}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        write_data(options.data, Path(folder))
        peak = measure_peak()
        ours = _ours_in_a_process(Path(folder), options)
        found = {"striate": ours["runs"]}
        skipped: dict[str, str] = {}
        for peer, script in PEERS.items():
            try:
                found[peer] = run_peer(Path(options.peers or ""), script, Path(folder), runs=options.runs)
            except RuntimeError as error:
                skipped[peer] = str(error)
    operations = {"striate": ours["operations"], **PEER_OPERATIONS}
    rows = [row_of(side, runs, operations[side], peak) for side, runs in found.items()]
    print_table(rows, skipped, ours, peak=peak, device=name)
    if options.out:
        result = {"device": name, "torch": torch.__version__, "peak": peak, "rows": rows, "skipped": skipped}
        Path(options.out).write_text(json.dumps({**result, "ours": ours, "runs": found}, indent=1))
    return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder or archive of the images, train/CLASS and test/CLASS")
    parser.add_argument("--peers", help="folder with the clones of the records; without it, ours alone")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--out", help="file for the figures, as JSON")
    changes = {"action": "append", "default": [], "metavar": "FIELD=VALUE"}
    parser.add_argument("--set", **changes, help="a field of our recipe to change")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.one and not options.data:
        parser.error("--data is wanted")
    return options


def write_data(source: str, folder: Path) -> None:
    """Decode the images once and write them as each side reads them."""
    import torch

    import striate

    data = striate.open_dataset(source, validation=0.02)
    if data.test is None:
        raise SystemExit(f"{source} has no test part")
    parts = {"train": data.train, "val": data.validation, "test": data.test}
    arrays = {f"x_{part}": split.images for part, split in parts.items()}
    arrays |= {f"y_{part}": split.labels for part, split in parts.items()}
    np.savez(folder / "ours.npz", classes=np.array(data.classes), **arrays)
    (folder / "cifar10").mkdir()
    for part, splits in {"train": [data.train, data.validation], "test": [data.test]}.items():
        images = np.concatenate([split.images for split in splits]).transpose(0, 2, 3, 1)
        labels = np.concatenate([split.labels for split in splits])
        held = {"images": torch.from_numpy(np.ascontiguousarray(images)), "labels": torch.from_numpy(labels)}
        torch.save({**held, "classes": list(data.classes)}, folder / "cifar10" / f"{part}.pt")


def measure_peak(size: int = 8192, times: int = 20) -> float:
    """Give the rate of a bfloat16 matrix product on random data, in operations a second."""
    import torch

    left, right = torch.randn(2, size, size, device="cuda").bfloat16()
    seconds = []
    for _ in range(times):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        left @ right
        end.record()
        end.synchronize()
        seconds.append(start.elapsed_time(end) / 1000)
    return 2 * size**3 / statistics.median(seconds)


def train_ours(arrays: str, runs: str, changes: str) -> None:
    """Train once to prepare everything and then as often as is wanted; print all that was told, as JSON."""
    import striate
    from striate import recipes

    data = striate.open_dataset(arrays)
    recipe = recipes.cifar10_sprint().changed(**json.loads(changes))
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(runs) + 1):
            done: dict[str, Any] = {}
            began = time.perf_counter()
            run = striate.train(
                data,
                recipe=recipe.changed(seed=FIRST_SEED + number),
                out=Path(folder, str(number)),
                device="cuda",
                on_event=lambda event, done=done: done.update(event.data) if event.kind == "done" else None,
            )
            parts = done["seconds"]
            found.append(
                {
                    "accuracy": run.evaluation["test"].accuracy,
                    "seconds": sum(parts.get(name, 0.0) for name in ("first layer", "steps", "test")),
                    "parts": parts,
                    "whole": time.perf_counter() - began,
                }
            )
            print(f"  striate {number}: {json.dumps(found[-1])}", file=sys.stderr)
        operations = count_operations(run, images=len(data.validation) + len(data.test))
    json.dump({"operations": operations, "cold": found[0], "runs": found[1:]}, sys.stdout)


def count_operations(run: Any, *, images: int) -> int:
    """Count the operations of a training: of its steps, and of evaluating so many images."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    classifier = run.classifier.to("cpu")
    network = classifier.network.train()
    network.stem.weight.requires_grad_(False)
    sample = torch.rand(8, classifier.channels, *classifier.size)
    with FlopCounterMode(display=False) as stepping:
        network(sample).sum().backward()
    with FlopCounterMode(display=False) as looking, torch.no_grad():
        classifier.eval()(sample)
    steps = int(run.rows[-1]["step"])
    return (stepping.get_total_flops() * run.recipe.batch * steps + looking.get_total_flops() * images) // 8


def _ours_in_a_process(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    changes = dict(read_change(each) for each in options.set)
    words = ["--one", str(folder / "ours.npz"), str(options.runs), json.dumps(changes)]
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def read_change(text: str) -> tuple[str, Any]:
    """Read ``FIELD=VALUE``; a value that is no JSON is a name."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def run_peer(peers: Path, script: str, folder: Path, *, runs: int) -> list[dict[str, float]]:
    """Run a record's own script until it has printed enough runs.

    Raises:
        RuntimeError: where it is not there or ends before.
    """
    path = (peers / script).resolve()
    if not path.exists():
        raise RuntimeError(f"{path} is not there; the head of this script says how to fetch it")
    found: list[dict[str, float]] = []
    log = folder / f"{path.stem}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(path)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        limit = threading.Timer(PEER_SECONDS, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                row = read_row(line)
                if row is not None:
                    print(f"  {path.stem} {len(found)}: {json.dumps(row)}", file=sys.stderr)
                    found.append(row)
                if len(found) > runs:  # the first one is its warm-up
                    return found[1:]
        finally:
            limit.cancel()
            process.kill()
            process.wait()
    said = (log.read_text().strip().splitlines() or ["it said nothing"])[-1]
    raise RuntimeError(f"it ended after {len(found)} of {runs + 1} runs: {said}")


def read_row(line: str) -> dict[str, float] | None:
    """Read accuracy and seconds from the row that ends a record's run; ``None`` for every other line."""
    cells = [cell.strip() for cell in line.strip().rstrip("|").split("|")][-6:]
    if len(cells) < 6 or cells[1] != "eval":
        return None
    return {"accuracy": float(cells[4]), "seconds": float(cells[5])}


def row_of(side: str, runs: Sequence[Mapping[str, Any]], operations: int, peak: float) -> dict[str, Any]:
    """Sum up the runs of one side."""
    accuracies, seconds = [run["accuracy"] for run in runs], [run["seconds"] for run in runs]
    median = statistics.median(seconds)
    return {
        "side": side,
        "runs": len(runs),
        "accuracy": statistics.mean(accuracies),
        "interval": half_interval(accuracies),
        "seconds": median,
        "range": [min(seconds), max(seconds)],
        "operations": operations,
        "share": operations / median / peak,
    }


def half_interval(values: Sequence[float]) -> float:
    """Give half the width of the 95 % interval of a mean, by Student's distribution."""
    freedom = len(values) - 1
    if freedom < 1:
        return math.nan
    z = statistics.NormalDist().inv_cdf(0.975)
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return t * statistics.stdev(values) / len(values) ** 0.5


def print_table(
    rows: Sequence[Mapping[str, Any]],
    skipped: Mapping[str, str],
    ours: Mapping[str, Any],
    *,
    peak: float,
    device: str,
) -> None:
    """Print a row a side, what was skipped, and what a user of ours waits for besides."""
    print(f"{device}: a bfloat16 matrix product runs at {peak / 1e12:.0f} TFLOP/s\n")
    columns = ("side", "runs", "mean test accuracy (95 %)", "seconds, median (range)", "PFLOP")
    columns += ("share of peak",)
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        low, high = row["range"]
        cells = (
            row["side"],
            str(row["runs"]),
            f"{row['accuracy']:.2%} ± {row['interval']:.2%}",
            f"{row['seconds']:.3f} ({low:.3f}-{high:.3f})",
            f"{row['operations'] / 1e15:.3f}",
            f"{row['share']:.0%}",
        )
        print(f"| {' | '.join(cells)} |")
    for peer, reason in skipped.items():
        print(f"\n{peer} was not measured: {reason}")
    for which, run in (("first", ours["cold"]), ("second", ours["runs"][0])):
        parts = ", ".join(f"{name} {seconds:.3f}" for name, seconds in run["parts"].items())
        print(f"\nour {which} training of the process, {run['whole']:.2f} s in all: {parts}")


if __name__ == "__main__":
    main()
