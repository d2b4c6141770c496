"""How fast images of a folder are fed to a training, beside a plain PIL and DataLoader pipeline, in one run.

The folder has 2,000 JPEGs of 500 x 375 pixels (quality 90, 4:2:0), generated: a random picture whose
amplitudes fall with the square of the frequency, and noise of 5 grey levels. So a file has 51 kB and takes
0.90 ms to decode whole, 0.62 ms at a half; 74 real photographs of that size (ants and bees) have 56 kB at
that quality and take 0.91 and 0.61 ms. Both sides make 128 x 128 RGB of them (shorter side resized, centre
cropped), in random order, in batches of 100, as float32 in [0, 1], on all cores.

- plain: a Dataset that opens, converts, resizes (bilinear), crops and makes a tensor, in a DataLoader whose
  workers stay from epoch to epoch.
- ours: `striate.open_dataset(folder, size=128, fit="crop")` into an empty cache, and `Batches`, whose uint8
  batches are made float32 as a training step makes them. A *warm* process is a new one that finds the cache;
  its first epoch has the time of opening in it.

The sides take turns, each time in a new process; the table has medians. The first epoch begins when all
modules are imported and ends with its last batch: for ours that is the scan of the folder, decoding, writing
the cache and the first pass through it. Later epochs are the median of three. Files are read once before, so
that the disk plays no part.

Of one core's time an image of the first epoch takes 2.4 ms of the plain side: decoding 0.98, converting
0.06, resizing 0.86, tensors and their transport 0.5; and 1.5 ms of ours: entropy decoding 0.5, which decoding
at a half does not save, the rest of decoding 0.13, resizing (bicubic) 0.41, opening and converting 0.15,
reading and hashing the file 0.08, writing, checking and loading 0.2, the pass 0.03. So at this size Pillow
cannot be three times as fast as the plain side, whatever the rest takes. Decoding and resizing alone are 1.7
times as fast as theirs here, 2.4 times at 1000 x 750 pixels, 2.8 times at 2000 x 1500, 4.7 times at
4000 x 3000.

Measured on 2 cores of a shared AMD EPYC, torch 2.13.0, Pillow 13.0.0, Python 3.11.7, nothing else running,
medians of 5 rounds: the first epoch takes 2.21 s of the plain side and 1.59 s of ours (1.4 times faster,
where 3 is wanted), 0.17 s where the cache is warm (13 times); later epochs 2.16 s against 0.039 s (55
times, where 20 is wanted).

On another such machine, a faster one: 1.95 s and 1.29 s (1.5 times), 0.157 s where the cache is warm (12
times); later epochs 1.62 s against 0.029 s (56 times). There an image took 0.55 ms of a core to decode at a
half, 0.62 ms whole, and 0.29 ms to resize. Tried, and not kept: libjpeg-turbo by itself (simplejpeg 1.9),
0.52 ms, also with its fast transform and upsampling; torch's resizing of bytes (bicubic, antialiased), 0.09
ms, the same pixels within 2 levels, which cannot cut out at fractions of a pixel. Both together with nothing
else to do for an image come to 0.61 ms, where a third of the plain side's time is 0.65 ms.

Run it with nothing else running: ``python benchmarks/feeding.py`` (about a minute and a half on 2 cores).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL import __version__ as pillow_version
from torch import Tensor

WIDTH, HEIGHT, SIDE, BATCH = 500, 375, 128, 100
NOISE = 5.0
STEEPNESS = 2.0
LATER = 3


def make_folder(folder: Path, count: int) -> None:
    """Write the pictures: ``count`` to train on, in two classes, and two a class to validate on."""
    names = [folder / "train" / f"{number % 2}" / f"{number}.jpg" for number in range(count)]
    names += [folder / "val" / f"{number % 2}" / f"{number}.jpg" for number in range(4)]
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make_picture, names, range(len(names))))


def make_picture(path: Path, seed: int) -> None:
    """Write one picture with the spectrum of a photograph."""
    random = np.random.default_rng(seed)
    vertical, horizontal = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None]
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = 1
    planes = []
    for _ in range(3):
        phases = random.normal(size=(2, *frequency.shape))
        plane = np.fft.irfft2((phases[0] + 1j * phases[1]) / frequency**STEEPNESS, s=(HEIGHT, WIDTH))
        planes.append(plane / plane.std())
    # Colours vary less than brightness does.
    grey = planes[0][..., None] + 0.3 * np.stack([planes[1], -planes[1], planes[2]], -1)
    pixels = 118 + 50 * grey + random.normal(scale=NOISE, size=(HEIGHT, WIDTH, 1))
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90, subsampling="4:2:0")


class Pictures(torch.utils.data.Dataset):
    """The plain side: a picture is opened, converted, resized, cropped and made a tensor."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*/*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path = self.files[index]
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        scale = SIDE / min(image.size)
        width, height = round(image.width * scale), round(image.height * scale)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - SIDE) // 2, (height - SIDE) // 2
        image = image.crop((left, top, left + SIDE, top + SIDE))
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255), int(path.parent.name)


