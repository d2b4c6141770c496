# /// script
# requires-python = ">=3.11"
# dependencies = ["fastai==2.8.12", "torch==2.13.0", "torchvision==0.28.0"]
# ///
"""The strided network of fastai's book, from its description: five convolutions with stride 2, one cycle.

Convolutions of 8, 16, 32 and 64 filters and of as many as there are classes, the first of 5x5 and the others
of 3x3, all with stride 2, so that 28 pixels become one; a rectifier after each but the last, and batch
normalisation after each: 30,542 parameters. Batches of 512, fastai's Adam and its one cycle with its top at
0.1; images in [0, 1]; float32.

What differs: images are taken from memory batch by batch, and it is not validated after each epoch, which
spares it that time. The cycle follows the budget, so that each budget is a process of its own.

Source: Howard and Gugger, Deep Learning for Coders with fastai and PyTorch (2020), chapter 13.
"""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "the strided five-convolution network of fastai's book: one cycle, batches of 512"
LIBRARIES = ("fastai", "torch")
IMPORTS = ("fastai.callback.schedule",)
ENVIRONMENT: dict[str, str] = {}
BUDGETS: tuple[tuple[float, ...], ...] = ((5,), (8,), (16,))
FOLDER = False

BATCH = 512
RATE = 0.1
LARGEST = 32


def train(job: Job) -> None:
    """Train the network once, for the last budget."""
    import_module("fastai.callback.schedule")  # which gives learners their one cycle
    import torch.nn.functional as F
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner

    shape = job.images("train").shape[1:]
    if not LARGEST // 2 < max(shape[1:]) <= LARGEST:
        raise SystemExit(
            f"five strides of 2 make one of {LARGEST // 2 + 1} to {LARGEST} pixels, not of {max(shape[1:])}"
        )
    job.use_torch()
    loaders = DataLoaders(job.torch_batches(BATCH), [])
    job.begin()
    network = make_network(shape[0], job.classes)
    learner = Learner(loaders, network, loss_func=F.cross_entropy)
    epochs = round(max(job.epochs))
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs, RATE)
    job.measure(epochs, lambda: job.torch_accuracy(network), operations=lambda: job.torch_operations(network))


def make_network(channels: int, classes: int) -> Any:
    """Build the network."""
    from torch import nn

    layers: list[nn.Module] = []
    widths = (channels, 8, 16, 32, 64, classes)
    for position, (inputs, outputs) in enumerate(pairwise(widths)):
        kernel = 5 if position == 0 else 3
        layers.append(nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2))
        if position < len(widths) - 2:
            layers.append(nn.ReLU())
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.Flatten())
