"""The running average of a generator's weights, which makes better images than those of any one step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from striate.models.adversarial import Generator

RISE = 0.05
"""The half-life is at most this share of the images seen, so that untrained weights are soon forgotten."""


class AveragedGenerator:
    """Follows a generator: after each step, ``average <- keep average + (1 - keep) weights``.

    ``keep = 0.5^(batch / half-life)``. Running statistics of norms are averaged alike; counters are copied.

    Args:
        generator: what is followed; its average begins as a copy.
        half_life: images after which what was learnt before counts half, at least 0; 0: no average.

    Source: Karras et al., Analyzing and Improving the Image Quality of StyleGAN (2020), for a half-life in
    images and its rise.
    """

    def __init__(self, generator: Generator, *, half_life: float) -> None:
        self.network = copy.deepcopy(generator).eval().requires_grad_(False)
        self.half_life = half_life

    @torch.no_grad()
    def update(self, generator: Generator, *, batch: int, images_seen: int) -> None:
        """Take in the weights after a step.

        Args:
            generator: as it is now.
            batch: images of this step.
            images_seen: in all, this step's among them.
        """
        weight = 1 - self.kept(batch, images_seen)
        averages, values = _tensors(self.network), _tensors(generator)
        floating = [index for index, value in enumerate(values) if value.is_floating_point()]
        torch._foreach_lerp_(
            [averages[index] for index in floating], [values[index] for index in floating], weight
        )
        for average, value in zip(averages, values, strict=True):
            if not value.is_floating_point():
                average.copy_(value)

    def kept(self, batch: int, images_seen: int) -> float:
        """Give the share of the average that a step keeps.

        Args:
            batch: images of the step.
            images_seen: in all, this step's among them, at least ``batch``.

        Returns:
            In [0, 1).
        """
        half_life = min(self.half_life, RISE * images_seen)
        return 0.5 ** (batch / half_life) if half_life > 0 else 0.0


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
