"""What training has made of networks and optimisers, as named tensors: taken for a checkpoint, put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import RunError
from striate.core.version import VERSION
from striate.engine.world import World


def computed_by(world: World) -> dict[str, str | int]:
    """Give what the bits of a result depend on besides the recipe and the data.

    Args:
        world: the processes that train together.

    Returns:
        Versions and the numbers of threads and processes.
    """
    return {
        "striate": VERSION,
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "processes": world.size,
    }


def learned(
    networks: Mapping[str, nn.Module], optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Give all tensors that training has made what they are, themselves and not copies.

    Args:
        networks: by name, each with its parameters and buffers.
        optimizers: with their momenta.

    Returns:
        The tensors by name: ``NETWORK.TENSOR`` and ``optimizer.NUMBER.PARAMETER.KEY``.

    >>> list(learned({"network": nn.Linear(2, 1)}, []))
    ['network.weight', 'network.bias']
    """
    tensors = {
        f"{prefix}.{name}": tensor
        for prefix, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    for number, optimizer in enumerate(optimizers):
        for index, parameter in enumerate(_parameters(optimizer)):
            for key, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{index}.{key}"] = value
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    *,
    networks: Mapping[str, nn.Module],
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Put tensors back where `learned` took them from.

    Args:
        tensors: by the names that `learned` gave.
        networks: built as they were, by the same names.
        optimizers: made as they were, in the same order.

    Raises:
        RunError: where the tensors are not those of these networks.
    """
    for prefix, network in networks.items():
        try:
            network.load_state_dict(_under(f"{prefix}.", tensors))
        except RuntimeError as error:
            raise RunError(f"the checkpoint is of another network: {error}") from error
    for number, optimizer in enumerate(optimizers):
        for index, parameter in enumerate(_parameters(optimizer)):
            found = _under(f"optimizer.{number}.{index}.", tensors)
            if found:
                # Adam counts its steps in a tensor that stays on the CPU, unless its steps are fused.
                moved = optimizer.defaults.get("fused")
                optimizer.state[parameter] = {
                    key: value if value.ndim == 0 and not moved else value.to(parameter.device)
                    for key, value in found.items()
                }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
