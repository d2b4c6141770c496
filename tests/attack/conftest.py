"""A small network that has learned digits, for attacks to be compared on."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.data import open_dataset


class Learned(NamedTuple):
    network: nn.Module
    images: Tensor
    labels: Tensor


def _pixels(part) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.images.copy()).float() / 255, torch.from_numpy(part.labels.copy()).long()


@pytest.fixture(scope="session")
def digits() -> Learned:
    """A network that knows 8 x 8 digits, with 200 images that it has not seen."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 9, 10),
    )
    data = open_dataset("digits")
    images, labels = _pixels(data.train)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(100):
        rows = torch.arange(step * 128, step * 128 + 128) % len(images)
        optimiser.zero_grad()
        F.cross_entropy(network(images[rows]), labels[rows]).backward()
        optimiser.step()
    for parameter in network.parameters():
        parameter.grad = None
    seen, known = _pixels(data.test if data.test is not None else data.validation)
    return Learned(network.eval(), seen[:200], known[:200])
