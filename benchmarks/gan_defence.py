"""What a GAN does for a classifier under attack: Defense-GAN, and a start from its discriminator.

Five classifiers for Fashion-MNIST are attacked by `striate.attack.evaluate`, each for the same time:

- plain: what ``striate train`` gives;
- Defense-GAN around it (Samangouei, Kabkab and Chellappa 2018), once with no gradient through the projection,
  as it was published, and once with straight-through gradients (BPDA, Athalye, Carlini and Wagner 2018);
- one that starts from the trunk of the GAN's discriminator, and the same network from scratch.

What is printed of each is the accuracy on clean images and what attacks leave, with 95 % intervals, how many
images were attacked (few where an answer is slow), and the verdict on masked gradients. Where that is
"suspected", the figure is an upper bound and no evidence.

    python benchmarks/gan_defence.py                       # trains a generator for 10 minutes first
    python benchmarks/gan_defence.py --gan runs/g --seconds 120

Run it with nothing else running; about an hour on 2 cores. What it measured is in docs/gan.md (``--gan`` of
10 minutes, ``--seconds 240``, 2 cores of a shared AMD EPYC, torch 2.13.0).
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import striate
from striate.attack import Evaluation, evaluate, parse_ball
from striate.core.events import Event
from striate.data.batches import as_tensor
from striate.gan import Descent, load_generator, projected, train_gan

Model = Callable[[Tensor], Tensor]


def say(event: Event) -> None:
    """Print a warning or note as a line."""
    if event.kind in ("warning", "note"):
        print(f"{event.kind}: {event.data['message']}", flush=True)


def trained_generator(data: striate.Dataset, folder: Path, *, minutes: float, seed: int) -> Path:
    """Train a generator, and give its run."""
    began = time.perf_counter()
    run = train_gan(data, minutes=minutes, seed=seed, out=folder / "gan", on_event=say)
    print(f"a generator ({run.recipe.family}) was trained in {time.perf_counter() - began:.0f} s", flush=True)
    return run.path


def classifiers(
    data: striate.Dataset, gan: Path, folder: Path, options: argparse.Namespace
) -> dict[str, Model]:
    """Train the three classifiers, and put the generator before the first of them."""
    fields = {"minutes": options.minutes, "seed": options.seed, "on_event": say}
    plain = striate.train(data, out=folder / "plain", **fields)
    started = striate.train(data, pretrained=str(gan), out=folder / "started", **fields)
    model = started.recipe.model
    scratch = striate.train(data, model=model, layers=started.recipe.layers, out=folder / "scratch", **fields)
    generator, descent = load_generator(gan), Descent(starts=options.starts, steps=options.steps)

    def defended(*, straight_through: bool) -> Model:
        return projected(
            generator.network,
            plain.classifier,
            descent=descent,
            straight_through=straight_through,
            seed=options.seed,
        )

    return {
        f"plain ({plain.recipe.model})": plain.classifier,
        "Defense-GAN, no gradient": defended(straight_through=False),
        "Defense-GAN, straight through": defended(straight_through=True),
        f"{model} from the discriminator": started.classifier,
        f"{model} from scratch": scratch.classifier,
    }


def row(name: str, found: Evaluation) -> str:
    """Write what an evaluation found as a line of the table."""
    figures = [
        f"{measured.value:.1%} ({measured.low:.1%} to {measured.high:.1%})"
        for measured in (found.clean, found.robust)
    ]
    masked = "not checked" if found.masking is None else found.masking.finding
    return f"| {name} | {' | '.join(figures)} | {found.images} | {found.level} | {masked} |"


def main() -> None:
    """Train, attack and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist", help="(default: fashion-mnist)")
    parser.add_argument("--gan", type=Path, help="a run of a generator (default: one is trained)")
    parser.add_argument("--gan-minutes", type=float, default=10.0, help="of its training (default: 10)")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each classifier's (default: 2)")
    parser.add_argument("--ball", default="linf:0.1", help="(default: linf:0.1)")
    parser.add_argument("--seconds", type=float, default=600.0, help="of each evaluation (default: 600)")
    parser.add_argument("--starts", type=int, default=4, help="of each projection (default: 4)")
    parser.add_argument("--steps", type=int, default=50, help="of each descent (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="(default: 0)")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, Python {platform.python_version()}")
    data = striate.open_dataset(options.data)
    test, ball = data.test or data.validation, parse_ball(options.ball)
    images, labels = as_tensor(test.images), torch.as_tensor(test.labels).long()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gan = options.gan or trained_generator(data, folder, minutes=options.gan_minutes, seed=options.seed)
        models = classifiers(data, gan, folder, options)
        print(
            f"\n| classifier, {options.ball}, {options.seconds:g} s each | clean | robust | images | attacks "
            "| masked gradients |\n|---|---|---|---|---|---|"
        )
        for each, model in models.items():
            print(row(each, evaluate(model, images, labels, ball=ball, seconds=options.seconds)), flush=True)


if __name__ == "__main__":
    main()
