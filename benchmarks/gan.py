"""Generators of Fashion-MNIST: striate's default recipe beside PyTorch's basic DCGAN example, in equal time.

``duel``: both train for 10 minutes, in turn and in fresh processes, with each of 3 seeds, on the same
training images. The example is written from its description: 100 latents; transposed convolutions with batch
norm and ReLU; convolutions with batch norm and leaky ReLU (0.2); 64 channels in the widest maps; weights from
N(0, 0.02); Adam with 2e-4 and momenta 0.5 and 0.999; batches of 128; float32. It makes 64 pixels with four
doublings, and here 28 with three (4, 7, 14, 28). The minutes are those of the whole of `train_gan` for ours,
opening the data included, and of the steps alone for the example. Its samples are made with the statistics of
the batch, as it does, and with the running ones, and the better of the two counts.

10,000 samples of each are held against the 10,000 test images by ``FID[striate-fashion-v1]``; by the distance
in the features of a second network, which is trained here with a seed of its own and has seen no generator;
and by the shares of the classes. Beside them stands what 10,000 training images get.

``repeats``: ten trainings of 2 minutes with other seeds, and how many have collapsed: by the watch, and by
the class shares of both networks. ``forced``: a training at far too high rates and a healthy one, with what
the watch says of each as they go.

Measured on 2 cores of a shared AMD EPYC with avx512_bf16, torch 2.13.0, nothing else running: ours 0.71
(0.70 to 0.72), the example 2.63 (2.05 to 3.21), ratios by seed 0.27 (0.21 to 0.34), where 0.5 is wanted;
by the second network 5.44 and 14.95; classes 8.3 to 12.1 %; none of ten short trainings collapsed.

    python benchmarks/gan.py --out gan.json          # about 95 minutes on 2 cores, with nothing else running
    python benchmarks/gan.py --parts duel --minutes 1 --seeds 1
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import striate
from striate.core.events import Event, ignore
from striate.gan.feature_networks import FeatureNetwork, find_feature_network
from striate.metrics.frechet import frechet_distance
from striate.studies.repeats import mean_of

DATA = "fashion-mnist"
PARTS = ("duel", "repeats", "forced")
JUDGE = "striate-fashion-v1"
JUDGE_SEED = 4711
"""Of the second network, which nothing else is trained with."""

LEAST_ACCURACY = 0.85
"""The second network must read so many test images rightly."""

LEAST_SHARE, MOST_SHARE = 0.04, 0.20
"""No class may have less or more of the samples."""

FORCED: dict[str, dict[str, Any]] = {
    "healthy": {},
    "forced": {"family": "dense", "generator_rate": 1e-2, "discriminator_rate": 2e-2, "ema": 2000},
}
"""What the recipes of the two runs of ``forced`` change."""

LATENTS, WIDTH, BATCH, RATE, BETAS, LEAK = 100, 64, 128, 2e-4, (0.5, 0.999), 0.2
"""Of the example."""


def example_networks() -> tuple[nn.Module, nn.Module]:
    """Build generator and discriminator of the example, for images of 28 grey pixels."""
    up = [(LATENTS, 4 * WIDTH, 4, 1, 0), (4 * WIDTH, 2 * WIDTH, 3, 2, 1), (2 * WIDTH, WIDTH, 4, 2, 1)]
    layers: list[nn.Module] = []
    for given, made, kernel, stride, padding in up:
        layers += [
            nn.ConvTranspose2d(given, made, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(made),
            nn.ReLU(inplace=True),
        ]
    generator = nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False), nn.Tanh())
    down = [(WIDTH, 2 * WIDTH, 4, 2, 1), (2 * WIDTH, 4 * WIDTH, 3, 2, 1)]
    layers = [nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(LEAK, inplace=True)]
    for given, made, kernel, stride, padding in down:
        layers += [
            nn.Conv2d(given, made, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(made),
            nn.LeakyReLU(LEAK, inplace=True),
        ]
    discriminator = nn.Sequential(*layers, nn.Conv2d(4 * WIDTH, 1, 4, 1, 0, bias=False), nn.Flatten(0))
    for module in (*generator, *discriminator):
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    return generator, discriminator


def train_example(pixels: Tensor, *, seconds: float, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """Train the example on images in [-1, 1], N x 1 x 28 x 28, for so many seconds."""
    torch.manual_seed(seed)
    generator, discriminator = example_networks()
    optimizers = [
        torch.optim.Adam(network.parameters(), lr=RATE, betas=BETAS) for network in (discriminator, generator)
    ]
    ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for rows in torch.randperm(len(pixels)).split(BATCH):
            if len(rows) < BATCH or time.perf_counter() - began >= seconds:
                break
            fake = generator(torch.randn(BATCH, LATENTS, 1, 1))
            optimizers[0].zero_grad()
            F.binary_cross_entropy_with_logits(discriminator(pixels[rows]), ones).backward()
            F.binary_cross_entropy_with_logits(discriminator(fake.detach()), zeros).backward()
            optimizers[0].step()
            optimizers[1].zero_grad()
            F.binary_cross_entropy_with_logits(discriminator(fake), ones).backward()
            optimizers[1].step()
            steps += 1
    return generator, {"seconds": time.perf_counter() - began, "images": steps * BATCH}


def sample_example(generator: nn.Module, count: int, *, running: bool) -> np.ndarray:
    """Make uint8 images, with the running statistics of the norms or with those of batches."""
    generator.train(not running)
    torch.manual_seed(0)
    with torch.no_grad():
        parts = [generator(torch.randn(BATCH, LATENTS, 1, 1)) for _ in range(0, count, BATCH)]
    return as_bytes((torch.cat(parts)[:count] + 1) / 2)


def as_bytes(images: Tensor) -> np.ndarray:
    """Round images in [0, 1] to uint8, as every score here is of images that can be stored."""
    return (images.clamp(0, 1) * 255).round().byte().numpy()


def run_example(job: dict[str, Any]) -> dict[str, Any]:
    """Train the example and leave its samples; called in a process of its own."""
    train = striate.open_dataset(DATA).train
    pixels = torch.from_numpy(np.array(train.images)).float() / 127.5 - 1
    generator, said = train_example(pixels, seconds=60 * job["minutes"], seed=job["seed"])
    for name, running in (("batch", False), ("running", True)):
        np.save(
            Path(job["folder"], f"{name}.npy"), sample_example(generator, job["samples"], running=running)
        )
    return said


def run_ours(job: dict[str, Any]) -> dict[str, Any]:
    """Train ours and leave its samples; called in a process of its own."""
    from striate.gan import train_gan

    began = time.perf_counter()

    def say(event: Event) -> None:
        if event.kind in ("note", "warning"):
            said = f"  {time.perf_counter() - began:6.1f} s {event.kind}: {event.data['message']}"
            print(said, file=sys.stderr, flush=True)

    run = train_gan(
        DATA,
        out=Path(job["folder"], "run"),
        minutes=job["minutes"],
        seed=job["seed"],
        on_event=say if job["talk"] else ignore,
        **job["recipe"],
    )
    seconds = time.perf_counter() - began
    generator = run.generator
    latents, labels = generator.latents(job["samples"], seed=0), generator.labels(job["samples"], seed=0)
    np.save(Path(job["folder"], "ours.npy"), as_bytes(generator.images(latents, labels)))
    return {"seconds": seconds, "outcome": run.outcome}


CHILDREN = {"ours": run_ours, "example": run_example}


def in_process(way: str, folder: Path, **job: Any) -> dict[str, Any]:
    """Train one way in a fresh process, and give what it said and where its samples are."""
    folder.mkdir(parents=True)
    text = json.dumps({"folder": str(folder), "recipe": {}, "talk": False, **job})
    command = [sys.executable, __file__, "--child", way, text]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {"way": way, "seed": job["seed"], **json.loads(said.splitlines()[-1])}


class Judges:
    """Two networks that took no part in any training here, and what they say of real images.

    Args:
        folder: for the second, which is trained here.
        samples: how many are judged.
        minutes: for the second's training.
    """

    def __init__(self, folder: Path, samples: int, minutes: float) -> None:
        data = striate.open_dataset(DATA)
        assert data.test is not None
        run = striate.train(data, out=folder / "judge", minutes=minutes, seed=JUDGE_SEED, on_event=ignore)
        accuracy = run.evaluation["test"].accuracy
        print(f"second network: {run.recipe.model}, {accuracy:.2%} of the test images right", flush=True)
        if accuracy < LEAST_ACCURACY:
            raise SystemExit(
                f"a network that reads {accuracy:.0%} rightly judges nothing; give more --judge-minutes"
            )
        self.networks: dict[str, FeatureNetwork] = {
            JUDGE: find_feature_network(JUDGE),
            "second": find_feature_network(run.path),
        }
        self._real = {name: network.features(data.test.images) for name, network in self.networks.items()}
        self.classes = data.classes
        rows = np.sort(np.random.default_rng(0).choice(len(data.train), samples, replace=False))
        self.floor = self.judged(data.train.images[rows])

    def judged(self, images: np.ndarray) -> dict[str, Any]:
        """Give the distance to real images and the shares of the classes, by each network."""
        found: dict[str, Any] = {"distance": {}, "shares": {}}
        for name, network in self.networks.items():
            seen = network.features(images)
            assert seen.probabilities is not None
            found["distance"][name] = frechet_distance(self._real[name].features, seen.features)
            counts = seen.probabilities.argmax(dim=1).bincount(minlength=len(self.classes))
            found["shares"][name] = (counts / len(images)).tolist()
        return found

    def best(self, folder: Path) -> dict[str, Any]:
        """Judge all sets of samples of a training, and give the best by the first network."""
        found = [
            {"samples": path.stem, **self.judged(np.load(path))} for path in sorted(folder.glob("*.npy"))
        ]
        return min(found, key=lambda each: each["distance"][JUDGE])


def has_collapsed(shares: dict[str, list[float]]) -> bool:
    """Say whether a class is missing or floods the samples, by either network."""
    return any(min(each) < LEAST_SHARE / 4 or max(each) > 2 * MOST_SHARE for each in shares.values())


def duel(judges: Judges, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train both ways with every seed, in turn."""
    found = []
    for seed in range(options.seeds):
        for way in CHILDREN:
            place = folder / f"{way}-{seed}"
            said = in_process(way, place, seed=seed, minutes=options.minutes, samples=options.samples)
            found.append({**said, **judges.best(place)})
            print(f"seed {seed} {line(found[-1])}", flush=True)
    return found


