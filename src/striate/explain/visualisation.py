"""Feature visualisation: the pictures that excite a channel or class most, by gradient ascent from noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.uncompiled import uncompiled
from striate.explain.concepts import Sliced, taken
from striate.explain.layers import check_images, last_spatial_layer, spatial_layers, unwrapped
from striate.explain.objectives import Objective, check_units, similarity
from striate.explain.visualised import Ascent, Visualisation
from striate.explain.waves import Palette, Waves, palette_of, plain_palette, wobbled
from striate.nn.inputs import by

NOISE_PICTURES = 64
"""How many pictures of noise an activation is compared with."""

_AT_ONCE, _VALUES_AT_ONCE = 64, 2**22
_LOUDNESS, _STEEP = (0.1, 0.3, 1.0), 0.03
_SAMPLE = 512
_WOBBLES = 14  # a picture is shifted by up to this part of its side: 2 pixels of 28, 16 of 224
_DEGREES, _ZOOM = 5.0, 0.05


def visualise(
    network: nn.Module,
    units: Sequence[int],
    *,
    layer: str | None = None,
    shape: tuple[int, int, int] | None = None,
    images: Sliced | None = None,
    ascent: Ascent | None = None,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> Visualisation:
    """Find pictures that excite channels of a layer, or classes, most: many units at once, in one batch.

    From faint noise, Adam climbs the activation of each unit, the mean over the places of its map. Three
    things keep the pictures from becoming noise that only this network answers to: they are sums of waves
    whose amplitudes are divided by their frequency (`striate.explain.waves.Waves`), their channels vary
    together as those of the given images do, and at each step the network sees them shifted by up to a
    fourteenth of their side, turned by up to 5 degrees and scaled by up to 5 %. Where several variants are
    wanted, what they have in common in the Gram matrices of the layer (for classes: of the last layer with
    maps) is made small. A unit that is all but flat at faint noise starts from louder noise.

    Whether it worked is said by figures: the activation reached, without shifts, beside the highest among 64
    pictures of noise, and among the given images.

    Args:
        network: any module that takes pixels in [0, 1]; it is left as it was, and computes in evaluation.
        units: numbers of the channels, or of the classes.
        layer: whose channels they are; ``None``: the units are the network's outputs.
        shape: C x H x W of the pictures; ``None``: that of the images.
        images: in [0, 1] or uint8, N x C x H x W, to compare with and to take the colours from.
        ascent: how to climb; ``None``: 256 steps, 1 picture a unit.
        generator: of all that is random; by default the same each time. On a CPU the same generator gives the
            same pictures, bit for bit.
        on_event: is given the progress.

    Returns:
        The pictures and their figures.

    Raises:
        LayerError: for an unknown layer, a channel or class out of range, pixels outside of [0, 1], and for a
            network that cannot take the pictures or has no derivative.
        ShapeError: where neither shape nor images are given, or they do not fit each other.

    Source: Olah, Mordvintsev and Schubert, Feature visualization (Distill, 2017). What differs: waves are
    scaled to unit variance, shifts are scaled to the size, and the activation counts by its logarithm, so
    that diversity weighs the same for every unit.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 10, 3))
    >>> found = visualise(network, [0, 2], layer="0", shape=(1, 12, 12), ascent=Ascent(steps=8))
    >>> found.pictures.shape
    torch.Size([2, 1, 1, 12, 12])
    """
    ascent = ascent or Ascent()
    if generator is None:
        generator = Generator().manual_seed(derive(0, "visualisation"))
    network = unwrapped(network)
    with borrowed_for_gradients(network):
        shape = _shape(shape, images)
        palette = plain_palette(shape[0]) if images is None else _palette(images)
        features = _features(network, layer, shape) if ascent.variants > 1 else None
        objective = Objective(network, layer=layer, features=features)
        waves = Waves(shape, palette, objective.device)
        noise = _noise(objective, waves, generator)
        units = check_units(units, noise.shape[1], layer)
        best = None if images is None else _best(objective, images, units, on_event)
        search = _Search(objective, waves, ascent, generator, noise.std(dim=0))
        found = [search.climb(group) for group in _groups(units, shape, ascent, on_event)]
    pictures, reached, alike = (torch.cat(each) for each in zip(*found, strict=True))
    return Visualisation(
        pictures=pictures,
        units=units,
        layer=layer,
        reached=reached,
        noise=noise[:, list(units)].amax(dim=0),
        best=None if best is None else best[0],
        best_images=None if best is None else best[1],
        similarity=alike if ascent.variants > 1 else None,
        images=0 if images is None else len(images),
    )


class _Search:
    """Climbs for groups of units."""

    def __init__(
        self, objective: Objective, waves: Waves, ascent: Ascent, generator: Generator, spread: Tensor
    ) -> None:
        self._objective, self._waves, self._ascent = objective, waves, ascent
        self._generator = generator
        self._spread = spread.clamp(min=1e-6).to(objective.device)

    def climb(self, group: _Group) -> tuple[Tensor, Tensor, Tensor]:
        """Give the group's pictures (units x variants x C x H x W), activations, and how alike they are."""
        variants, device = self._ascent.variants, self._objective.device
        shape = len(group.units), variants
        chosen = torch.tensor(group.units, device=device).repeat_interleave(variants)
        amplitudes = self._started(chosen).requires_grad_()
        optimiser = uncompiled(torch.optim.Adam)([amplitudes], lr=self._ascent.rate)
        shift = max(1, round(max(self._waves.height, self._waves.width) / _WOBBLES))
        for _ in range(self._ascent.steps):
            pictures = self._waves.pictures(amplitudes)
            seen = wobbled(pictures, self._generator, shift=shift, degrees=_DEGREES, zoom=_ZOOM)
            values, features = self._objective(seen)
            excited = values.gather(1, chosen[:, None])[:, 0]
            # Divided by its own size: as if its logarithm grew, whatever the units of the activation.
            loss = -(excited / excited.detach().abs().maximum(self._spread[chosen])).sum()
            if features is not None:
                alike = similarity(features.reshape(*shape, *features.shape[1:])).sum()
                loss = loss + self._ascent.diversity * variants * alike
            amplitudes.grad = _gradient(loss, amplitudes)
            optimiser.step()
            group.told()
        with torch.no_grad():
            pictures = self._waves.pictures(amplitudes)
            values, features = self._objective(pictures)
            alike = torch.zeros(len(group.units))
            if features is not None:
                alike = similarity(features.reshape(*shape, *features.shape[1:]))
            reached = values.gather(1, chosen[:, None]).view(shape)
        return pictures.reshape(*shape, *pictures.shape[1:]).cpu(), reached.cpu(), alike.cpu()

    def _started(self, chosen: Tensor) -> Tensor:
        """Draw the first amplitudes: of the faintest noise at which the unit's slope is not all but flat."""
        drawn, slopes = [], []
        for loudness in _LOUDNESS:
            leaf = self._waves.noise(len(chosen), loudness, self._generator).requires_grad_()
            values, _ = self._objective(self._waves.pictures(leaf))
            slope = _gradient(values.gather(1, chosen[:, None]).sum(), leaf)
            drawn.append(leaf.detach())
            slopes.append(slope.flatten(1).norm(dim=1))
        steep = torch.stack(slopes)
        first = (steep >= _STEEP * steep.amax(dim=0)).byte().argmax(dim=0)
        return torch.stack(drawn)[first, torch.arange(len(chosen), device=first.device)]