def plain(folder: Path, epochs: int) -> dict[str, object]:
    """Feed by PIL and a DataLoader."""
    began = time.perf_counter()
    loader = torch.utils.data.DataLoader(
        Pictures(folder / "train"),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=os.cpu_count() or 1,
        persistent_workers=True,
    )
    return {"epochs": timed(lambda _: iter(loader), epochs, began)}


def ours(folder: Path, epochs: int) -> dict[str, object]:
    """Feed by striate."""
    import striate
    from striate.data.augmentation import Augmentation
    from striate.data.batches import Batches
    from striate.engine.memory import keep_freed_memory

    parts: dict[str, float] = {}

    def on_event(event: object) -> None:
        if event.kind == "warning":
            raise SystemExit(event.data["message"])
        parts.setdefault(str(event.data.get("what", "")), time.perf_counter() - began)

    keep_freed_memory()  # as a training on a CPU does
    began = time.perf_counter()
    dataset = striate.open_dataset(folder, size=SIDE, fit="crop", on_event=on_event)
    opened = time.perf_counter() - began
    still = Augmentation(flip=False, shift=0)
    batches = Batches(dataset.train, batch=BATCH, device="cpu", seed=0, augmentation=still)

    def feed(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in batches.epoch(epoch):
            yield images.float().div_(255), labels

    return {"epochs": timed(feed, epochs, began), "opened": opened, "parts": parts}


def timed(feed: Callable[[int], Iterator[object]], epochs: int, began: float) -> list[float]:
    """Give the seconds of each epoch, the first one from the beginning."""
    seconds = []
    for epoch in range(epochs):
        for images, labels in feed(epoch):
            assert len(images) == len(labels) == BATCH
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    return seconds


def measure(side: str, folder: Path, cache: Path, epochs: int) -> dict:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--epochs", str(epochs)]
    environment = {**os.environ, "STRIATE_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Make the folder, let the sides take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, help="a multiple of 100")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=("plain", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the pictures are, or are to be")
    parser.add_argument("--epochs", type=int, default=1 + LATER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        found = {"plain": plain, "ours": ours}[options.side](options.folder, options.epochs)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary, "pictures")
        if not folder.exists():
            make_folder(folder, options.images)
        sizes = [path.stat().st_size for path in folder.rglob("*.jpg") if path.read_bytes()]
        print(
            f"torch {torch.__version__}, Pillow {pillow_version}, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores; {len(sizes) - 4:,} files of {statistics.mean(sizes) / 1000:.1f} kB"
        )
        report(folder, Path(temporary), options.rounds, len(sizes) - 4)


def report(folder: Path, temporary: Path, rounds: int, count: int) -> None:
    """Measure in turns and print."""
    first: dict[str, list[float]] = {"plain": [], "ours": [], "ours, warm": []}
    later: dict[str, list[float]] = {"plain": [], "ours": [], "ours, warm": []}
    opened = []
    for number in range(rounds):
        cache = temporary / f"cache-{number}"
        for row in first:
            found = measure(row.partition(",")[0], folder, cache, 1 + LATER)
            first[row].append(found["epochs"][0])
            later[row].append(statistics.median(found["epochs"][1:]))
            if row == "ours":
                opened.append(found["opened"])
        print(f"round {number + 1}: first " + ", ".join(f"{row} {first[row][-1]:.2f} s" for row in first))
    print(f"{'':12} {'first epoch':37}  later epochs")
    for row in first:
        cells = []
        for each in (first, later):
            seconds, others = statistics.median(each[row]), statistics.median(each["plain"])
            cells.append(f"{seconds:7.3f} s {count / seconds:9,.0f} images/s {others / seconds:6.1f} x")
        print(f"{row:12} {cells[0]}  {cells[1]}")
    print(f"medians of {rounds} rounds; opening was {statistics.median(opened):.3f} s of ours' first epoch")


if __name__ == "__main__":
    main()
