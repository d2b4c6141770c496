"""Bring images that are decoded already to another size or number of channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from striate.data.assembling import Collection, mean_colour
from striate.data.dataset import Labels, Pixels
from striate.data.gathering import allocate
from striate.data.pictures import Size, paint_padding, place


def refit(
    collection: Collection,
    *,
    size: int | Size | None,
    channels: int | None,
    fit: str,
    fill: tuple[int, ...] | None,
) -> Collection:
    """Bring images that are decoded already to another size or number of channels.

    Args:
        collection: the images.
        size: side, or height and width; ``None``: as they are.
        channels: 1 or 3; ``None``: as they are.
        fit: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding; ``None``: the mean colour of the training images.

    Returns:
        The same collection where nothing changes, else a new one.
    """
    images = collection.images
    shape = (size, size) if isinstance(size, int) else size or images.shape[2:]
    channels = channels or images.shape[1]
    if (channels, *shape) == images.shape[1:]:
        return replace(collection, fit=fit, fill=fill)
    if fill is None:
        rows = np.flatnonzero(np.isin(collection.parts, ("train", "all")))
        fill = _mean_in_channels(images, rows, channels)
    resized = allocate((len(images), channels, *shape))
    for row, image in enumerate(images):
        picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
        pixels, box = place(picture, (shape[0], shape[1]), channels, fit)
        resized[row] = paint_padding(pixels, box, fill)
    return replace(collection, images=resized, fit=fit, fill=fill)


def _mean_in_channels(images: Pixels, rows: Labels, channels: int) -> tuple[int, ...]:
    colour = mean_colour(images, rows if len(rows) else np.arange(len(images)))
    if len(colour) == channels:
        return colour
    return colour * 3 if channels == 3 else (round(sum(colour) / 3),)
