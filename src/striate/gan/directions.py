"""Directions in the latent space along which a layer's output varies most (GANSpace), and what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.layers import called, find_layer
from striate.gan.latent import AT_ONCE, cycled_labels, device_of, draw_latents, images_of
from striate.geometry.functions import first_tensor
from striate.models.adversarial import Generator

SAMPLES = 2048
"""Latents from which directions are learnt where the layer is not linear in them."""

EFFECTS = 64
"""Latents that are moved to measure what a direction does to images."""

_CHECKED = 16
_LINEAR = 0.01  # of the spread of a layer's outputs: so far a linear one may miss, computed roughly


@dataclass(frozen=True, kw_only=True, eq=False)
class Directions:
    """The directions of a generator's latent space, that of the largest variance first.

    Args:
        latents: count x latent_size; one row moves a latent by one standard deviation of its component.
        shares: (count), of the variance of the layer's output.
        effects: (count), root mean square change of pixels in [0, 1] by one standard deviation.
        chance: (count), the same of random directions of the same length.
        layer: whose output was taken apart.
        exact: whether the layer is linear in the latents, so that nothing had to be sampled.
        label: the class whose images were made; ``None`` for a generator without classes.
    """

    latents: Tensor
    shares: Tensor
    effects: Tensor
    chance: Tensor
    layer: str
    exact: bool
    label: int | None

    def to_dict(self) -> dict[str, Any]:
        """Give the figures by name, ready for JSON.

        Returns:
            A dictionary of plain values.
        """
        return {
            "layer": self.layer,
            "exact": self.exact,
            "label": self.label,
            "shares": self.shares.tolist(),
            "effects": self.effects.tolist(),
            "chance": self.chance.tolist(),
        }


def find_directions(
    network: Generator,
    *,
    count: int = 8,
    layer: str | None = None,
    label: int | None = None,
    seed: int = 0,
) -> Directions:
    """Find the directions along which the output of a layer varies most, by its principal components.

    With the layer's output ``y`` for latents ``z``, its principal components ``x`` and their standard
    deviations ``s``, a direction is what ``x / s`` says of ``z`` by least squares. Where the layer is linear,
    as the first one of most generators is, ``y = z A + b``, it is a left singular vector of ``A``, exactly.

    Args:
        network: is left as it was, and computes in evaluation mode.
        count: of directions, from 1 to latent_size.
        layer: a name as in ``named_modules()``; ``None``: the first layer whose output depends on the latent.
        label: the class to make images of, for a conditional generator; ``None``: 0.
        seed: of the latents that are drawn.

    Returns:
        The directions and what they do to images.

    Raises:
        LayerError: for an unknown layer or one whose output does not depend on the latents, a count out of
            range, or a class that the generator does not know.

    Source: Härkönen et al., GANSpace: discovering interpretable GAN controls (2020), section 2.2; for linear
    layers Shen and Zhou, Closed-form factorization of latent semantics in GANs (2021).
    """
    if not 1 <= count <= network.latent_size:
        raise LayerError(
            f"{count} directions cannot be found; 1 to {network.latent_size}, the size of a latent, can"
        )
    only = 0 if label is None and network.classes is not None else label
    if only is not None and not 0 <= only < (network.classes or 0):
        raise LayerError(f"this generator makes images of {network.classes or 0} classes, and not of {only}")
    name = first_layer(network, only) if layer is None else layer
    work = _Layer(network, name, only)
    matrix = work.matrix(seed)
    if matrix is None:
        found, shares = _sampled(work, count, seed)
    else:
        left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
        squares = values.square()
        found, shares = left[:, :count].T, squares[:count] / squares.sum()
    if len(found) < count:
        raise LayerError(
            f"{count} directions cannot be found: layer '{name}' gives {len(found)} numbers for each latent"
        )
    signs = found.gather(1, found.abs().argmax(dim=1, keepdim=True)).sign()
    latents = (found * torch.where(signs == 0, 1.0, signs)).float()
    effects, chance = _effects(network, latents, only, seed)
    return Directions(
        latents=latents,
        shares=shares.float(),
        effects=effects,
        chance=chance,
        layer=name,
        exact=matrix is not None,
        label=only,
    )


def first_layer(network: Generator, label: int | None = None) -> str:
    """Name the first layer without parts whose output depends on the latent.

    Args:
        network: is left as it was.
        label: the class of the latents that are tried, for a conditional generator.

    Returns:
        Its path, as in ``named_modules()``.

    Raises:
        LayerError: where there is none.
    """
    leaves = {path: module for path, module in network.named_modules() if path and not _parts(module)}
    found: list[str] = []

    def tell(name: str, given: Any, output: Any) -> None:
        del given
        tensor = first_tensor(output)
        if tensor is None or not tensor.is_floating_point() or len(tensor) != 2:
            return
        if not torch.equal(tensor[0], tensor[1]):
            found.append(name)

    latents = draw_latents(2, network.latent_size).to(device_of(network))
    labels = cycled_labels(2, network.classes, label)
    with borrowed(network), torch.no_grad(), called(leaves, tell):
        _pass(network, latents, labels)
    if not found:
        raise LayerError("no layer of this generator gives another output for another latent")
    return found[0]


class _Layer:
    """What a layer gives for latents."""

    def __init__(self, network: Generator, name: str, label: int | None) -> None:
        self.latent_size = network.latent_size
        self._network, self._name, self._label = network, name, label
        self._module = {name: find_layer(network, name)}

    def outputs(self, latents: Tensor) -> Tensor:
        """Give the layer's outputs, N x F in float64 on the CPU."""
        device = device_of(self._network)
        parts: list[Tensor] = []

        def tell(name: str, given: Any, output: Any) -> None:
            del given
            tensor = first_tensor(output)
            if name == self._name and tensor is not None:
                parts.append(tensor.detach().double().cpu().reshape(len(tensor), -1))

        with borrowed(self._network), torch.no_grad():
            for some in torch.split(latents.float(), AT_ONCE):
                labels = cycled_labels(len(some), self._network.classes, self._label)
                with called(self._module, tell):
                    _pass(self._network, some.to(device), labels)
        if sum(map(len, parts)) != len(latents):
            raise LayerError(f"layer '{self._name}' does not give one output for each latent")
        return torch.cat(parts)

    def matrix(self, seed: int) -> Tensor | None:
        """Give the matrix of a layer that is linear in the latents, latent_size x F; ``None`` for another."""
        size = self.latent_size
        drawn = draw_latents(_CHECKED, size, seed=derive(seed, "linear"))
        outputs = self.outputs(torch.cat([torch.zeros(1, size), torch.eye(size), drawn]))
        origin, units, wanted = outputs[:1], outputs[1 : size + 1], outputs[size + 1 :]
        spread = (wanted - origin).square().mean().sqrt()
        if not spread > 0:
            raise LayerError(
                f"the output of layer '{self._name}' does not depend on the latent; layers behind it may"
            )
        matrix = units - origin
        missed = (origin + drawn.double() @ matrix - wanted).abs().max()
        return matrix if missed <= _LINEAR * spread else None


