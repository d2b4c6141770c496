"""Networks of the library timm, and by it of the Hugging Face hub: by name, with the extra ``hub``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from torch import Tensor, nn

from striate.core.errors import ModelFileError, RecipeError

PREFIX = "timm:"
"""What the names of timm's begin with, such as ``timm:convnext_atto`` or ``timm:hf-hub:USER/NAME``."""


def is_of_hub(name: str) -> bool:
    """Say whether a name is one of timm's.

    Args:
        name: of a network.

    Returns:
        Whether it begins with `PREFIX`.

    >>> is_of_hub("timm:convnext_atto"), is_of_hub("resnet18")
    (True, False)
    """
    return name.startswith(PREFIX)


def hub_network(name: str, *, classes: int, channels: int) -> nn.Module:
    """Build a network of timm, its weights drawn by chance.

    Args:
        name: with `PREFIX`.
        classes: number of outputs.
        channels: channels of the images.

    Returns:
        The network.

    Raises:
        RecipeError: where timm is not there, or has no such network.
    """
    try:
        network: nn.Module = _timm(name).create_model(
            name.removeprefix(PREFIX), pretrained=False, num_classes=classes, in_chans=channels
        )
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        raise RecipeError(f"timm cannot build '{name.removeprefix(PREFIX)}': {_sentence(error)}") from error
    return network


def hub_images(name: str) -> tuple[tuple[int, int, int], tuple[float, ...], tuple[float, ...]]:
    """Give what images the published weights of a network of timm were trained on.

    Args:
        name: with `PREFIX`.

    Returns:
        Channels, height and width; the mean and the standard deviation per channel, of images in [0, 1].

    Raises:
        RecipeError: where timm is not there, or has no such network.
    """
    try:
        found: Any = _timm(name).create_model(name.removeprefix(PREFIX), pretrained=False).pretrained_cfg
        channels, height, width = found["input_size"]
        return (channels, height, width), tuple(found["mean"]), tuple(found["std"])
    except (RuntimeError, ValueError, OSError, LookupError, TypeError) as error:
        raise RecipeError(f"timm has no '{name.removeprefix(PREFIX)}': {_sentence(error)}") from error


def hub_weights(name: str) -> dict[str, Tensor]:
    """Fetch the published weights of a network of timm, which keeps them in its own cache.

    Args:
        name: with `PREFIX`.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        RecipeError: where timm is not there.
        ModelFileError: where they cannot be fetched, saying what works without.
    """
    plain = name.removeprefix(PREFIX)
    try:
        network: nn.Module = _timm(name).create_model(plain, pretrained=True)
    except (RuntimeError, ValueError, OSError, LookupError) as error:
        raise ModelFileError(
            f"the weights of {name} cannot be fetched ({_sentence(error)}); put their model.safetensors "
            f"anywhere and name that file by pretrained and {name} by model"
        ) from error
    return dict(network.state_dict())


def _timm(name: str) -> ModuleType:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision, which it imports, may be there and broken
        raise RecipeError(
            f"{name} needs the library timm ({_sentence(error)}); pip install 'striate[hub]' brings it"
        ) from error
    module: ModuleType = timm
    return module


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
