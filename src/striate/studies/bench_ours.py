"""Our side of a benchmark: one training through `striate.train`, told as a line of JSON.

``python -m striate.studies.bench_ours DATA --epochs 2 --seed 0`` trains on a CPU with everything else left
open, and tells what the run measured: opening the data, validating after each epoch and writing checkpoints
are in the process' time as they are for a user, and the latter two in the training's.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.core.version import VERSION
from striate.studies.peers.run import peak_bytes

if TYPE_CHECKING:
    from torch import nn

    from striate.training import Run


def main(arguments: Sequence[str] | None = None) -> None:
    """Train once and tell it.

    Args:
        arguments: of the command; ``None``: those of this process.
    """
    import torch

    import striate

    parser = argparse.ArgumentParser(description="Train once for a benchmark.")
    parser.add_argument("data")
    parser.add_argument("--epochs", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args(arguments)
    said: dict[str, Mapping[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        run = striate.train(
            options.data,
            epochs=options.epochs,
            seed=options.seed,
            device="cpu",
            out=Path(folder, "run"),
            on_event=lambda event: said.__setitem__(event.kind, event.data),
        )
        began = time.perf_counter()
        line = {
            "epochs": options.epochs,
            "accuracy": run.evaluation["test"].accuracy,
            "training_seconds": said["done"]["training_seconds"],
            "images": _images_seen(run, said),
            "precision": run.recipe.precision,
            "peak_bytes": peak_bytes(),
            "versions": {
                "python": platform.python_version(),
                "striate": VERSION,
                "torch": str(torch.__version__),
            },
            "operations": _operations(run),
        }
    line["aside_seconds"] = time.perf_counter() - began
    sys.stdout.write(json.dumps(line) + "\n")


def training_operations(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Count the floating-point operations of one training step for one image, by the tracer.

    Twice the multiply-adds of each layer: once forward, once for the gradient of its weights where they are
    trained, and once for that of its input where something before it is trained.

    Args:
        network: its parameters that need gradients are the trained ones.
        shape: of one image: channels, height, width.

    Returns:
        The operations of convolutions and matrix products; those of norms and optimisers are not counted.
    """
    from striate.geometry import trace

    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    layers = trace(network, shape).layers
    behind: list[bool] = []  # whether something up to and with the layer is trained
    total = 0
    for layer in layers:
        prefix = f"{layer.name}." if layer.name else ""
        own = layer.parameters > 0 and any(name.startswith(prefix) for name in trained)
        before = any(behind[number] for number in layer.reads if number >= 0)
        total += 2 * layer.multiply_adds * (1 + int(own) + int(before))
        behind.append(own or before)
    return total


def _operations(run: Run) -> int:
    import torch

    from striate.models import LearnsFirstLayer

    classifier = run.classifier
    network, shape = classifier.network, (classifier.channels, *classifier.size)
    if isinstance(network, LearnsFirstLayer):
        network.learn_first_layer(torch.rand(16, *shape))  # which freezes it, as it was in training
    return training_operations(network, shape)


def _images_seen(run: Run, said: Mapping[str, Mapping[str, Any]]) -> int:
    images: int = said["start"]["images"]["train"]
    batch = run.recipe.batch
    return int(run.rows[-1]["step"]) * min(batch or images, images)


if __name__ == "__main__":
    main()
