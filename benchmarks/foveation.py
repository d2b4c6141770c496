"""Does a network need the whole picture? Glimpses of an eye, beside the picture as it is or made small.

Each picture of the task is a Fashion-MNIST garment somewhere on a canvas of 96 x 96 pixels, among eight
pieces of 8 x 8 pixels of other garments (after the cluttered digits of Mnih et al., Recurrent Models of
Visual Attention, 2014, section 4). The same small network, trained for as many epochs, is given

- the picture as it is: 9,216 pixels;
- the same, seen as by an eye that looks anywhere, as augmentation while training (`striate.nn.foveate`);
- the picture shrunk to 28 x 28: 784 pixels;
- one glimpse of 28 x 28 from the centre (`striate.nn.glimpse`);
- three glimpses of 16 x 16, 768 pixels in all, whose logits are averaged: at three random places, or where
  the picture, shrunk to 12 x 12, differs most from its surroundings. Nothing is learnt about where to look.

    python benchmarks/foveation.py                 # 3 seeds of 10,000 pictures; half an hour
    python benchmarks/foveation.py --small         # to see that it runs
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import striate
from striate.core.seeds import derive
from striate.data.batches import as_tensor
from striate.engine.schedules import rate_factor
from striate.models import build
from striate.nn import foveate, glimpse

CANVAS, CLUTTER, PIECE = 96, 8, 8
FALLOFF = 12.0
BATCH, RATE = 100, 0.003
STUDENT = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}

Look = Callable[[Tensor, torch.Generator, bool], list[Tensor]]


@dataclass(frozen=True)
class Way:
    """A way of looking at pictures.

    Args:
        name: of the row.
        side: of what the network is given, in pixels.
        views: how many of them.
        look: gives the views of pictures; told whether the network is trained.
    """

    name: str
    side: int
    views: int
    look: Look


def whole(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look at the pictures as they are."""
    del random, training
    return [pictures]


