"""Bring images that are decoded already to another size or number of channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from striate.data.assembling import Collection, mean_colour
from striate.data.dataset import Labels, Pixels
from striate.data.memory import allocate
from striate.data.pictures import paint_padding, place
from striate.data.wanted import Wanted


def refit(collection: Collection, wanted: Wanted) -> Collection:
    """Bring images that are decoded already to another size or number of channels.

    Args:
        collection: the images.
        wanted: what they become; size and channels that it leaves open stay as they are.

    Returns:
        The same collection where nothing changes, else a new one.
    """
    images = collection.images
    size = wanted.size or (images.shape[2], images.shape[3])
    shape = wanted.kept((size, size) if isinstance(size, int) else size)
    channels = wanted.channels or images.shape[1]
    if (channels, *shape) == images.shape[1:]:
        return replace(collection, fit=wanted.fit_of(shape), fill=wanted.fill)
    fill = wanted.fill
    if fill is None:
        rows = np.flatnonzero(np.isin(collection.parts, ("train", "all")))
        fill = _mean_in_channels(images, rows, channels)
    resized = allocate((len(images), channels, *shape))
    for row in range(len(images)):
        image = images[row]
        picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
        pixels, box = place(picture, shape, channels, wanted.fit_of(shape))
        resized[row] = paint_padding(pixels, box, fill)
    return replace(collection, images=resized, fit=wanted.fit_of(shape), fill=fill)


def _mean_in_channels(images: Pixels, rows: Labels, channels: int) -> tuple[int, ...]:
    colour = mean_colour(images, rows if len(rows) else np.arange(len(images)))
    if len(colour) == channels:
        return colour
    return colour * 3 if channels == 3 else (round(sum(colour) / 3),)
