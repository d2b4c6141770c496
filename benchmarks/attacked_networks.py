"""The networks that `attacks.py` attacks: small ones for Fashion-MNIST, trained against single steps.

Single steps from random points (Wong, Rice and Kolter 2020) at an L-infinity radius of 0.1 leave networks of
which some images fall early, and others stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from striate.core.tensors import load_tensors, save_tensors

EPS = 0.1
EPOCHS, BATCH, RATE = 6, 128, 2e-3


def small_network() -> nn.Sequential:
    """Make the network of Wong, Rice and Kolter (2020) for MNIST."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def pooled_network() -> nn.Sequential:
    """Make two blocks of a convolution, a batch norm and a pool, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 10),
    )


NETWORKS: dict[str, Callable[[], nn.Sequential]] = {"strided": small_network, "pooled": pooled_network}


def trained(images: Tensor, labels: Tensor, *, eps: float, kind: str = "strided", seed: int = 0) -> nn.Module:
    """Train against single steps of a radius, or plainly where that is 0."""
    torch.manual_seed(seed)
    network, generator = NETWORKS[kind](), Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    steps = EPOCHS * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images), generator=generator).split(BATCH):
            clean, own = images[rows], labels[rows]
            if eps:
                start = clean + eps * (2 * torch.rand(clean.shape, generator=generator) - 1)
                start = start.clamp(0, 1).requires_grad_()
                (slope,) = torch.autograd.grad(F.cross_entropy(network(start), own), start)
                moved = start.detach() + 1.25 * eps * slope.sign()
                clean = (clean + (moved - clean).clamp(-eps, eps)).clamp(0, 1)
            optimiser.zero_grad()
            F.cross_entropy(network(clean), own).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def remembered(folder: Path | None, kind: str, known: tuple[Tensor, Tensor]) -> nn.Module:
    """Read a network's weights, or train it and write them."""
    path = folder and folder / f"{kind}.safetensors"
    if path is not None and path.exists():
        network = NETWORKS[kind]()
        network.load_state_dict(load_tensors(path)[0])
        return network.eval()
    network = trained(*known, eps=EPS, kind=kind)
    if path is not None:
        save_tensors(path, network.state_dict(), {})
    return network
