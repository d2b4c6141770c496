"""The families of adversarial networks that can be named, and how their networks are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from striate.core.errors import RecipeError, unknown_name
from striate.models.adversarial import Discriminator, Generator
from striate.models.adversarial_maps import SIZES
from striate.models.dcgan import dcgan_discriminator, dcgan_generator
from striate.models.dense_gan import dense_discriminator, dense_generator
from striate.models.r3gan import r3gan_discriminator, r3gan_generator
from striate.models.residual_gan import residual_discriminator, residual_generator


@dataclass(frozen=True, kw_only=True)
class GanFamily:
    """A family of adversarial networks.

    Args:
        name: on the command line and in recipes.
        generator: builds one from ``size``, ``channels``, ``latent_size``, ``classes`` and ``width``.
        discriminator: builds one from the same, but for the latents.
        sizes: height and width in pixels of the images that it can make, in order.
    """

    name: str
    generator: Callable[..., Generator]
    discriminator: Callable[..., Discriminator]
    sizes: tuple[int, ...]


GAN_FAMILIES: dict[str, GanFamily] = {
    "dense": GanFamily(
        name="dense",
        generator=dense_generator,
        discriminator=dense_discriminator,
        sizes=tuple(range(1, 129)),
    ),
    "dcgan": GanFamily(
        name="dcgan", generator=dcgan_generator, discriminator=dcgan_discriminator, sizes=SIZES
    ),
    "residual": GanFamily(
        name="residual", generator=residual_generator, discriminator=residual_discriminator, sizes=SIZES
    ),
    "r3gan": GanFamily(
        name="r3gan", generator=r3gan_generator, discriminator=r3gan_discriminator, sizes=SIZES
    ),
}
"""Name on the command line and in recipes -> family."""


def find_family(name: str) -> GanFamily:
    """Find a family by its name.

    Args:
        name: a key of `GAN_FAMILIES`.

    Returns:
        The family.

    Raises:
        RecipeError: for an unknown name, naming the nearest.

    >>> find_family("r3gan").sizes[:3]
    (8, 10, 12)
    """
    if name not in GAN_FAMILIES:
        raise RecipeError(unknown_name("family of networks", name, GAN_FAMILIES))
    return GAN_FAMILIES[name]


def check_size(family: str, size: int) -> None:
    """Refuse a size that a family can not make.

    Args:
        family: a key of `GAN_FAMILIES`.
        size: height and width of the images in pixels.

    Raises:
        RecipeError: naming the sizes that it can make, or an unknown family.

    >>> check_size("dcgan", 28)
    >>> check_size("dense", 200)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    striate.core.errors.RecipeError: the family 'dense' makes no images of 200x200 pixels; ... 1 to 128
    """
    sizes = find_family(family).sizes
    if size not in sizes:
        every = sizes == tuple(range(sizes[0], sizes[-1] + 1))
        said = f"{sizes[0]} to {sizes[-1]}" if every else ", ".join(map(str, sizes))
        raise RecipeError(
            f"the family '{family}' makes no images of {size}x{size} pixels; it makes sizes {said}"
        )


def build_generator(family: str, *, size: int, **settings: Any) -> Generator:
    """Build the generator of a family.

    Args:
        family: a key of `GAN_FAMILIES`.
        size: height and width of its images in pixels.
        settings: ``channels``, ``latent_size``, ``classes`` and ``width``; what is ``None`` or absent is as
            the family has it.

    Returns:
        The generator, its weights drawn from torch's global generator.

    Raises:
        RecipeError: for an unknown family, or a size that it cannot make.
        LayerError: where a setting is no whole number from 1 on.

    >>> build_generator("dcgan", size=32, channels=3, width=16).channels
    3
    """
    check_size(family, size)
    return GAN_FAMILIES[family].generator(size=size, **_given(settings))


def build_discriminator(family: str, *, size: int, **settings: Any) -> Discriminator:
    """Build the discriminator of a family.

    Args:
        family: a key of `GAN_FAMILIES`.
        size: height and width of its images in pixels.
        settings: ``channels``, ``classes`` and ``width``; what is ``None`` or absent is as the family has it.

    Returns:
        The discriminator, its weights drawn from torch's global generator.

    Raises:
        RecipeError: for an unknown family, or a size that its generator cannot make.
        LayerError: where a setting is no whole number from 1 on.

    >>> build_discriminator("r3gan", size=28, classes=10, width=16).model
    'r3gan-trunk'
    """
    check_size(family, size)
    return GAN_FAMILIES[family].discriminator(size=size, **_given(settings))


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
