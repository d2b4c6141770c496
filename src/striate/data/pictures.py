"""Bring a picture of any colour mode to grey or colour, and of any shape to a given height and width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image

from striate.core.errors import DataError
from striate.data.dataset import Pixels

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]  # top, left, height, width of what is not padding

_PIECE = 1 << 16  # values scaled at once: the largest images as float64 would take gigabytes


def place(image: Image.Image, size: Size | None, channels: int | None, fit: str) -> tuple[Pixels, Box]:
    """Convert and resize a picture; the padding around it is black.

    Args:
        image: a picture of any mode that Pillow reads.
        size: height and width to give, pixels; ``None``: as it is.
        channels: 1 or 3; ``None``: as it is.
        fit: ``pad``, ``crop`` or ``stretch``.

    Returns:
        uint8 of shape (C, H, W); and where in it the picture lies.

    Raises:
        DataError: where the mode, the values or the fit are not known.

    >>> place(Image.new("L", (4, 2)), (8, 8), 1, "pad")[1]
    (2, 0, 4, 8)
    """
    image = _plain(image, channels)
    if size is None or (image.height, image.width) == tuple(size):
        pixels = _channels_first(image)
        return pixels, (0, 0, pixels.shape[1], pixels.shape[2])
    height, width = size
    crop = None
    box = (0, 0, height, width)
    if fit == "pad":
        scale = min(height / image.height, width / image.width)
        inner_height = min(height, max(1, round(image.height * scale)))
        inner_width = min(width, max(1, round(image.width * scale)))
        box = ((height - inner_height) // 2, (width - inner_width) // 2, inner_height, inner_width)
    elif fit == "crop":
        # The box is cut out before resizing, so that a long strip is never blown up whole.
        scale = max(height / image.height, width / image.width)
        half_height, half_width = height / scale / 2, width / scale / 2
        crop = (
            max(0.0, image.width / 2 - half_width),
            max(0.0, image.height / 2 - half_height),
            min(float(image.width), image.width / 2 + half_width),
            min(float(image.height), image.height / 2 + half_height),
        )
    elif fit != "stretch":
        raise DataError(f"there is no fit {fit!r}; there are pad, crop and stretch")
    inner = image.resize((box[3], box[2]), Image.Resampling.BICUBIC, box=crop)
    if box[2:] == (height, width):
        return _channels_first(inner), box
    pixels = np.zeros((len(inner.getbands()), height, width), np.uint8)
    pixels[:, box[0] : box[0] + box[2], box[1] : box[1] + box[3]] = _channels_first(inner)
    return pixels, box


def _channels_first(image: Image.Image) -> Pixels:
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        return pixels[None].copy()
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _plain(image: Image.Image, channels: int | None) -> Image.Image:
    """Convert any mode to grey (L) or colour (RGB)."""
    grey = is_grey(image) if channels is None else channels == 1
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bit(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    elif image.mode in ("LAB", "HSV"):
        raise DataError(f"the image has the colour mode {image.mode}, which is not read")
    if grey and image.mode not in ("L", "1"):
        image = image.convert("RGB")  # not every mode converts to grey at once
    mode = "L" if grey else "RGB"
    if image.mode != mode:
        return image.convert(mode)
    image.load()  # converting would copy it
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    with np.errstate(invalid="ignore"):  # a value that is not a number is refused below
        low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        divisor, most = (1 / 255, 1.0) if high <= 1 else (1.0, 255.0)
    elif image.mode == "I" and high <= 255 and image.format != "PNG":
        divisor, most = 1.0, 255.0
    else:
        divisor, most = 257.0, 65535.0
    if not (low >= 0 and high <= most):  # also where either is not a number
        raise DataError(
            f"the image has values from {low:g} to {high:g}, where 8 or 16 bits or [0, 1] are read"
        )
    scaled = np.empty(values.shape, np.uint8)
    source, target = values.reshape(-1), scaled.reshape(-1)
    for start in range(0, len(source), _PIECE):
        piece = slice(start, start + _PIECE)
        target[piece] = np.rint(source[piece].astype(np.float64) / divisor)
    return Image.fromarray(scaled)


def is_grey(image: Image.Image) -> bool:
    """Say whether a picture has no colour, by its mode and palette alone.

    Args:
        image: a picture, which need not be decoded yet.

    Returns:
        Whether one channel holds all of it.

    >>> is_grey(Image.new("L", (1, 1))), is_grey(Image.new("RGB", (1, 1)))
    (True, False)
    """
    if image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16"):
        return True
    if image.mode in ("P", "PA") and image.palette is not None and image.palette.mode == "RGB":
        colours = np.frombuffer(bytes(image.palette.palette), dtype=np.uint8)
        colours = colours[: len(colours) // 3 * 3].reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return False


def paint_padding(pixels: Pixels, box: Box, fill: Sequence[int] | None) -> Pixels:
    """Paint what lies outside a box, in place.

    Args:
        pixels: uint8 of shape (C, H, W).
        box: top, left, height and width of what is kept.
        fill: value per channel, or one for all; ``None``: black, as it is.

    Returns:
        The same array.

    Raises:
        DataError: where the colour has another number of channels.
    """
    if fill is None:
        return pixels
    if len(fill) not in (1, len(pixels)):
        raise DataError(f"a fill of {len(fill)} values does not fit an image of {len(pixels)} channels")
    colour = np.array(fill, dtype=np.uint8).reshape(-1, 1, 1)
    top, left, height, width = box
    pixels[:, :top] = colour
    pixels[:, top + height :] = colour
    pixels[:, top : top + height, :left] = colour
    pixels[:, top : top + height, left + width :] = colour
    return pixels
