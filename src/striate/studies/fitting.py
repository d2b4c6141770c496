"""Train a small network on a few images, many times over: a plain loop that keeps only its curve.

The trainings of a study compare networks that no recipe names and leave no run behind, so they go without
checkpoints, budgets and the choice of a best epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.device import Policy
from striate.core.seeds import derive
from striate.data import Split
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches, as_tensor
from striate.engine.randomness import seed_generators
from striate.engine.schedules import rate_factor
from striate.engine.uncompiled import uncompiled

BATCH = 64
WARMUP = 0.1
WEIGHT_DECAY = 1e-4
MEASURED_AT_ONCE = 500


@dataclass(frozen=True)
class Curve:
    """How a training went.

    Args:
        errors: for each epoch the share of the training images that were classified wrongly while learning.
        losses: for each epoch the mean cross entropy, nats, likewise.
        diverged: whether it ended early because the loss was no finite number; the curve then ends before.
    """

    errors: tuple[float, ...]
    losses: tuple[float, ...]
    diverged: bool


@dataclass(frozen=True)
class Pixels:
    """How uint8 images become what a network takes: normalised by one mean and one deviation.

    Args:
        mean: of the training pixels, in [0, 1].
        deviation: of the training pixels.
        policy: where and how they are computed on.
    """

    mean: float
    deviation: float
    policy: Policy

    @classmethod
    def of(cls, split: Split, policy: Policy) -> Pixels:
        """Measure mean and deviation of a split.

        Args:
            split: the training images.
            policy: where and how they are computed on.

        Returns:
            The conversion.
        """
        scaled = split.images / np.float32(255)
        return cls(float(scaled.mean()), max(float(scaled.std()), 1 / 255), policy)

    def __call__(self, images: Tensor) -> Tensor:
        """Convert a batch.

        Args:
            images: N x C x H x W, uint8.

        Returns:
            Floating point of the same shape, on the policy's device in its memory format.
        """
        floats = images.to(self.policy.device).float().div_(255).sub_(self.mean).div_(self.deviation)
        return floats.contiguous(memory_format=self.policy.memory_format)


def fit(
    network: nn.Module,
    split: Split,
    pixels: Pixels,
    *,
    epochs: int,
    rate: float,
    seed: int,
    on_epoch: Callable[[int], None],
) -> Curve:
    """Train a network by gradient descent with Nesterov momentum 0.9, the rate rising and then falling to 0.

    Args:
        network: on the policy's device; trained in place.
        split: the training images.
        pixels: how they become what the network takes.
        epochs: how often each is seen, at least 1.
        rate: the highest learning rate.
        seed: derives their order, and what dropout draws.
        on_epoch: is given the number of epochs that are done.

    Returns:
        The curve.
    """
    policy = pixels.policy
    batches = Batches(
        split,
        batch=BATCH,
        device=policy.device,
        seed=seed,
        augmentation=Augmentation(flip=False, shift=0),
    )
    network.to(memory_format=policy.memory_format)  # type: ignore[call-overload]
    network.train()
    optimizer = uncompiled(torch.optim.SGD)(
        network.parameters(), lr=rate, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    seed_generators(derive(seed, "steps"), policy.device)
    errors: list[float] = []
    losses: list[float] = []
    for epoch in range(epochs):
        wrong = total = 0.0
        for step, (images, labels) in enumerate(batches.epoch(epoch)):
            share = (epoch * batches.steps + step + 0.5) / (epochs * batches.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * rate_factor(share, schedule="one-cycle", warmup=WARMUP)
            with policy.autocast():
                logits = network(pixels(images)).float()
            loss = F.cross_entropy(logits, labels)
            if not math.isfinite(value := loss.item()):
                return Curve(tuple(errors), tuple(losses), diverged=True)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            wrong += int((logits.detach().argmax(dim=1) != labels).sum())
            total += value * len(labels)
        seen = batches.steps * batches.batch
        errors.append(wrong / seen)
        losses.append(total / seen)
        on_epoch(epoch + 1)
    return Curve(tuple(errors), tuple(losses), diverged=False)


def error_on(network: nn.Module, split: Split, pixels: Pixels) -> float:
    """Measure the share of images that a network classifies wrongly, in evaluation mode.

    Args:
        network: trained; it is in evaluation mode afterwards.
        split: images and labels.
        pixels: how they become what the network takes.

    Returns:
        The share, in [0, 1].
    """
    network.eval()
    wrong = 0
    with torch.no_grad():
        for start in range(0, len(split), MEASURED_AT_ONCE):
            images = as_tensor(split.images[start : start + MEASURED_AT_ONCE])
            labels = torch.as_tensor(split.labels[start : start + MEASURED_AT_ONCE])
            with pixels.policy.autocast():
                predicted = network(pixels(images)).argmax(dim=1)
            wrong += int((predicted.cpu() != labels).sum())
    return wrong / len(split)


def drawn(split: Split, count: int, seed: int) -> Split:
    """Draw images of a split by seed, without putting back.

    Args:
        split: what is drawn from.
        count: how many; all, where there are fewer.
        seed: what the choice follows from.

    Returns:
        The images drawn, in a random order.
    """
    order = np.random.default_rng(seed).permutation(len(split))[:count]
    return Split(np.ascontiguousarray(split.images[order]), split.labels[order])
