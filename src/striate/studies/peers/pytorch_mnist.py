# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "torch==2.13.0"]
# ///
"""PyTorch's basic MNIST example, from its description: two convolutions, dropout, Adadelta.

Convolutions of 32 and 64 filters of 3x3, a rectifier after each, maximum pooling of 2, dropout of 0.25, a
dense layer of 128, dropout of 0.5 and one of as many outputs as classes; Adadelta at a rate of 1.0 that falls
by 0.7 an epoch; batches of 64, and of 1,000 to test; images normalised by the mean and deviation of MNIST;
float32.

What differs: images are taken from memory batch by batch, where the example loads them one by one. Its rate
does not depend on its budget, so that each epoch is a budget of its own.

Source: the example ``mnist`` of the repository pytorch/examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.studies.peers.run import Job

ABOUT = "PyTorch's basic MNIST example: two convolutions, Adadelta, batches of 64"
LIBRARIES = ("torch",)
IMPORTS = ("torch",)
ENVIRONMENT: dict[str, str] = {}
BUDGETS: tuple[tuple[float, ...], ...] = ((1, 2, 3, 4, 5, 6),)
FOLDER = False

BATCH = 64
MEAN, DEVIATION = 0.1307, 0.3081


def train(job: Job) -> None:
    """Train the example for as many epochs as the last budget has, and measure it at each."""
    import torch

    job.use_torch()
    images = prepared(torch.from_numpy(job.images("train")))
    labels = torch.from_numpy(job.labels("train"))
    job.begin()
    network = make_network(tuple(images.shape[1:]), job.classes)
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, round(max(job.epochs)) + 1):
        network.train()
        for chosen in torch.randperm(len(labels)).split(BATCH):  # type: ignore[no-untyped-call]
            take_step(network, optimizer, images[chosen], labels[chosen])
        schedule.step()
        if epoch in job.epochs:
            job.measure(
                epoch,
                lambda: job.torch_accuracy(network, prepared),
                operations=lambda: job.torch_operations(network),
            )


def prepared(images: Any) -> Any:
    """Normalise uint8 images as the example does."""
    return (images.float().div_(255) - MEAN) / DEVIATION


def make_network(shape: tuple[int, ...], classes: int) -> Any:
    """Build the example's network for images of a shape (channels, height, width)."""
    from torch import nn

    channels, height, width = shape
    places = ((height - 4) // 2) * ((width - 4) // 2)
    return nn.Sequential(
        *(nn.Conv2d(channels, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Dropout(0.25), nn.Flatten(), nn.Linear(64 * places, 128), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(128, classes),
    )


def take_step(network: Any, optimizer: Any, images: Any, labels: Any) -> None:
    """Take one step of the example's training."""
    import torch.nn.functional as F

    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