class _Group:
    """Units whose pictures are found together, and the progress of the whole."""

    def __init__(self, units: tuple[int, ...], done: int, total: int, on_event: OnEvent) -> None:
        self.units = units
        self._done, self._total, self._on_event = done, total, on_event

    def told(self) -> None:
        self._done += 1
        data = {"what": "visualising", "done": self._done, "total": self._total, "unit": "steps"}
        self._on_event(Event("prepare", data))


def _groups(
    units: tuple[int, ...], shape: tuple[int, int, int], ascent: Ascent, on_event: OnEvent
) -> Iterator[_Group]:
    pictures = min(_AT_ONCE, _VALUES_AT_ONCE // (shape[0] * shape[1] * shape[2]))
    size = max(1, pictures // ascent.variants)
    starts = range(0, len(units), size)
    for number, start in enumerate(starts):
        done, total = number * ascent.steps, len(starts) * ascent.steps
        yield _Group(units[start : start + size], done, total, on_event)


def _gradient(value: Tensor, leaf: Tensor) -> Tensor:
    gradient = None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, leaf, allow_unused=True)
    if gradient is None:
        raise LayerError(
            "the units do not depend on the picture by anything that has a derivative: the network detaches "
            "what it computes, or computes without gradients"
        )
    return gradient


def _shape(shape: tuple[int, int, int] | None, images: Sliced | None) -> tuple[int, int, int]:
    if images is None:
        if shape is None:
            raise ShapeError("neither a shape nor images are given; (1, 28, 28) is a shape")
        if len(shape) != 3 or min(shape) < 1:
            raise ShapeError(f"pictures of {by(shape)} cannot be; C x H x W, each from 1, can")
        return shape
    first = taken(images, slice(0, 1))
    check_images(first)
    if first.ndim != 4 or (shape is not None and tuple(first.shape[1:]) != tuple(shape)):
        wanted = "C x H x W" if shape is None else by(shape)
        raise ShapeError(f"images are {by(first.shape[1:])} each, where {wanted} is wanted")
    return first.shape[1], first.shape[2], first.shape[3]


def _palette(images: Sliced) -> Palette:
    sample = taken(images, slice(None, None, -(-len(images) // _SAMPLE)))
    low, high = sample.min().item(), sample.max().item()
    if not 0 <= low <= high <= 1:
        raise LayerError(
            f"the images are numbers from {low:.3g} to {high:.3g}, where pixels in [0, 1] are wanted; what "
            "normalises them has to be a part of the network"
        )
    return palette_of(sample.float())


def _features(network: nn.Module, layer: str | None, shape: tuple[int, int, int]) -> str:
    one = torch.zeros(1, *shape)
    if layer is not None and layer in spatial_layers(network, one):
        return layer
    return last_spatial_layer(network, one)


@torch.no_grad()
def _noise(objective: Objective, waves: Waves, generator: Generator) -> Tensor:
    pictures = waves.pictures(waves.noise(NOISE_PICTURES, 1.0, generator))
    parts = torch.split(pictures, max(1, _VALUES_AT_ONCE // pictures[0].numel()))
    return torch.cat([objective(part)[0] for part in parts]).cpu()


@torch.no_grad()
def _best(
    objective: Objective, images: Sliced, units: tuple[int, ...], on_event: OnEvent
) -> tuple[Tensor, Tensor]:
    """Give the highest activation of each unit among images, and in which of them it is."""
    values: list[Tensor] = []
    count = len(images)
    size = max(1, min(256, _VALUES_AT_ONCE // taken(images, slice(0, 1)).numel()))
    for start in range(0, count, size):
        part = taken(images, slice(start, start + size))
        values.append(objective(part)[0][:, list(units)].cpu())
        done = min(start + size, count)
        on_event(Event("prepare", {"what": "exciting", "done": done, "total": count, "unit": "images"}))
    highest = torch.cat(values).max(dim=0)
    return highest.values, highest.indices
