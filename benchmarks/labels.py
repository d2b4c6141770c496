"""Images with several labels: mean average precision, F1 and wall time of `striate train` on two made sets.

- ``photos``: two photos side by side, each of ants, bees or neither (an image of CIFAR-10, blown up), so
  that a picture has any of two labels, both or none: 400 pictures to learn from and 200 to test on, made of
  other photos. The head alone on features of EfficientNet-Lite0, and the whole network fine-tuned.
- ``mosaics``: four images of CIFAR-10 in a square of 64 pixels; the labels are the classes that are there,
  3.4 of 10 on average, and one class, which is left out of nine tenths of the mosaics that it would be in,
  is rare. 6,000 mosaics to learn from and 2,000 to test on, of the training and test images. The default
  network, with and without ``--balance weights``.

Each in a fresh process, for some seeds; the test part is read once, at the end, with the thresholds that were
chosen on validation.

    python benchmarks/labels.py CIFAR10_JPEG.tar.xz HYMENOPTERA.tar      # about 25 minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = {"train": 400, "test": 200}
MOSAICS = {"train": 6000, "test": 2000}
SIDE = 224
RARE = "bird"
KEPT = 0.1
"""The share of the mosaics with the rare class that are kept."""

COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "photos, frozen lite0": ("photos", ("--freeze", "backbone", "--pretrained", "efficientnet-lite0")),
    "photos, fine-tuned lite0": ("photos", ("--pretrained", "efficientnet-lite0", "--minutes", "2")),
    "mosaics": ("mosaics", ("--minutes", "2")),
    "mosaics, balanced": ("mosaics", ("--minutes", "2", "--balance", "weights")),
}


def unpack(tar: Path, folder: Path) -> Path:
    """Unpack an archive and give the folder that has train in it."""
    with tarfile.open(tar) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in [folder, *folder.iterdir()] if (path / "train").is_dir())


def classes_of(part: Path) -> dict[str, list[Path]]:
    """Give the JPEGs of each class of a part."""
    return {
        folder.name: sorted(folder.glob("*.jp*g")) for folder in sorted(part.iterdir()) if folder.is_dir()
    }


def fitted(path: Path, width: int, height: int) -> Image.Image:
    """Read an image and bring it to a size, cut at the longer side."""
    with Image.open(path) as picture:
        return _cut(picture.convert("RGB"), width, height)


def _cut(picture: Image.Image, width: int, height: int) -> Image.Image:
    scale = max(width / picture.width, height / picture.height)
    size = max(width, round(picture.width * scale)), max(height, round(picture.height * scale))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return picture.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + width, top + height))


def make_photos(insects: Path, others: Path, folder: Path) -> Path:
    """Write pictures of two photos side by side, with their table."""
    generator, rows = np.random.default_rng(0), ["path,split,labels"]
    for part, count in PHOTOS.items():
        known = classes_of(insects / ("train" if part == "train" else "val"))
        known |= {"": [path for files in classes_of(others / part).values() for path in files[:50]]}
        for number in range(count):
            kinds = generator.choice(list(known), 2)
            picture = Image.new("RGB", (2 * SIDE, SIDE))
            for place, kind in enumerate(kinds):
                picture.paste(
                    fitted(known[kind][generator.integers(len(known[kind]))], SIDE, SIDE), (place * SIDE, 0)
                )
            picture.save(folder / f"{part}{number}.jpg", quality=92)
            rows.append(f"{part}{number}.jpg,{part},{';'.join(sorted({*kinds} - {''}))}")
    return _table(folder, rows)


def make_mosaics(cifar: Path, folder: Path) -> Path:
    """Write mosaics of four images, with their table."""
    generator, rows = np.random.default_rng(0), ["path,split,labels"]
    for part, count in MOSAICS.items():
        known = classes_of(cifar / part)
        names, number = list(known), 0
        while number < count:
            kinds = generator.choice(names, 4)
            if RARE in kinds and generator.random() > KEPT:
                continue
            picture = Image.new("RGB", (64, 64))
            for place, kind in enumerate(kinds):
                corner = 32 * (place % 2), 32 * (place // 2)
                picture.paste(fitted(known[kind][generator.integers(len(known[kind]))], 32, 32), corner)
            picture.save(folder / f"{part}{number}.png")
            rows.append(f"{part}{number}.png,{part},{';'.join(sorted({*kinds}))}")
            number += 1
    return _table(folder, rows)


def _table(folder: Path, rows: list[str]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(rows))
    return path


def measured(table: Path, options: tuple[str, ...], seed: int, out: Path) -> dict[str, float]:
    """Train in a fresh process, and give its figures on the test part."""
    began = time.perf_counter()
    words = [
        sys.executable,
        "-m",
        "striate",
        "train",
        str(table),
        *options,
        "--seed",
        str(seed),
        "--quiet",
        "--json",
    ]
    words += ["--allow-leakage", "--out", str(out)]
    said = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    found = said["evaluation"]["test"]
    names = ("mean_average_precision", "macro_f1", "exact_match", "calibration_error")
    rare = dict(zip(found["classes"], found["average_precision"], strict=True)).get(RARE)
    extra = {} if rare is None else {f"{RARE} average precision": rare}
    return {**{name: found[name] for name in names}, **extra, "seconds": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cifar", type=Path)
    parser.add_argument("insects", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(COMMANDS))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("cifar", "insects", "photos", "mosaics"):
            (folder / each).mkdir()
        cifar = unpack(chosen.cifar, folder / "cifar")
        insects = unpack(chosen.insects, folder / "insects")
        tables = {
            "photos": make_photos(insects, cifar, folder / "photos"),
            "mosaics": make_mosaics(cifar, folder / "mosaics"),
        }
        for what in chosen.only:
            source, options = COMMANDS[what]
            runs = []
            for seed in range(chosen.seeds):
                runs.append(measured(tables[source], options, seed, folder / f"{what}-{seed}"))
                print(what, seed, {key: round(value, 4) for key, value in runs[-1].items()}, flush=True)
            for key in runs[0]:
                values = [run[key] for run in runs]
                spread = f" (sd {statistics.stdev(values):.4f})" if len(values) > 1 else ""
                print(
                    f"{what:26} {key:28} {statistics.mean(values):.4f}{spread}, {len(values)} seeds",
                    flush=True,
                )


if __name__ == "__main__":
    main()
