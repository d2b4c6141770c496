"""Latents: drawn, truncated, picked and checked; and the images that a generator gives for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.models.adversarial import Generator, check_labels

AT_ONCE = 256
"""So many latents pass through a generator at once."""

_BLOCK = 16  # rows: torch draws numbers in blocks of 16, and what is left over in another way


def draw_latents(count: int, latent_size: int, *, seed: int = 0, truncation: float | None = None) -> Tensor:
    """Draw standard normal latents: however many are drawn, the first ones are the same.

    Args:
        count: how many, from 1.
        latent_size: numbers of each, from 1.
        seed: the same seed gives the same latents.
        truncation: where the normal is cut off, as `truncated` does; ``None``: nowhere.

    Returns:
        float32, count x latent_size, on the CPU.

    Raises:
        LayerError: where there is none to draw, or a truncation is not over 0.

    >>> torch.equal(draw_latents(3, 5), draw_latents(70, 5)[:3])
    True
    """
    if count < 1 or latent_size < 1:
        raise LayerError(f"{count} latents of {latent_size} numbers cannot be drawn; 1 of 1 and more can")
    generator = torch.Generator().manual_seed(derive(seed, "latents"))
    rows = -(-count // _BLOCK) * _BLOCK
    latents = torch.randn(rows, latent_size, generator=generator)[:count]
    return latents if truncation is None else truncated(latents, truncation)


def truncated(latents: Tensor, threshold: float) -> Tensor:
    """Move standard normal numbers to the normal that is cut off at a threshold: less odd, and less varied.

    With the normal distribution function ``F``, a number ``z`` becomes
    ``F^-1(F(-t) + F(z) (F(t) - F(-t)))``: exactly what drawing again until ``|z| <= t`` gives, and the same
    latent moves little where the threshold does.

    Args:
        latents: standard normal numbers of any shape.
        threshold: ``t``, over 0; 2 cuts off 5 % of the numbers, 0.5 62 %.

    Returns:
        Of the same shape and type, in [-t, t].

    Raises:
        LayerError: where the threshold is not over 0.

    Source: Brock, Donahue and Simonyan, Large scale GAN training for high fidelity natural image synthesis
    (2019), section 3.1, who draw again in place of the distribution function.

    >>> truncated(torch.tensor([-9.0, 0.0, 9.0]), 0.5).tolist()
    [-0.5, 0.0, 0.5]
    """
    if not threshold > 0:
        raise LayerError(f"a truncation at {threshold:g} leaves no latent; any over 0 does, such as 0.7")
    # The lower half, where the distribution function is exact; the upper one is its mirror image.
    lower = -latents.double().abs()
    least = torch.special.ndtr(torch.tensor(-float(threshold), dtype=torch.float64))
    moved = torch.special.ndtri(least + torch.special.ndtr(lower) * (1 - 2 * least))
    moved = torch.maximum(moved, lower.clamp(min=-threshold))  # where it is all but nothing, rounding is not
    moved = (-moved * latents.sign()).clamp(-threshold, threshold) + 0.0  # no zero with a sign
    return moved.to(latents.dtype)


def rendered(network: Generator, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    """Compute the images of latents, with derivatives where these are enabled.

    Args:
        network: in the mode in which it is to compute.
        latents: N x latent_size, where the network is.
        labels: (N) int64, for a conditional network.

    Returns:
        N x C x S x S, float32 in [0, 1].

    Raises:
        ShapeError: where the latents are of a wrong length, or the labels of another number.
        LayerError: where a conditional network gets no labels, another one gets some, or one is no class.
    """
    images: Tensor = network(latents) if labels is None else network(latents, labels)
    return (images.float() + 1) / 2


def images_of(network: Generator, latents: Tensor, labels: Tensor | None = None) -> Tensor:
    """Compute the images of latents in evaluation mode, in parts, without derivatives.

    Args:
        network: is left as it was.
        latents: N x latent_size, anywhere.
        labels: (N) int64, for a conditional network.

    Returns:
        N x C x S x S, float32 in [0, 1], on the CPU.

    Raises:
        ShapeError: as `rendered`.
        LayerError: as `rendered`.
    """
    check_latents(latents, network.latent_size)
    check_labels(labels, classes=network.classes, count=len(latents), network="generator")
    device = device_of(network)
    parts = []
    with borrowed(network), torch.no_grad():
        for start in range(0, len(latents), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            own = None if labels is None else labels[some].to(device)
            parts.append(rendered(network, latents[some].to(device), own).clamp(0, 1).cpu())
    return torch.cat(parts)


def device_of(network: torch.nn.Module) -> torch.device:
    """Give where a network's weights are.

    Args:
        network: any module.

    Returns:
        The device; the CPU for a network without weights.
    """
    return next((each.device for each in network.parameters()), torch.device("cpu"))


def check_latents(latents: Tensor, latent_size: int) -> None:
    """Refuse latents that a generator does not take.

    Args:
        latents: to be checked.
        latent_size: numbers of each that it takes.

    Raises:
        ShapeError: where they are not N x latent_size.
        LayerError: where they are no finite floating-point numbers.

    >>> check_latents(torch.zeros(2, 64), 64)
    """
    if latents.ndim != 2 or not len(latents):
        raise ShapeError(f"latents have the shape {tuple(latents.shape)}, where N x {latent_size} is wanted")
    if latents.shape[1] != latent_size:
        raise ShapeError(
            f"a latent has {latents.shape[1]} numbers, where this generator takes {latent_size}; latents of "
            "another generator are not its own"
        )
    if not latents.is_floating_point() or not bool(torch.isfinite(latents).all()):
        raise LayerError("latents are finite floating-point numbers, and some of these are not")


def cycled_labels(count: int, classes: int | None, only: int | None = None) -> Tensor | None:
    """Give each of some latents a class: one for all, or each class in turn.

    Args:
        count: of latents.
        classes: that the generator knows; ``None``: it takes no labels.
        only: the class of all; ``None``: 0, 1, 2 and so on, over and over.

    Returns:
        (count) int64; ``None`` for a generator without classes.

    Raises:
        LayerError: where a class is named for a generator without.

    >>> cycled_labels(4, 3).tolist(), cycled_labels(2, 3, 1).tolist(), cycled_labels(2, None)
    ([0, 1, 2, 0], [1, 1], None)
    """
    if classes is None:
        if only is not None:
            raise LayerError("this generator was trained without classes, and cannot be told which to make")
        return None
    return torch.arange(count) % classes if only is None else torch.full((count,), only)


def chosen(latents: Tensor, rows: Sequence[int]) -> Tensor:
    """Pick latents by their numbers.

    Args:
        latents: N x D.
        rows: numbers from 0.

    Returns:
        A latent for each row.

    Raises:
        LayerError: where there is none of a number.

    >>> chosen(torch.tensor([[5.0], [6.0]]), [1, 1]).tolist()
    [[6.0], [6.0]]
    """
    missing = [row for row in rows if not 0 <= row < len(latents)]
    if missing:
        raise LayerError(f"there is no latent {missing[0]}: these are numbered from 0 to {len(latents) - 1}")
    return latents[list(rows)]