def repeats(judges: Judges, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train ours briefly, with seeds that nothing else here has."""
    found = []
    for seed in range(100, 100 + options.repeats):
        place = folder / f"short-{seed}"
        said = in_process("ours", place, seed=seed, minutes=options.short_minutes, samples=options.samples)
        found.append({**said, **judges.best(place)})
        collapsed = has_collapsed(found[-1]["shares"])
        print(f"seed {seed} {line(found[-1])}; collapsed: {collapsed}; {verdicts(said)}", flush=True)
    return found


def forced(judges: Judges, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train a run that must collapse and a healthy one, and tell what the watch says as they go."""
    found = []
    for name, recipe in FORCED.items():
        print(f"{name}: {recipe}", flush=True)
        place = folder / name
        job = {"recipe": {**recipe, "on_collapse": "continue"}, "talk": True}
        minutes = options.short_minutes
        said = in_process("ours", place, seed=1, minutes=minutes, samples=options.samples, **job)
        found.append({**said, "name": name, **judges.best(place)})
        print(f"{name} {line(found[-1])}; {verdicts(said)}", flush=True)
    return found


def line(found: dict[str, Any]) -> str:
    """Say what was measured of one training."""
    shares = found["shares"][JUDGE]
    return (
        f"{found['way']}: FID[{JUDGE}] {found['distance'][JUDGE]:.2f}, "
        f"second {found['distance']['second']:.2f}, "
        f"classes {min(shares):.1%} to {max(shares):.1%}, {found['seconds']:.0f} s"
    )


def verdicts(said: dict[str, Any]) -> str:
    """Say what the watch found last."""
    return ", ".join(f"{each['name']} {each['verdict']}" for each in said["outcome"].get("findings", ()))


def table(found: list[dict[str, Any]], floor: dict[str, Any]) -> None:
    """Print what the duel measured, and the ratio that is asked for."""
    print("\n| way | FID[striate-fashion-v1] | second network | classes | seconds |\n|---|---|---|---|---|")
    for way in CHILDREN:
        runs = [each for each in found if each["way"] == way]
        shares = [share for each in runs for share in each["shares"][JUDGE]]
        cells = [spread([each["distance"][name] for each in runs]) for name in (JUDGE, "second")]
        longest = max(each["seconds"] for each in runs)
        print(f"| {way} | {' | '.join(cells)} | {min(shares):.1%} to {max(shares):.1%} | {longest:.0f} |")
    distances = floor["distance"]
    print(f"| training images | {distances[JUDGE]:.2f} | {distances['second']:.2f} | | |")
    for name in (JUDGE, "second"):
        ours, theirs = ([e["distance"][name] for e in found if e["way"] == way] for way in CHILDREN)
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        print(f"{name}: ours over the example, by seed: {spread(ratios)}")


def spread(values: list[float]) -> str:
    """Write a mean with its interval."""
    mean = mean_of(values)
    return f"{mean.mean:.2f}" + ("" if mean.low is None else f" ({mean.low:.2f} to {mean.high:.2f})")


def main() -> None:
    """Measure the parts asked for, print the tables, and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="(default: all)")
    parser.add_argument("--minutes", type=float, default=10, help="of each side (default: 10)")
    parser.add_argument("--seeds", type=int, default=3, help="of the duel (default: 3)")
    parser.add_argument("--short-minutes", type=float, default=2, help="of repeats and forced (default: 2)")
    parser.add_argument("--repeats", type=int, default=10, help="(default: 10)")
    parser.add_argument("--samples", type=int, default=10_000, help="(default: 10,000)")
    parser.add_argument("--judge-minutes", type=float, default=3, help="for the second network (default: 3)")
    parser.add_argument("--keep", type=Path, help="a folder for runs and samples")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "JOB"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child[0]](json.loads(options.child[1]))))
        return
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} processors"
    print(f"torch {torch.__version__}, {threads}, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        judges = Judges(folder, options.samples, options.judge_minutes)
        measured: dict[str, Any] = {"floor": judges.floor}
        for part in options.parts:
            measured[part] = {"duel": duel, "repeats": repeats, "forced": forced}[part](
                judges, folder, options
            )
            if options.out:
                options.out.write_text(json.dumps(measured, indent=1))
    if "duel" in measured:
        table(measured["duel"], judges.floor)
    if "repeats" in measured:
        collapsed = [has_collapsed(each["shares"]) for each in measured["repeats"]]
        minutes = f"{options.short_minutes:g} minutes"
        print(f"{sum(collapsed)} of {len(collapsed)} trainings of {minutes} have collapsed")


if __name__ == "__main__":
    main()
