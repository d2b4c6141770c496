"""Bring images that are decoded already, series and volumes to another size, and images to other channels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from striate.core.errors import DataError
from striate.data.assembling import Collection, mean_colour
from striate.data.axes import NOUNS
from striate.data.dataset import Labels, Pixels
from striate.data.memory import allocate
from striate.data.numbers import prepare_numbers
from striate.data.pictures import paint_padding, place
from striate.data.stored import Images, StoredImages, as_pixels
from striate.data.stored_numbers import ReadNumbers
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
    if images.ndim != 4:
        return _refit_numbers(collection, wanted)
    check_images(wanted, collection.name)
    size = wanted.size or (images.shape[2], images.shape[3])
    shape = wanted.kept((size, size) if isinstance(size, int) else (size[0], size[1]))
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


def check_images(wanted: Wanted, source: str) -> None:
    """Refuse images where series or volumes are wanted, or channels that images do not have.

    Args:
        wanted: what the images are to become.
        source: where they are from, for the error.

    Raises:
        DataError: where the size or the channels that are wanted are not those of images.

    >>> check_images(Wanted(size=(1000,)), "photos")
    Traceback (most recent call last):
    striate.core.errors.DataError: photos holds images, where series of 1000 are wanted
    """
    if isinstance(wanted.size, tuple) and len(wanted.size) != 2:
        sides = "x".join(map(str, wanted.size))
        raise DataError(f"{source} holds images, where {NOUNS[len(wanted.size)]} of {sides} are wanted")
    if wanted.channels not in (None, 1, 3):
        raise DataError(f"{wanted.channels!r} channels cannot be given; 1 (grey) and 3 (colour) can")


def _refit_numbers(collection: Collection, wanted: Wanted) -> Collection:
    """Bring series, volumes or clips to another size; their channels stay what they are."""
    items: Images = collection.images
    size, channels = wanted.numbers_of(items.shape[2:]), int(items.shape[1])
    if wanted.channels is not None and wanted.channels != channels:
        noun = NOUNS[len(size)]
        raise DataError(
            f"{collection.name} holds {noun} of {channels} channels, where {wanted.channels} are wanted"
        )
    fitted = replace(collection, fit=wanted.fit)
    if size == items.shape[2:]:
        return fitted
    if isinstance(items, StoredImages):
        loads = [partial(items.__getitem__, row) for row in range(len(items))]
        stored = ReadNumbers(loads, (channels, *size), items.dtype, fit=wanted.fit)
        return replace(fitted, images=as_pixels(stored))
    resized = np.empty((len(items), channels, *size), items.dtype)
    for row in range(len(items)):
        resized[row] = prepare_numbers(
            items[row], size=size, channels=channels, fit=wanted.fit, numbers=items.dtype != np.uint8
        )
    return replace(fitted, images=resized)


def _mean_in_channels(images: Pixels, rows: Labels, channels: int) -> tuple[int, ...]:
    colour = mean_colour(images, rows if len(rows) else np.arange(len(images)))
    if len(colour) == channels:
        return colour
    return colour * 3 if channels == 3 else (round(sum(colour) / 3),)
