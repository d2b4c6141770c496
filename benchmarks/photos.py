"""Ants and bees: accuracy and whole wall time of `striate train` on photos, beside the tutorial's own loop.

All photos of the tar are split anew five times, stratified, into the sizes of the published parts, and each
split is written out as a folder of links. On each, in turn and in fresh processes, the weights on the disk:

- ``frozen lite0``, ``frozen lite2``: ``striate train FOLDER --pretrained ... --freeze backbone``, which takes
  photos 9/7 as large as those the weights were trained on; ``frozen lite0, 224``: the same at ``--size 224``,
  their own;
- ``fine-tuned lite0``: ``striate train FOLDER --pretrained efficientnet-lite0 --minutes 5.5``;
- ``tutorial``: fine-tuning as PyTorch's transfer-learning tutorial has it, in torch alone: the same backbone
  and weights, random-resized crops and mirroring, batches of 4, SGD of momentum 0.9 at a rate of 0.001, a
  tenth of it every 7 epochs, 25 epochs, decoded anew for each by 4 workers.

Nothing is chosen by the photos that are measured: strengths of regularisation by cross-validation within the
training part; the best epoch and the temperature of the fine-tuned one are, as its own note says, chosen on
them, and so ``fine-tuned lite0, last epoch`` is a figure of its own, which is not. The set is a part of
ImageNet, so the backbones may have seen these photos.

    python benchmarks/photos.py HYMENOPTERA.tar --out photos.json      # about 2 hours on 2 cores
    python benchmarks/photos.py HYMENOPTERA.tar --only "frozen lite0" "frozen lite2"     # about 4 minutes
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from striate.classifier import load_backbone, published_weights
from striate.models import efficientnet_lite0
from striate.studies.repeats import mean_of

SPLITS = 5
VALIDATION = {"ants": 70, "bees": 83}
"""Photos of each class in the published validation part; the others are the training part."""

LABELS = {label: number for number, label in enumerate(VALIDATION)}
EPOCHS = 25
"""Of the tutorial."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "frozen lite0": ("--pretrained", "efficientnet-lite0", "--freeze", "backbone"),
    "frozen lite0, 224": ("--pretrained", "efficientnet-lite0", "--freeze", "backbone", "--size", "224"),
    "frozen lite2": ("--pretrained", "efficientnet-lite2", "--freeze", "backbone"),
    "fine-tuned lite0": ("--pretrained", "efficientnet-lite0", "--minutes", "5.5"),
}
TARGETS = {
    "frozen lite0": "94.5 % in 20 s",
    "frozen lite2": "96.5 % in 40 s",
    "fine-tuned lite0": "6 minutes",
}


def photos_of(tar: Path, folder: Path) -> dict[str, list[Path]]:
    """Unpack the photos and give those of each class, whichever part they were published in."""
    with tarfile.open(tar) as archive:
        archive.extractall(folder, filter="data")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.jp*g")):  # the placeholder is a GIF
        found.setdefault(path.parent.name, []).append(path)
    return found


def make_split(photos: dict[str, list[Path]], number: int, folder: Path) -> Path:
    """Write one split as a folder of links."""
    generator = np.random.default_rng(number)
    for label, files in photos.items():
        order = generator.permutation(len(files))
        for place, position in enumerate(order):
            part = "val" if place < VALIDATION[label] else "train"
            target = folder / part / label / f"{files[position].parent.parent.name}-{files[position].name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(files[position])
    return folder


def ours(arguments: Sequence[str], split: Path, work: Path) -> dict[str, object]:
    """Run `striate train` in a fresh process and give its accuracies, its seconds, and when it had which."""
    out = work / "run"
    # Decoded images are kept nowhere, so that no run profits by another; no split keeps likenesses apart.
    choices = [*arguments, "--out", str(out), "--cache-gb", "0", "--allow-leakage", "--quiet", "--json"]
    began = time.perf_counter()
    command = [sys.executable, "-m", "striate", "train", str(split), *choices]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    evaluation = json.loads((out / "evaluation.json").read_text())["validation"]
    rows = [line.split(",") for line in (out / "results.csv").read_text().splitlines()]
    figures = [dict(zip(rows[0], map(float, row), strict=True)) for row in rows[1:]]
    last = figures[-1]["validation_accuracy"]
    before = seconds - figures[-1]["seconds"]  # starting and opening come before, drawing after
    curve = [(before + row["seconds"], row["validation_accuracy"]) for row in figures]
    return {"accuracy": evaluation["accuracy"], "last": last, "seconds": seconds, "curve": curve}


