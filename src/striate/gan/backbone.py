"""What a discriminator learnt, as a file that trainings of classifiers can start from."""

from __future__ import annotations

import copy
from pathlib import Path

from torch import Tensor, nn
from torch.nn.utils import parametrize

from striate.classifier import BackboneHeader, Preprocessing
from striate.core.errors import RunError
from striate.core.tensors import save_tensors
from striate.models import Discriminator

_PARAMETRIZED = "parametrizations"  # where torch keeps what a weight is made of


def write_backbone(discriminator: Discriminator, path: Path | str) -> None:
    """Write the trunk of a discriminator to a safetensors file, atomically, its spectral norms folded in.

    ``striate train DATA --pretrained FILE``, or the directory of the run, starts from it: its header names
    the network of the catalogue that it is, and the images that it takes, which are ``(x - 0.5) / 0.5`` of
    those in [0, 1].

    Args:
        discriminator: on any device and in any mode; it is not changed.
        path: the file to be made or replaced.

    Raises:
        RunError: where the file cannot be written; what was there is then untouched.

    >>> import tempfile
    >>> from striate.classifier import find_pretrained
    >>> from striate.models import dcgan_discriminator
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_backbone(dcgan_discriminator(width=16), Path(folder, "backbone.safetensors"))
    ...     found = find_pretrained(folder)
    >>> found.model, found.layers, found.size, found.mean
    ('dcgan-trunk', 'width16', (28, 28), (0.5,))
    """
    halves = (0.5,) * discriminator.channels
    header = BackboneHeader(
        model=discriminator.model,
        layers=discriminator.layers,
        preprocessing=Preprocessing(
            size=(discriminator.size, discriminator.size),
            channels=discriminator.channels,
            mean=halves,
            std=halves,
            fill=(0,) * discriminator.channels,
        ),
    )
    try:
        save_tensors(path, backbone_tensors(discriminator), header.to_metadata())
    except OSError as error:
        raise RunError(f"cannot write the backbone {path}: {error.strerror or error}") from error


def backbone_tensors(discriminator: Discriminator) -> dict[str, Tensor]:
    """Give the tensors of a discriminator's trunk as they are in evaluation, by the names of a plain network.

    Args:
        discriminator: on any device and in any mode; it is not changed.

    Returns:
        The tensors by name, where the discriminator is: weights with a spectral norm divided by it.
    """
    trunk = copy.deepcopy(discriminator.trunk).eval()  # in which power iteration stands still
    tensors = {
        name: each for name, each in trunk.state_dict().items() if _PARAMETRIZED not in name.split(".")
    }
    # To remove a norm from a copy would break the module itself, with which the copy shares its class.
    for prefix, module in trunk.named_modules():
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            for name in module.parametrizations:
                tensors[f"{prefix}.{name}"] = getattr(module, name).detach()
    return {f"trunk.{name}": tensor for name, tensor in tensors.items()}
