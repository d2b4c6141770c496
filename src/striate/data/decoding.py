"""Read one image, from a hostile file or from memory, into uint8 channels at a given size."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeAlias

from PIL import Image, ImageFile, UnidentifiedImageError

from striate.core.errors import DataError
from striate.data.dataset import Pixels
from striate.data.pictures import Box, Size, is_grey, paint_padding, place

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif")
)
MOST_PIXELS = 100_000_000
LARGE_PIXELS = 16_000_000
"""Images of more are decoded one at a time: several at once would take gigabytes."""

File: TypeAlias = "str | PathLike[str] | BinaryIO"

# What Pillow's parsers raise on bytes made to harm or broken by chance: nearly any built-in error.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)


def decode_image(
    file: File,
    *,
    size: Size | None = None,
    channels: int | None = None,
    fit: str = "pad",
    fill: Sequence[int] | None = None,
) -> Pixels:
    """Decode an image file; its content says what it is, not its name.

    EXIF orientation is applied, transparency is laid over white, 16-bit values are scaled by 1/257, and
    of several frames the first is taken.

    Args:
        file: a path, or an open binary file.
        size: height and width to give, pixels; ``None``: as it is.
        channels: 1 (grey) or 3 (colour); ``None``: as it is.
        fit: ``pad`` keeps all of the image, ``crop`` fills the size, ``stretch`` distorts.
        fill: uint8 value per channel of the padding; ``None``: black.

    Returns:
        uint8 of shape (C, H, W).

    Raises:
        DataError: where the file is no image of the formats read, is damaged, or has over 100 megapixels.

    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (4, 2), (255, 0, 0)).save(file, "PNG")
    >>> decode_image(file, size=(2, 2), channels=1).shape
    (1, 2, 2)
    """
    with quiet_pillow():
        pixels, box = decode_into_box(file, size=size, channels=channels, fit=fit)
    return paint_padding(pixels, box, fill)


def decode_into_box(file: File, *, size: Size | None, channels: int | None, fit: str) -> tuple[Pixels, Box]:
    """Decode an image file and say where in the result it lies; the padding around it is black.

    Call it under `quiet_pillow`.

    Args:
        file: a path, or an open binary file.
        size: height and width to give, pixels; ``None``: as it is.
        channels: 1 or 3; ``None``: as it is.
        fit: ``pad``, ``crop`` or ``stretch``.

    Returns:
        uint8 of shape (C, H, W); and top, left, height and width of the image in it.

    Raises:
        DataError: with the reason, where the file cannot be decoded.
    """
    try:
        with _open(file) as image:
            if size is not None and image.format == "JPEG":
                _draft(image, size, channels, fit)
            large = image.width * image.height > LARGE_PIXELS
            with _large_lock if large else nullcontext():
                return place(_upright(image), size, channels, fit)
    except _DAMAGE as error:
        raise DataError(_reason(error, file)) from error


@dataclass(frozen=True)
class Head:
    """What an image file says of itself before it is decoded.

    Args:
        height: pixels, after EXIF orientation.
        width: likewise.
        channels: 1 (grey) or 3 (colour), by mode and palette.
        mode: Pillow's name of the colour mode, such as ``RGB``, ``P`` or ``CMYK``.
        format: what the content is, such as ``JPEG``, whatever the file's name says.
        orientation: of EXIF, 1 to 8; 1 is upright.
    """

    height: int
    width: int
    channels: int
    mode: str
    format: str
    orientation: int


def read_head(file: File) -> Head:
    """Read what an image file says of itself, without decoding it.

    Call it under `quiet_pillow`.

    Args:
        file: a path, or an open binary file.

    Returns:
        The head.

    Raises:
        DataError: with the reason, where the head cannot be read.
    """
    try:
        with _open(file) as image:
            width, height = image.size
            orientation = _orientation(image, head_only=True)
            if orientation in (5, 6, 7, 8):
                width, height = height, width
            channels = 1 if is_grey(image) else 3
            return Head(height, width, channels, image.mode, image.format or "", orientation)
    except _DAMAGE as error:
        raise DataError(_reason(error, file)) from error


def measure(file: File) -> tuple[int, int, int]:
    """Read height, width and channels of an image file from its head, without decoding it.

    Call it under `quiet_pillow`.

    Args:
        file: a path, or an open binary file.

    Returns:
        Height and width as they are after EXIF orientation, and 1 (grey) or 3 (colour).

    Raises:
        DataError: with the reason, where the head cannot be read.
    """
    head = read_head(file)
    return head.height, head.width, head.channels


_large_lock = threading.Lock()
_quiet_lock = threading.Lock()
_quiet_depth = 0
_quiet_filters = warnings.catch_warnings()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep Pillow's warnings about odd files from the user; we reject such files or decode them.

    Unlike `warnings.catch_warnings` it may be entered by several threads at once: the first one sets
    the filter, the last one takes it away.
    """
    global _quiet_depth, _quiet_filters
    with _quiet_lock:
        if _quiet_depth == 0:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if _quiet_depth == 0:
                _quiet_filters.__exit__(None, None, None)


def _open(file: File) -> ImageFile.ImageFile:
    image = Image.open(file, formats=FORMATS)
    width, height = image.size
    if width * height > MOST_PIXELS:
        image.close()
        raise DataError(
            f"the image has {width} x {height} pixels, where at most {MOST_PIXELS // 10**6} million are read"
        )
    if width * height == 0:
        image.close()
        raise DataError(f"the image is {width} x {height} pixels")
    return image


def _reason(error: BaseException, file: File | None = None) -> str:
    if isinstance(error, UnidentifiedImageError):
        if file is not None and _is_empty(file):
            return "the file is empty"
        return f"the file is no image of a format that is read ({', '.join(FORMATS)}), or its head is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"the image has more than the {MOST_PIXELS // 10**6} million pixels that are decoded at most"
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be read: {error.strerror}"
    if "truncated" in str(error).lower():
        return "the file is truncated"
    text = " ".join(str(error).split())[:120]
    return f"the file is damaged: {text or type(error).__name__}"


def _is_empty(file: File) -> bool:
    if isinstance(file, str | PathLike):
        return Path(file).stat().st_size == 0
    return file.seek(0, 2) == 0


def _orientation(image: Image.Image, *, head_only: bool = False) -> int:
    try:
        # A PNG's own getexif decodes all of it where its head has no EXIF, to look behind the pixels.
        exif = Image.Image.getexif(image) if head_only else image.getexif()
        return int(exif.get(0x0112, 1))
    except _DAMAGE:  # a broken EXIF block is no reason to lose the image
        return 1


def _upright(image: Image.Image) -> Image.Image:
    if _orientation(image) == 1:
        return image
    image.load()
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _draft(image: ImageFile.ImageFile, size: Size, channels: int | None, fit: str) -> None:
    # JPEG can be decoded at a half, a quarter or an eighth; never below what resizing then needs.
    width, height = image.size
    if _orientation(image) in (5, 6, 7, 8):
        size = size[1], size[0]
    scales = size[0] / height, size[1] / width
    scale = min(scales) if fit == "pad" else max(scales)
    mode = "L" if channels == 1 and image.mode in ("L", "RGB") else image.mode
    wanted = max(1, round(width * scale)), max(1, round(height * scale))
    image.draft(mode, wanted)
