"""Top patches of a layer's channels on a sheet: what excites each most, and of which classes it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from striate.core.errors import ShapeError
from striate.plots.lettering import percent
from striate.plots.tiles import OUTSIDE, Array, Row, Tile, as_picture, plane, tile_rows

MOST_CHANNELS = 32
NAMED_CLASSES = 2


class Field(Protocol):
    """What is drawn of a layer's receptive field; `striate.explain.LayerField` has it."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def channels(self) -> int:
        """How many channels it has."""

    @property
    def extent(self) -> tuple[int, ...]:
        """Image elements that a unit in the middle sees along each axis."""

    def offset(self, position: Sequence[int]) -> tuple[int, ...]:
        """Where in a frame of that size the part of the image that a unit sees lies."""


class Patches(Protocol):
    """What is drawn; `striate.explain.TopPatches` has it."""

    @property
    def field(self) -> Field:
        """What the units see."""

    @property
    def total(self) -> int:
        """Images that were looked at."""

    @property
    def values(self) -> ArrayLike:
        """Channels x count, the highest first."""

    @property
    def positions(self) -> ArrayLike:
        """Channels x count x axes."""

    @property
    def class_shares(self) -> ArrayLike | None:
        """Channels x classes."""

    @property
    def all_shares(self) -> ArrayLike | None:
        """Share of each class among all images."""

    def is_flat(self, channel: int) -> bool:
        """Whether a channel is as high in all of its patches."""


def patch_sheet(
    patches: Patches,
    cut: Sequence[Sequence[ArrayLike]],
    path: os.PathLike[str] | str,
    *,
    channels: Sequence[int],
    classes: Sequence[str] | None = None,
) -> None:
    """Draw the top patches of channels, a channel a row, the highest first.

    Args:
        patches: what `striate.explain.top_patches` gave.
        cut: for each channel drawn its patches, C x spatial, as ``patches.cut`` gives them.
        path: the PNG file to be made or replaced.
        channels: which channels these are, at most 32.
        classes: their names; with them it is written which classes the patches are of.

    Raises:
        ShapeError: where there is no channel, too many, or not a list of patches for each.
        OSError: where the file cannot be written.
    """
    if not 1 <= len(channels) <= MOST_CHANNELS or len(cut) != len(channels):
        raise ShapeError(
            f"{len(channels)} channels with {len(cut)} lists of patches cannot be drawn; 1 to "
            f"{MOST_CHANNELS} with a list each can"
        )
    rows = []
    for channel, parts in zip(channels, cut, strict=True):
        values = np.asarray(patches.values)[channel]
        tiles = [
            Tile(picture, caption=f"{value:.3g}")
            for picture, value in zip(framed(patches, channel, parts), values, strict=True)
        ]
        said = most_frequent(patches, channel, classes)
        if patches.is_flat(channel):
            said = ["as high in all of these:", "they show nothing"]
        rows.append(Row(tiles, [f"channel {channel}"], remark=said))
    extent = "x".join(map(str, patches.field.extent))
    shown = "all" if len(channels) == patches.field.channels else f"{len(channels)} of"
    title = f"Top patches of layer '{patches.field.layer}': {shown} {patches.field.channels} channels"
    note = (
        f"Where each channel is highest among {patches.total:,} images, at most once an image, cut at what "
        f"the unit sees ({extent}); below each its value; pale blue lies outside of the image."
    )
    tile_rows(rows, path, title=title, note=note, side=0.75)


def framed(patches: Patches, channel: int, cut: Sequence[ArrayLike]) -> list[Array]:
    """Lay patches into frames of one size, so that a unit's place in them is the same.

    Args:
        patches: what they are of.
        channel: of which channel.
        cut: the patches, C x spatial.

    Returns:
        Pictures (H, W) or (H, W, 3); where nothing of the image is, NaN or pale blue.
    """
    found = []
    for part, position in zip(cut, np.asarray(patches.positions)[channel].tolist(), strict=True):
        values: NDArray[Any] = np.asarray(part)
        offset = patches.field.offset(position)
        frame = np.full((len(values), *patches.field.extent), np.nan)
        inside = tuple(
            slice(before, before + size) for before, size in zip(offset, values.shape[1:], strict=True)
        )
        frame[(slice(None), *inside)] = values / 255 if values.dtype == np.uint8 else values
        found.append(_visible(frame))
    return found


def most_frequent(patches: Patches, channel: int, classes: Sequence[str] | None) -> list[str]:
    """Say which classes the patches of a channel are of most, and how frequent these are among all images.

    Args:
        patches: what was found.
        channel: from 0.
        classes: their names.

    Returns:
        A line for each of the two most frequent; none without classes.
    """
    if classes is None or patches.class_shares is None or patches.all_shares is None:
        return []
    own, everywhere = np.asarray(patches.class_shares)[channel], np.asarray(patches.all_shares)
    return [
        f"{percent(float(own[number]))} {name_of(classes, int(number))} "
        f"(of all images {percent(float(everywhere[number]))})"
        for number in np.argsort(-own, kind="stable")[:NAMED_CLASSES]
        if own[number] > 0
    ]


def painted(picture: Array) -> NDArray[np.uint8]:
    """Turn a framed patch into colours of 0 to 255, what lies outside of the image in pale blue.

    Args:
        picture: (H, W) or (H, W, 3), as `framed` gives it.

    Returns:
        uint8 (H, W, 3).

    >>> painted(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    whole = np.where(np.isnan(colours), np.array(to_rgb(OUTSIDE)), colours)
    return (255 * whole).round().astype(np.uint8)


def name_of(classes: Sequence[str], number: int) -> str:
    """Give the name of a class, or its number where there are fewer names.

    Args:
        classes: the names.
        number: from 0.

    Returns:
        The name.

    >>> name_of(["cat"], 0), name_of(["cat"], 1)
    ('cat', 'class 1')
    """
    return classes[number] if number < len(classes) else f"class {number}"


def _visible(frame: Array) -> Array:
    """Bring a frame to [0, 1], its empty places pale blue in colours and NaN in greys."""
    if np.isfinite(frame).any() and (np.nanmin(frame) < 0 or np.nanmax(frame) > 1):
        low, high = np.nanmin(frame), np.nanmax(frame)
        frame = (frame - low) / ((high - low) or 1.0)
    if len(frame) == 3 and frame.ndim == 3:
        outside = np.array(to_rgb(OUTSIDE))[:, None, None]
        return as_picture(np.where(np.isnan(frame), outside, frame))[0]
    gaps = np.isnan(frame).any(axis=0)
    picture = frame.mean(axis=0)
    picture[gaps] = np.nan
    return plane(picture)
