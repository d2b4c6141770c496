"""Series and clips: `striate train` with nothing said, on sets of a package and clips of moving garments.

- ``gunpoint``, ``italypowerdemand``, ``arrowhead``: the sets of these names that the package aeon holds (UCR
  archive), in their published parts, 5 seeds each, beside the nearest neighbour by Euclidean distance,
  which is the archive's own first baseline.
- ``clips``: garments of Fashion-MNIST at half their size that move left, right, up or down by 1.5 pixels
  a frame, or grow, 5 frames of 28x28 pixels on black. Place and size of the middle frame are drawn alike
  for all five, so that no middle frame tells the class: the same network on it alone is left to chance.

Nothing is chosen by what is measured: the test parts are read once by each run.

    python benchmarks/series.py --out series.json
    python benchmarks/series.py --only gunpoint clips

aeon wants an older NumPy than this: ``--aeon-python ENVIRONMENT/bin/python`` names an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from striate import open_dataset
from striate.core.events import ignore
from striate.studies.repeats import mean_of
from striate.training import train

SETS = {"gunpoint": "GunPoint", "italypowerdemand": "ItalyPowerDemand", "arrowhead": "ArrowHead"}
SEEDS = 5
WAYS = ("left", "right", "up", "down", "growing")
FRAMES, SIDE, SPEED, GROWTH = 5, 28, 1.5, 1.12
TRAIN, TEST = 2000, 1000

Array = npt.NDArray[np.generic]


def series_of(name: str, python: str) -> dict[str, Array]:
    """Give the parts of a set that the package aeon holds, read by an interpreter that has it."""
    script = (
        "import sys, numpy\n"
        "from aeon.datasets import load_classification\n"
        "parts = {p: load_classification(sys.argv[1], split=p) for p in ('train', 'test')}\n"
        "arrays = {f'{key}_{p}': parts[p][place] for p in parts for place, key in enumerate('xy')}\n"
        "numpy.savez(sys.argv[2], **{key: numpy.asarray(each) for key, each in arrays.items()})\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "set.npz")
        subprocess.run([python, "-c", script, SETS[name], str(file)], check=True)
        with np.load(file) as arrays:
            return dict(arrays)


def nearest_neighbour(arrays: dict[str, Array]) -> float:
    """Give the accuracy of the label of the nearest training series."""
    trained, tested = (
        arrays[f"x_{part}"].reshape(len(arrays[f"x_{part}"]), -1) for part in ("train", "test")
    )
    distances = ((tested[:, None].astype(float) - trained[None].astype(float)) ** 2).sum(axis=2)
    return float((arrays["y_train"][distances.argmin(axis=1)] == arrays["y_test"]).mean())


def clips_of(images: npt.NDArray[np.uint8], seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Make a clip of every garment.

    Args:
        images: uint8 (N, 28, 28).
        seed: of places, sizes and ways.

    Returns:
        Clips, uint8 (N, 1, 5, 28, 28), and the number of the way of each.
    """
    from PIL import Image

    random = np.random.default_rng(seed)
    ways = random.permutation(np.arange(len(images)) % len(WAYS))
    steps = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1), "growing": (0, 0)}
    clips = np.zeros((len(images), 1, FRAMES, SIDE, SIDE), np.uint8)
    for item, (pixels, way) in enumerate(zip(images, ways, strict=True)):
        picture = Image.fromarray(pixels)
        middle, size = random.uniform(11, 17, 2), random.uniform(0.45, 0.6) * 28
        for frame in range(FRAMES):
            far = frame - (FRAMES - 1) / 2
            across, down = middle + far * SPEED * np.array(steps[WAYS[way]])
            half = size * (GROWTH**far if WAYS[way] == "growing" else 1) / 2
            # The part of the picture that lies under each pixel of the frame, and black beside it.
            scale = 14 / half
            box = (scale, 0, 14 - across * scale, 0, scale, 14 - down * scale)
            shown = picture.transform((SIDE, SIDE), Image.Transform.AFFINE, box, Image.Resampling.BILINEAR)
            clips[item, 0, frame] = np.asarray(shown)
    return clips, ways.astype(np.int64)


def garments() -> dict[str, Array]:
    """Make the clips of training and test garments."""
    data = open_dataset("fashion-mnist")
    assert data.test is not None
    arrays: dict[str, Array] = {"classes": np.array(WAYS)}
    for part, images, count in (("train", data.train.images, TRAIN), ("test", data.test.images, TEST)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = clips_of(np.asarray(images[:count, 0]), seed=len(part))
    return arrays


def trained(arrays: dict[str, Array], seed: int, **fields: object) -> dict[str, float]:
    """Train once with nothing else said, and give the test accuracy and the seconds."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = train(arrays, out=Path(folder, "run"), seed=seed, allow_leakage=True, on_event=ignore, **fields)
        found = run.evaluation["test"]
        return {"accuracy": found.accuracy, "images": found.images, "seconds": time.perf_counter() - began}


def measure(name: str, python: str, **fields: object) -> dict[str, object]:
    """Measure one set."""
    if name == "clips":
        arrays = garments()
        middle = {
            **arrays,
            **{key: value[:, :, FRAMES // 2] for key, value in arrays.items() if key[:2] == "x_"},
        }
        return {
            "clips": [trained(arrays, seed, epochs=6, **fields) for seed in range(2)],
            "middle frame": [trained(middle, seed, epochs=6, **fields) for seed in range(2)],
        }
    arrays = series_of(name, python)
    return {
        "striate": [trained(arrays, seed, **fields) for seed in range(SEEDS)],
        "nearest neighbour": nearest_neighbour(arrays),
    }


def report(found: dict[str, dict[str, object]]) -> None:
    """Print the table."""
    print("| set | way | test accuracy, mean of seeds (95 %) | images | seconds |\n|---|---|---|---|---|")
    for name, ways in found.items():
        for way, runs in ways.items():
            if isinstance(runs, float):
                print(f"| {name} | {way} | {runs:.2%} | | |")
                continue
            assert isinstance(runs, list)
            accuracy = mean_of([run["accuracy"] for run in runs]).percent()
            seconds = np.mean([run["seconds"] for run in runs])
            print(f"| {name} | {way} | {accuracy} | {runs[0]['images']:,} | {seconds:.1f} |", flush=True)


def main() -> None:
    """Measure what is named, print the table and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[*SETS, "clips"], default=[*SETS, "clips"])
    parser.add_argument("--aeon-python", default=sys.executable, help="an interpreter that has aeon")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = {name: measure(name, options.aeon_python) for name in options.only}
    report(found)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