def _sampled(work: _Layer, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Learn directions from samples: count x latent_size, and the shares of the variance."""
    latents = draw_latents(SAMPLES, work.latent_size, seed=derive(seed, "directions"))
    outputs = work.outputs(latents)
    outputs = outputs - outputs.mean(dim=0)
    centred = latents.double() - latents.double().mean(dim=0)
    if outputs.shape[1] < SAMPLES:
        squares, vectors = torch.linalg.eigh(outputs.T @ outputs)
        scores = outputs @ vectors.flip(1)[:, :count]
        scores = scores / scores.norm(dim=0).clamp(min=1e-300)
    else:
        squares, vectors = torch.linalg.eigh(outputs @ outputs.T)
        scores = vectors.flip(1)[:, :count]
    # Of orthogonal scores of length 1, least squares are products; a deviation of one is 1/root(N) long.
    found = scores.T @ centred / SAMPLES**0.5
    shares = squares.flip(0)[:count].clamp(min=0) / squares.clamp(min=0).sum()
    return found, shares


def _effects(network: Generator, latents: Tensor, label: int | None, seed: int) -> tuple[Tensor, Tensor]:
    """Measure how much images change along directions, and along random ones that are as long."""
    base = draw_latents(EFFECTS, network.latent_size, seed=derive(seed, "effects"))
    random = draw_latents(EFFECTS, network.latent_size, seed=derive(seed, "random directions"))
    random = random / random.norm(dim=1, keepdim=True)
    labels = cycled_labels(EFFECTS, network.classes, label)

    def change(moves: Tensor) -> Tensor:
        there, back = (images_of(network, base + sign * moves, labels) for sign in (1, -1))
        return ((there - back) / 2).square().mean().sqrt()

    effects = torch.stack([change(each) for each in latents])
    # A change is all but proportional to so short a move, so that one length of random ones is enough.
    chance = change(random) * latents.norm(dim=1)
    return effects, chance


def _pass(network: Generator, latents: Tensor, labels: Tensor | None) -> None:
    if labels is None:
        network(latents)
    else:
        network(latents, labels.to(latents.device))


def _parts(module: nn.Module) -> bool:
    return next(module.children(), None) is not None
