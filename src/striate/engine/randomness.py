"""The global random generators of a device: borrowed for a while, seeded, and given back as they were."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch


def borrowed_generators(device: str) -> AbstractContextManager[None]:
    """Give the context after which the generators of the CPU and of a CUDA device are as before.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        A context manager.
    """
    return torch.random.fork_rng([device] if device.startswith("cuda") else [])


def seed_generators(seed: int, device: str) -> None:
    """Seed the generators of the CPU and of one device, and no others.

    Args:
        seed: in [0, 2**63).
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    >>> seed_generators(3, "cpu")
    >>> first = torch.rand(1)
    >>> seed_generators(3, "cpu")
    >>> bool(first == torch.rand(1))
    True
    """
    torch.default_generator.manual_seed(seed)
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device == "mps":
        torch.mps.manual_seed(seed)
