"""Random mixtures of two images and their labels: mixup and CutMix.

Each image of a batch is mixed with the next one, the last with the first: batches come in random order, so
that this is as random as any pairing, and a process that has a share of the batch needs one image more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from striate.data.boxes import box_of
from striate.data.changes import Change, on_rows
from striate.nn import paste


@dataclass(frozen=True)
class Mixing(Change):
    """A mixture of two images; what is kept of the first is drawn from Beta(s, s)."""

    limit: ClassVar[float] = 16.0

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw how each image is mixed.

        Args:
            count: images in the whole batch.
            generator: the source of randomness, on the CPU.

        Returns:
            count x 3, float64: the share that is kept, 1 where nothing is mixed; and a place, in [0, 1].
        """
        # torch draws from the Beta distribution by the global generator only.
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        kept = random.beta(self.strength, self.strength, count)
        mixed = random.random(count) < self.share
        columns = [np.where(mixed, kept, 1.0), random.random(count), random.random(count)]
        return torch.from_numpy(np.stack(columns, axis=1))

    def mix(self, images: Tensor, others: Tensor, drawn: Tensor) -> Tensor:
        """Mix images with others.

        Args:
            images: N x C x H x W, uint8 or floating-point; changed in place.
            others: of the same shape and type, elsewhere in memory.
            drawn: rows of what `draw` gave.

        Returns:
            N shares in [0, 1], on the CPU: how much of the labels is that of ``images``.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Mixup(Mixing):
    """Add two images, weighed by shares from Beta(s, s).

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, section 2.
    """

    strength: float = 0.2
    name: ClassVar[str] = "mixup"
    dims: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def mix(self, images: Tensor, others: Tensor, drawn: Tensor) -> Tensor:
        """Add others to images.

        Args:
            images: N x C x H x W, uint8 or floating-point; changed in place.
            others: of the same shape and type.
            drawn: rows of what `draw` gave.

        Returns:
            The N shares that are kept.
        """
        kept = drawn[:, 0]

        def add(some: Tensor, rows: Tensor) -> Tensor:
            weights = kept[rows].float().to(some.device).view(-1, *(1 for _ in some.shape[1:]))
            mixed = torch.lerp(others[rows.to(some.device)].float(), some.float(), weights)
            return mixed if some.is_floating_point() else mixed.round_()

        changed = on_rows(images, kept < 1, lambda some, rows: add(some, rows).to(images.dtype))
        if changed is not images:
            images.copy_(changed)
        return kept


@dataclass(frozen=True)
class CutMix(Mixing):
    """Put a rectangle of another image into an image: its area from Beta(s, s), its centre anywhere.

    Source: Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features,
        ICCV 2019, section 3.1.
    """

    strength: float = 1.0
    name: ClassVar[str] = "cutmix"

    def mix(self, images: Tensor, others: Tensor, drawn: Tensor) -> Tensor:
        """Put rectangles of others into images.

        Args:
            images: N x C x H x W, uint8 or floating-point; changed in place.
            others: of the same shape and type.
            drawn: rows of what `draw` gave.

        Returns:
            The N shares of the area that are kept: less is cut where a rectangle reaches over the border.
        """
        height, width = images.shape[2:]
        boxes = [
            box_of(centre, [(1 - kept) ** 0.5] * 2, (height, width)) if kept < 1 else None
            for kept, *centre in drawn.tolist()
        ]
        paste(images, others, boxes)
        cut = [0 if box is None else (box[1] - box[0]) * (box[3] - box[2]) for box in boxes]
        return 1 - torch.tensor(cut, dtype=torch.float64) / (height * width)
