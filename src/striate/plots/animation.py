"""Films of small images, as GIF files that play over and over."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from striate.core.errors import ShapeError
from striate.core.files import atomic_path

HEIGHT = 224
"""Small images are enlarged by a whole number, up to so many pixels of height."""

MOST_FRAMES = 1000
"""So many frames a film has at most: more make files of a size that nothing shows well."""


def animation(frames: ArrayLike, path: os.PathLike[str] | str, *, seconds: float = 0.06) -> None:
    """Write images as a GIF file that plays over and over, with hard pixels where they are enlarged.

    Greys are exact; colours are reduced to the 256 that suit a frame best.

    Args:
        frames: N x C x H x W, uint8 or floats in [0, 1], of 1 or 3 channels; 2 to 1,000.
        path: the GIF file to be made or replaced; its directory must exist.
        seconds: of a frame, from 0.02, which is the shortest that browsers obey.

    Raises:
        ShapeError: where the frames are of other axes, too few or too many, or too short.
        OSError: where the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animation(np.random.default_rng(0).random((3, 1, 8, 8)), f"{folder}/a.gif")
    ...     Image.open(f"{folder}/a.gif").n_frames
    3
    """
    array = np.asarray(frames)
    if array.ndim != 4 or array.shape[1] not in (1, 3) or not 2 <= len(array) <= MOST_FRAMES:
        raise ShapeError(
            f"frames are {array.shape}, where N x 1 or 3 x H x W is wanted, N from 2 to {MOST_FRAMES:,}"
        )
    if not 0.02 <= seconds <= 60:
        raise ShapeError(f"a frame of {seconds:g} s cannot be; 0.02 to 60 can")
    pictures = [_picture(frame) for frame in array]
    with atomic_path(os.fspath(path)) as temporary:
        pictures[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 * seconds),
            loop=0,
            disposal=1,
            optimize=False,
        )


def _picture(frame: NDArray[np.generic]) -> Image.Image:
    values = np.asarray(frame)
    if values.dtype != np.uint8:
        values = (np.clip(values.astype(np.float64), 0, 1) * 255).round().astype(np.uint8)
    times = max(1, HEIGHT // values.shape[1])
    large = values.repeat(times, axis=1).repeat(times, axis=2)
    if len(large) == 1:
        return Image.fromarray(large[0])
    return Image.fromarray(np.ascontiguousarray(large.transpose(1, 2, 0)))