def as_an_eye(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look at them as they are, but half of them as an eye while the network is trained."""
    if not training:
        return [pictures]
    fixations = torch.rand(len(pictures), 2, generator=random)
    chosen = (torch.rand(len(pictures), generator=random) < 0.5)[:, None, None, None]
    return [torch.where(chosen, foveate(pictures, fixations, falloff=4.0), pictures)]


def shrunk(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look at the pictures made small, by means over areas."""
    del random, training
    return [F.interpolate(pictures, (28, 28), mode="area")]


def one_glimpse(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look at their centres."""
    del random, training
    return [glimpse(pictures, torch.full((len(pictures), 2), 0.5), side=28, falloff=FALLOFF)]


def random_saccades(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look at three random places."""
    del training
    fixations = torch.rand(3, len(pictures), 2, generator=random)
    return [glimpse(pictures, each, side=16, falloff=FALLOFF) for each in fixations]


def salient_saccades(pictures: Tensor, random: torch.Generator, training: bool) -> list[Tensor]:
    """Look where the picture differs most from its surroundings, and not twice at one place."""
    del random, training
    coarse = F.interpolate(pictures, (12, 12), mode="area").mean(dim=1, keepdim=True)
    around = F.avg_pool2d(F.pad(coarse, (3,) * 4, mode="replicate"), 7, stride=1)
    # What matters is where much lies together: garments are larger than the pieces.
    differs = F.avg_pool2d((coarse - around).abs(), 3, stride=1, padding=1)[:, 0]
    places = (torch.arange(12) + 0.5) / 12
    views = []
    for _ in range(3):
        found = differs.flatten(1).argmax(dim=1)
        down, right = places[found // 12], places[found % 12]
        views.append(glimpse(pictures, torch.stack([right, down], dim=1), side=16, falloff=FALLOFF))
        near = torch.hypot(places[:, None] - down[:, None, None], places - right[:, None, None]) < 0.2
        differs = differs.masked_fill(near, -1.0)
    return views


WAYS = (
    Way("the whole picture", CANVAS, 1, whole),
    Way("the whole, foveated as augmentation", CANVAS, 1, as_an_eye),
    Way("shrunk to 28 x 28", 28, 1, shrunk),
    Way("one glimpse of 28 x 28, centre", 28, 1, one_glimpse),
    Way("three glimpses of 16 x 16, random", 16, 3, random_saccades),
    Way("three glimpses of 16 x 16, salient", 16, 3, salient_saccades),
)


def scattered(garments: Tensor, seed: int) -> Tensor:
    """Put each garment somewhere on a canvas, among pieces of others."""
    random = torch.Generator().manual_seed(seed)
    count, side = len(garments), garments.shape[2]
    canvas = torch.zeros(count, 1, CANVAS, CANVAS, dtype=torch.uint8)
    others = torch.randint(count, (count, CLUTTER), generator=random)
    cut = torch.randint(side - PIECE + 1, (count, CLUTTER, 2), generator=random).tolist()
    put = torch.randint(CANVAS - PIECE + 1, (count, CLUTTER, 2), generator=random).tolist()
    own = torch.randint(CANVAS - side + 1, (count, 2), generator=random).tolist()
    for number in range(count):
        for piece in range(CLUTTER):
            (down, right), (top, left) = cut[number][piece], put[number][piece]
            taken = garments[others[number, piece], :, down : down + PIECE, right : right + PIECE]
            canvas[number, :, top : top + PIECE, left : left + PIECE] = taken
        top, left = own[number]
        place = canvas[number, :, top : top + side, left : left + side]
        torch.maximum(place, garments[number], out=place)
    return canvas


def logits_of(
    network: nn.Module, way: Way, pictures: Tensor, random: torch.Generator, training: bool
) -> Tensor:
    """Give the mean over the views of what the network says."""
    views = way.look(pictures.float() / 255, random, training)
    said: Tensor = network(torch.cat([(view - 0.1) / 0.25 for view in views]))
    return said.view(len(views), len(pictures), -1).mean(dim=0)


def trained(
    way: Way, parts: dict[str, tuple[Tensor, Tensor]], *, epochs: int, seed: int
) -> tuple[float, float]:
    """Train a network and give its accuracy on the test part and the seconds of an epoch."""
    torch.manual_seed(derive(seed, "weights"))
    random = torch.Generator().manual_seed(derive(seed, "looking"))
    network = build("compact-small", classes=10, channels=1, size=(way.side, way.side))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    pictures, labels = parts["train"]
    steps, began = len(pictures) // BATCH, time.perf_counter()
    for epoch in range(epochs):
        network.train()
        order = torch.randperm(len(pictures), generator=random)
        for step in range(steps):
            share = (epoch * steps + step + 0.5) / (epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = RATE * rate_factor(share, schedule="one-cycle", warmup=0.1)
            chosen = order[step * BATCH : (step + 1) * BATCH]
            said = logits_of(network, way, pictures[chosen], random, True)
            loss = F.cross_entropy(said, labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
    seconds = (time.perf_counter() - began) / epochs
    network.eval()
    right = 0
    with torch.no_grad():
        for images, true in zip(*(part.split(500) for part in parts["test"]), strict=True):
            right += int((logits_of(network, way, images, random, False).argmax(dim=1) == true).sum())
    return right / len(parts["test"][1]), seconds


def main() -> None:
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--tested", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3, choices=sorted(STUDENT))
    parser.add_argument("--small", action="store_true", help="a few pictures, to see that it runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.small:
        options.images, options.tested, options.epochs, options.seeds = 300, 200, 1, 2
    dataset = striate.open_dataset("fashion-mnist")
    assert dataset.test is not None
    parts = {}
    wanted = (("train", dataset.train, options.images), ("test", dataset.test, options.tested))
    for name, split, count in wanted:
        pictures = scattered(as_tensor(split.images[:count]), derive(0, name))
        parts[name] = pictures, torch.as_tensor(split.labels[:count]).long()
    rows = []
    if not options.json:
        print(f"{options.images:,} pictures, {options.epochs} epochs, {options.seeds} seeds, "
              f"{options.tested:,} tested, {torch.get_num_threads()} threads")  # fmt: skip
        print("\n| what the network is given | pixels | accuracy (95 % interval) | s an epoch |")
        print("|---|---|---|---|")
    for way in WAYS:
        found = [trained(way, parts, epochs=options.epochs, seed=seed) for seed in range(options.seeds)]
        accuracies, seconds = zip(*found, strict=True)
        mean = statistics.mean(accuracies)
        half = STUDENT[options.seeds] * statistics.stdev(accuracies) / math.sqrt(options.seeds)
        rows.append({"way": way.name, "pixels": way.views * way.side**2, "accuracies": accuracies})
        rows[-1] |= {"mean": mean, "half_interval": half, "seconds": statistics.median(seconds)}
        if not options.json:
            print(f"| {way.name} | {rows[-1]['pixels']:,} | {mean:.3f} ± {half:.3f} "
                  f"| {rows[-1]['seconds']:.1f} |", flush=True)  # fmt: skip
    if options.json:
        print(json.dumps({**vars(options), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
