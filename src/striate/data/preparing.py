"""Check an image that is in memory already and bring it to a dataset's channels and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from striate.core.errors import DataError
from striate.data.dataset import Pixels
from striate.data.pictures import Size, paint_padding, place


def prepare_image(
    image: Any,
    *,
    size: Size | None = None,
    channels: int | None = None,
    fit: str = "pad",
    fill: Sequence[int] | None = None,
) -> Pixels:
    """Bring an image in memory to the channels and size of a dataset or classifier.

    Args:
        image: a PIL image; or a NumPy array or torch tensor of shape HxW, HxWxC or CxHxW (where both
            could be meant, a tensor has its channels first and an array last), uint8 or float in [0, 1].
        size: height and width to give, pixels; ``None``: as it is.
        channels: 1 (grey) or 3 (colour); ``None``: as it is.
        fit: ``pad`` keeps all of the image, ``crop`` fills the size, ``stretch`` distorts.
        fill: uint8 value per channel of the padding; ``None``: black.

    Returns:
        uint8 of shape (C, H, W).

    Raises:
        DataError: where the shape, dtype or range is another, naming it.

    >>> prepare_image(np.full((4, 2), 0.5), size=(4, 4), fill=(255,))[0, 0].tolist()
    [255, 128, 128, 255]
    """
    if not isinstance(image, Image.Image):
        image = _image_of_array(image)
    try:
        pixels, box = place(image, size, channels, fit)
    except (OSError, ValueError, SyntaxError) as error:  # a lazily opened file may be damaged
        raise DataError(f"the image cannot be decoded: {error}") from error
    return paint_padding(pixels, box, fill)


def _image_of_array(image: Any) -> Image.Image:
    channels_first = False
    if hasattr(image, "detach") and hasattr(image, "cpu"):  # a torch tensor, without importing torch
        image, channels_first = image.detach().cpu(), True
        image = (image.float() if str(image.dtype) == "torch.bfloat16" else image).numpy()
    array = np.asarray(image)
    what = f"an array of shape {array.shape} and dtype {array.dtype}"
    if array.ndim == 3:
        first, last = array.shape[0] in (1, 3, 4), array.shape[2] in (1, 3, 4)
        if first and (channels_first or not last):
            array = array.transpose(1, 2, 0)
        elif not last:
            raise DataError(f"{what} is no image; HxW, HxWxC or CxHxW with 1 or 3 channels is wanted")
        array = array[:, :, 0] if array.shape[2] == 1 else array
    if array.ndim != 2 and array.ndim != 3:
        raise DataError(f"{what} is no image; HxW, HxWxC or CxHxW with 1 or 3 channels is wanted")
    if array.size == 0:
        raise DataError(f"{what} has no pixels")
    return Image.fromarray(np.ascontiguousarray(to_uint8(array, what)))


def to_uint8(array: npt.NDArray[Any], what: str) -> Pixels:
    """Give pixel values as uint8.

    Args:
        array: uint8, or float in [0, 1].
        what: what the array is called in an error.

    Returns:
        uint8 of the same shape; floats are scaled by 255 and rounded.

    Raises:
        DataError: for another dtype, a value that is not a number, or one out of range.

    >>> to_uint8(np.array([0.0, 0.5, 1.0]), "x").tolist()
    [0, 128, 255]
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise DataError(f"{what} cannot be an image: uint8, or float in [0, 1], is wanted")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise DataError(f"{what} has values from {low:g} to {high:g}, where float pixels are in [0, 1]")
    return np.asarray(np.rint(array * np.asarray(255, array.dtype)), dtype=np.uint8)
