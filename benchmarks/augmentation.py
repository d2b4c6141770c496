"""How long augmentation of a batch takes, beside the same pipeline in kornia, in one run on the same threads.

Both sides are given the same uint8 batch (64 x 3 x 224 x 224; ``--small`` for a quick look) and give floats
in [0, 1], as a training step wants them: ours by way of uint8, as striate's batches are. They take turns,
round by round, in several processes, since where memory comes to lie differs from one to the next. The table
has the median time of each side and the median of the rounds' shares, with its range over the processes.

What is the same: which changes there are, how far they go, which share of the images gets them, mirror images
beyond the border. What differs: kornia resamples for the affine part and for the perspective, ours once for
both; kornia's hue is that of HSV, ours a turn that keeps the luma, so that there are rows without hue too;
kornia's blur is cut at a kernel of 9 pixels, ours at 4 deviations (up to 9 pixels to each side); kornia's
changes of colours come in random order, ours in one; kornia's noise is of one strength and drawn anew for
each pixel, ours of a strength for each image and out of a table.

    python benchmarks/augmentation.py            # nothing else running; about 5 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from striate.data.augment_language import make_augmentation
from striate.engine.memory import keep_freed_memory
from striate.studies.bench_machine import describe_machine

FULL, SMALL = (64, 3, 224, 224), (8, 3, 64, 64)
TARGET = 1 / 3

Change = Callable[[Tensor], Tensor]

GEOMETRY = "flip,turn=15,shift=0.1,scale=0.2,shear=0.2"
COLOURS = "brightness=0.3,contrast=0.3,saturation=0.3"
BLEMISHES = "blur=0.01@0.5,noise=0.05@0.5,erase=0.3@0.5"


@dataclass(frozen=True)
class Pipeline:
    """The same changes on both sides.

    Args:
        name: of the row.
        ours: in striate's language.
        theirs: names of what `kornia_parts` makes, in their order.
    """

    name: str
    ours: str
    theirs: tuple[str, ...]


PIPELINES = (
    Pipeline("whole policy", f"{GEOMETRY},perspective=0.2,{COLOURS},hue=0.05,gamma=0.3,{BLEMISHES}",
             ("flip", "affine", "perspective", "colours and hue", "gamma", "blur", "noise", "erase")),
    Pipeline("whole policy without hue", f"{GEOMETRY},perspective=0.2,{COLOURS},gamma=0.3,{BLEMISHES}",
             ("flip", "affine", "perspective", "colours", "gamma", "blur", "noise", "erase")),
    Pipeline("classic: window, mirror, colours", f"flip,resized-crop=0.92,{COLOURS}",
             ("flip", "window", "colours")),
    Pipeline("mirror and affine", GEOMETRY, ("flip", "affine")),
    Pipeline("mirror, affine and perspective", f"{GEOMETRY},perspective=0.2",
             ("flip", "affine", "perspective")),
    Pipeline("brightness, contrast, saturation", COLOURS, ("colours",)),
    Pipeline("the same and hue", f"{COLOURS},hue=0.05", ("colours and hue",)),
    Pipeline("gamma", "gamma=0.3", ("gamma",)),
    Pipeline("blur", "blur=0.01@0.5", ("blur",)),
    Pipeline("noise", "noise=0.05@0.5", ("noise",)),
    Pipeline("erase", "erase=0.3@0.5", ("erase",)),
)  # fmt: skip


def kornia_parts(size: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    """Give kornia's changes, for images of a size, by the names that pipelines use."""
    from kornia import augmentation as kornia

    return {
        "flip": lambda: kornia.RandomHorizontalFlip(p=0.5),
        "affine": lambda: kornia.RandomAffine(
            15.0,
            translate=(0.1, 0.1),
            scale=(1 / 1.2, 1.2),
            shear=(-11.3, 11.3, -11.3, 11.3),
            padding_mode="reflection",
            p=1.0,
        ),
        "window": lambda: kornia.RandomResizedCrop(size, scale=(0.08, 1.0), p=1.0),
        "perspective": lambda: kornia.RandomPerspective(0.2, p=1.0),
        "colours": lambda: kornia.ColorJitter(0.3, 0.3, 0.3, 0.0, p=1.0),
        "colours and hue": lambda: kornia.ColorJitter(0.3, 0.3, 0.3, 0.05, p=1.0),
        "gamma": lambda: kornia.RandomGamma((1 / 1.3, 1.3), p=1.0),
        "blur": lambda: kornia.RandomGaussianBlur((9, 9), (0.1, 2.24), p=0.5),
        "noise": lambda: kornia.RandomGaussianNoise(std=0.025, p=0.5),
        "erase": lambda: kornia.RandomErasing((0.02, 0.3), (0.3, 3.3), p=0.5),
    }


