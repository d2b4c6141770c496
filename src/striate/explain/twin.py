"""The untrained twin of a network: what its architecture does without having learned anything."""

from __future__ import annotations

import copy
from itertools import chain

import torch
from torch import Generator, nn

from striate.core.errors import LayerError
from striate.core.seeds import derive
from striate.engine.randomness import borrowed_generators, seed_generators
from striate.explain.layers import unwrapped


def untrained_twin(network: nn.Module, *, generator: Generator | None = None) -> nn.Module:
    """Copy a network with weights as before any training, to compare with what chance and architecture give.

    Modules draw their parameters and running figures as when they are made, by their own
    ``reset_parameters``; parameters of others become normal numbers of their own root mean square.

    Args:
        network: any module; it is left as it was.
        generator: of the weights; by default the same each time.

    Returns:
        The copy.

    Raises:
        LayerError: where it cannot be copied.

    >>> layer = nn.Conv2d(1, 2, 3)
    >>> bool((untrained_twin(layer).weight != layer.weight).all())
    True
    """
    if generator is None:
        generator = Generator().manual_seed(derive(0, "twin"))
    try:
        twin = copy.deepcopy(unwrapped(network))
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise LayerError(f"the network cannot be copied, so it has no twin: {reason}") from error
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    device = str(next(chain(twin.parameters(), twin.buffers()), torch.empty(0)).device)
    with torch.no_grad(), borrowed_generators(device):
        seed_generators(seed, device)
        for module in twin.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                if parameter.is_floating_point():
                    parameter.normal_(std=parameter.float().square().mean().sqrt().item())
    return twin
