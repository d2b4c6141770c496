"""Show the main job on real images: train on Fashion-MNIST, measure, and say where the pictures are."""

from __future__ import annotations

import sys
import time
from pathlib import Path

BEGAN = time.perf_counter()
MINUTES = 0.75


def main() -> None:
    """Train within a budget of time, then show what came of it."""
    import striate
    from striate.core.errors import DataError

    try:
        run = striate.train("fashion-mnist", minutes=MINUTES)
    except DataError as error:
        print(f"Fashion-MNIST is not to be had here ({error}).")
        print("Training on the 1,797 real scans of digits that come with striate instead.\n")
        run = striate.train("digits", minutes=MINUTES)
    evaluation = run.evaluation["test"]
    low, high = evaluation.interval
    print(f"\ntest accuracy {evaluation.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}")
    print(f"({evaluation.images:,} images that no choice was made on)")
    print(f"from start to here: {time.perf_counter() - BEGAN:.0f} s\n\nlook at:")
    for name in ("predictions.png", "confusion.png", "curves.png"):
        print(f"  {run.path / name}")
    command = Path(sys.executable).with_name("striate")
    here = Path.cwd()
    shown = command.relative_to(here) if command.is_relative_to(here) else command
    print(f"\nnext, on your own images:\n  {shown} train photos/ --minutes 5")
    print(f"  {shown} val {run.path}\n  {shown} predict {run.path} YOUR_PICTURE")


if __name__ == "__main__":
    main()
