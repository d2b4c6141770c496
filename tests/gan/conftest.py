"""A generator whose images are linear in its latents, so that all about it can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.models.adversarial import Generator


class LinearGenerator(Generator):
    """Images ``z A``, with orthogonal rows of ``A``, as long as the strengths; a class adds an image."""

    def __init__(self, strengths: tuple[float, ...], *, size: int = 6, classes: int | None = None) -> None:
        count = len(strengths)
        super().__init__(nn.Identity(), features=1, latent_size=count, size=size, channels=1, classes=classes)
        draws = torch.Generator().manual_seed(1)
        rows = torch.linalg.qr(torch.randn(size * size, count, generator=draws))[0].T
        self.first = nn.Linear(count, size * size, bias=False)
        self.first.weight = nn.Parameter((rows * torch.tensor(strengths)[:, None]).T.contiguous())
        self.tones = nn.Parameter(torch.linspace(-0.4, 0.4, classes or 1)[:, None])

    @property
    def matrix(self) -> Tensor:
        """``A``, latent_size x pixels; of images in [0, 1] it is half of that."""
        return self.first.weight.detach().T

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        images = self.first(latents)
        if labels is not None:
            images = images + self.tones[labels]
        return images.unflatten(1, (1, self.size, self.size))


@pytest.fixture(scope="session")
def linear_generator() -> Callable[..., LinearGenerator]:
    """Make a generator of given strengths."""
    return LinearGenerator