def tutorial(split: Path, work: Path) -> dict[str, object]:  # noqa: ARG001
    """Run the tutorial's loop in a fresh process."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--tutorial", str(split)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    seconds = time.perf_counter() - began
    curve = [tuple(pair) for pair in json.loads(said.splitlines()[-1])]
    return {"accuracy": curve[-1][1], "last": curve[-1][1], "seconds": seconds, "curve": curve}


def seconds_to(curve: Sequence[tuple[float, float]], accuracy: float) -> float | None:
    """Give when a curve first has an accuracy."""
    return next((seconds for seconds, reached in curve if reached >= accuracy), None)


def measure(tar: Path, only: Sequence[str], splits: int) -> dict[str, list[dict[str, object]]]:
    """Measure every way on every split, in turn."""
    found: dict[str, list[dict[str, object]]] = {name: [] for name in only}
    with tempfile.TemporaryDirectory() as temporary:
        photos = photos_of(tar, Path(temporary, "photos"))
        print({label: len(files) for label, files in photos.items()}, flush=True)
        for number in range(splits):
            split = make_split(photos, number, Path(temporary, f"split{number}"))
            for name in only:
                work = Path(temporary, f"{name}-{number}")
                work.mkdir()
                way: Callable[[Path, Path], dict[str, object]] = (
                    tutorial if name == "tutorial" else lambda *at, name=name: ours(COMMANDS[name], *at)
                )
                found[name].append(way(split, work))
                last = found[name][-1]
                print(f"split {number} {name}: {last['accuracy']:.2%} in {last['seconds']:.1f} s", flush=True)
    return found


def report(found: dict[str, list[dict[str, object]]]) -> None:
    """Print the table, and the differences that the splits pair."""
    print("\n| way | accuracy, mean of splits (95 %) | seconds, whole command | target |\n|---|---|---|---|")
    for name, runs in found.items():
        for kind in ("accuracy", "last") if name.startswith("fine") else ("accuracy",):
            said = f"{name}, last epoch" if kind == "last" else name
            accuracies, seconds = [run[kind] for run in runs], [run["seconds"] for run in runs]
            took = f"{statistics.mean(seconds):.1f} (most {max(seconds):.1f})"
            print(f"| {said} | {mean_of(accuracies).percent()} | {took} | {TARGETS.get(name, '')} |")
    for base in ("frozen lite0", "frozen lite0, 224"):
        for name in ("fine-tuned lite0", "frozen lite2", "frozen lite0"):
            if name == base or base not in found or name not in found:
                continue
            for kind in ("accuracy", "last") if name.startswith("fine") else ("accuracy",):
                pairs = zip(found[name], found[base], strict=True)
                paired = [run[kind] - other["accuracy"] for run, other in pairs]
                print(f"{name} ({kind}) over {base}, paired: {mean_of(paired).points()}")
    ways = [found.get(name, []) for name in ("frozen lite0", "fine-tuned lite0", "tutorial")]
    for run, tuned, theirs in zip(*ways, strict=False):
        mine = run["seconds"]
        if run["accuracy"] < theirs["accuracy"]:
            mine = seconds_to(tuned["curve"], theirs["accuracy"])
        ratio = f"{theirs['seconds'] / mine:.1f} times sooner" if mine else "not reached"
        print(f"the tutorial's final {theirs['accuracy']:.2%} in {theirs['seconds']:.0f} s: ours {ratio}")


class Photos(torch.utils.data.Dataset):
    """The photos of one part, cropped at random to train on, or in the middle."""

    def __init__(self, folder: Path, *, training: bool) -> None:
        self.files = sorted(folder.rglob("*.jp*g"))
        self.labels = [LABELS[path.parent.name] for path in self.files]
        self.training = training

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[position]) as opened:
            image = opened.convert("RGB")
        image = random_crop(image) if self.training else middle_crop(image)
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)
        return (pixels - 127) / 128, self.labels[position]


def random_crop(image: Image.Image) -> Image.Image:
    """Cut out 8 to 100 % of a picture, bring it to 224 x 224 pixels, and mirror it or not."""
    share, aspect = torch.rand(2).mul(torch.tensor([0.92, math.log(16 / 9)])).tolist()
    area, aspect = image.width * image.height * (0.08 + share), math.exp(aspect - math.log(4 / 3))
    wide = min(image.width, max(1, round((area * aspect) ** 0.5)))
    high = min(image.height, max(1, round((area / aspect) ** 0.5)))
    left = int(torch.randint(image.width - wide + 1, ()))
    top = int(torch.randint(image.height - high + 1, ()))
    cut = image.resize((224, 224), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + high))
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if torch.rand(()) < 0.5 else cut


def middle_crop(image: Image.Image) -> Image.Image:
    """Bring the shorter side of a picture to 256 pixels and cut out the 224 x 224 in the middle."""
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return image.crop((left, top, left + 224, top + 224))


def train_as_the_tutorial(split: Path) -> None:
    """Fine-tune everything as the tutorial does, and print when it had which accuracy."""
    began = time.perf_counter()
    torch.manual_seed(0)
    network = efficientnet_lite0(classes=len(LABELS))
    load_backbone(network, published_weights("efficientnet-lite0"), name="lite0", model="efficientnet-lite0")
    train, val = (
        torch.utils.data.DataLoader(
            Photos(split / part, training=part == "train"), batch_size=4, shuffle=True, num_workers=4
        )
        for part in ("train", "val")
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=7, gamma=0.1)
    curve: list[tuple[float, float]] = []
    for _ in range(EPOCHS):
        network.train()
        for images, labels in train:
            optimizer.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimizer.step()
        schedule.step()
        network.eval()
        with torch.no_grad():
            right = sum(int((network(images).argmax(dim=1) == labels).sum()) for images, labels in val)
        curve.append((time.perf_counter() - began, right / len(val.dataset)))
    print(json.dumps(curve))


def main() -> None:
    """Measure, print the table, and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tar", type=Path, nargs="?", help="hymenoptera.tar")
    parser.add_argument("--only", nargs="+", choices=[*COMMANDS, "tutorial"], default=[*COMMANDS, "tutorial"])
    parser.add_argument("--splits", type=int, default=SPLITS, help=f"(default: {SPLITS})")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    parser.add_argument("--tutorial", type=Path, metavar="SPLIT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tutorial:
        train_as_the_tutorial(options.tutorial)
        return
    if options.tar is None:
        parser.error("give hymenoptera.tar")
    found = measure(options.tar, options.only, options.splits)
    report(found)
    print(f"(torch {torch.__version__}, {torch.get_num_threads()} threads of {os.cpu_count()} processors)")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