def ours(policy: str) -> Change:
    """Make our side of a pipeline: from uint8 to floats, with new draws for each batch."""
    augmentation = make_augmentation(policy, flip="flip" in policy, shift=0)
    generator = torch.Generator().manual_seed(0)

    def change(images: Tensor) -> Tensor:
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        return augmentation(images, mirrored, generator).float().div_(255)

    return change


def theirs(names: tuple[str, ...], size: tuple[int, int]) -> Change:
    """Make kornia's side of it."""
    from kornia.augmentation import AugmentationSequential

    parts = kornia_parts(size)
    torch.manual_seed(0)
    chain = AugmentationSequential(*(parts[name]() for name in names), data_keys=["input"])
    return lambda images: chain(images.float().div_(255))


def measure(pipeline: Pipeline, shape: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Time both sides of a pipeline in turns."""
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    # Smooth pictures: what is noise from pixel to pixel is no photo.
    images = torch.nn.functional.avg_pool2d(images.float(), 9, stride=1, padding=4).to(torch.uint8)
    sides = ours(pipeline.ours), theirs(pipeline.theirs, (shape[2], shape[3]))
    times: list[list[float]] = []
    with torch.no_grad():
        for count in range(rounds + 2):
            taken = []
            for side in sides:
                began = time.perf_counter()
                made = side(images)
                taken.append(time.perf_counter() - began)
                assert made.shape == images.shape
                assert made.dtype == torch.float32
            if count >= 2:  # the first ones warm up
                times.append(taken)
    our, their = (statistics.median(side) for side in zip(*times, strict=True))
    return {"ours": our, "theirs": their, "share": statistics.median(a / b for a, b in times)}


def measured_apart(pipeline: Pipeline, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a pipeline in several processes."""
    words = [sys.executable, __file__, "--only", pipeline.name, "--rounds", str(options.rounds), "--here"]
    words += ["--threads", str(options.threads), *(["--small"] if options.small else [])]
    found = [
        json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for _ in range(options.processes)
    ]
    row: dict[str, Any] = {"name": pipeline.name, "policy": pipeline.ours}
    row |= {key: statistics.median(each[key] for each in found) for key in found[0]}
    shares = [each["share"] for each in found]
    return row | {"range": [min(shares), max(shares)]}


def main() -> None:
    """Measure all pipelines and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="the row of this name alone")
    parser.add_argument("--small", action="store_true", help="a small batch, to see that it runs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = SMALL if options.small else FULL
    chosen = [each for each in PIPELINES if options.only in (None, each.name)]
    if options.here:
        keep_freed_memory()
        print(json.dumps(measure(chosen[0], shape, options.rounds)))
        return
    said = {**describe_machine(options.threads), "shape": shape, "rounds": options.rounds}
    if not options.json:
        print(", ".join(f"{key} {value}" for key, value in said.items()))
        print("\n| pipeline | striate, ms | kornia, ms | share (range) |\n|---|---|---|---|")
    rows = []
    for pipeline in chosen:
        rows.append(measured_apart(pipeline, options))
        if not options.json:
            row = rows[-1]
            low, high = row["range"]
            print(
                f"| {row['name']} | {1000 * row['ours']:.1f} | {1000 * row['theirs']:.1f} "
                f"| {row['share']:.3f} ({low:.3f} to {high:.3f}) |",
                flush=True,
            )
    if options.json:
        print(json.dumps({**said, "target": TARGET, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
