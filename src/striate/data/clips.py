"""Short videos as clips: frames taken evenly from the first to the last, each brought to one size."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from striate.core.errors import DataError
from striate.data.dataset import Pixels
from striate.data.folders import IMAGES, Sought, kind_of
from striate.data.listing import LabelledFile
from striate.data.number_files import NUMBERS, Measured
from striate.data.pictures import place

if TYPE_CHECKING:
    from PIL.Image import Image

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")

VIDEOS = Sought(VIDEO_SUFFIXES, "video")

FRAMES = 16
"""So many frames of a video are a clip."""

LARGEST_SIDE = 112
"""Pixels a side of the frames of clips, at most, where no size is named."""

MOST_PIXELS = 40_000_000
"""Videos with frames of more pixels are not read."""


@dataclass(frozen=True)
class ClipReader:
    """Reads videos as clips of uint8.

    Args:
        size: frames, height and width; ``None``: as many frames as are usual, and the largest usual side.
        fit: how a frame of another shape is fitted; what is padded is black.
        channels: 1 (grey) or 3.
    """

    size: tuple[int, ...] | None = None
    fit: str = "pad"
    channels: int = 3

    def sized(self, channels: int, size: tuple[int, ...], fit: str) -> ClipReader:
        """Give a reader of clips of a size.

        Args:
            channels: 1 (grey) or 3.
            size: frames, height and width.
            fit: how a frame of another shape is fitted.

        Returns:
            The reader.
        """
        return ClipReader(size, fit, channels)

    def measure(self, file: LabelledFile) -> Measured:
        """Look at a video.

        Args:
            file: of the folder.

        Returns:
            Its channels and the size that it has as a clip, where none is named.

        Raises:
            DataError: where it cannot be read.
            OSError: where the file cannot be.
        """
        with file.open() as content, opened(content) as (_, stream):
            side = min(stream.codec_context.width, stream.codec_context.height, LARGEST_SIDE)
        return Measured(self.channels, (FRAMES, side, side), np.dtype(np.uint8))

    def read(self, file: LabelledFile) -> Pixels:
        """Read a video as a clip.

        Args:
            file: of the folder.

        Returns:
            uint8 of C x frames x height x width.

        Raises:
            DataError: where it cannot be read.
            OSError: where the file cannot be.
        """
        with file.open() as content:
            return self.read_clip(content)

    def read_clip(self, content: BinaryIO) -> Pixels:
        """Read an open video as a clip.

        Args:
            content: of a file, from its beginning.

        Returns:
            uint8 of C x frames x height x width; the frames are those in the middle of as many equal parts.

        Raises:
            DataError: where it cannot be read, or has no frame.
        """
        frames, height, width = self.size or (FRAMES, LARGEST_SIDE, LARGEST_SIDE)
        with opened(content) as (container, stream):
            # Counted without decoding; what files say of themselves may be wrong.
            count = sum(1 for packet in container.demux(stream) if packet.size)
        content.seek(0)
        wanted = ((np.arange(frames) + 0.5) * max(1, count) / frames).astype(int)
        clip = np.zeros((self.channels, frames, height, width), np.uint8)
        filled = 0
        with opened(content) as (container, stream):
            for number, frame in enumerate(container.decode(stream)):
                while filled < frames and wanted[filled] <= number:
                    clip[:, filled], _ = place(_picture(frame), (height, width), self.channels, self.fit)
                    filled += 1
                if filled == frames:
                    break
        if not filled:
            raise DataError("the video has no frame that can be decoded")
        clip[:, filled:] = clip[:, filled - 1 : filled]  # fewer frames were there than packets
        return clip


def sought_in(root: Path) -> Sought:
    """Find out what the files of a folder are: images, where there is any; else arrays or videos.

    Args:
        root: the folder, searched with all its folders, but no further than to the first image.

    Returns:
        `IMAGES`, `NUMBERS` or `VIDEOS`; images where there is none of these.
    """
    found = set()
    for _, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for sought in (IMAGES, NUMBERS, VIDEOS):
            if any(kind_of((name,), sought.suffixes) == "image" for name in names):
                if sought is IMAGES:
                    return IMAGES
                found.add(sought.noun)
    return next((sought for sought in (NUMBERS, VIDEOS) if sought.noun in found), IMAGES)


@contextmanager
def opened(content: BinaryIO) -> Iterator[tuple[Any, Any]]:
    """Open a video.

    Args:
        content: of a file, from its beginning.

    Yields:
        PyAV's container and its first stream of pictures.

    Raises:
        DataError: where PyAV is not installed, or the content is no video that it reads.
    """
    try:
        import av
    except ImportError as error:
        raise DataError(
            "videos are read by PyAV, which is not installed; 'pip install striate[video]' installs it"
        ) from error
    try:
        with av.open(content) as container:
            if not container.streams.video:
                raise DataError("the file has sound, and no pictures")
            stream = container.streams.video[0]
            if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
                raise DataError(
                    f"its frames have {stream.codec_context.width}x{stream.codec_context.height} pixels, "
                    "where "
                    f"at most {MOST_PIXELS:,} are read"
                )
            yield container, stream
    except av.FFmpegError as error:
        raise DataError(f"the file is no video that can be read: {error.strerror or error}") from error


def _picture(frame: Any) -> Image:
    """Give a frame upright: phones film lying, and say so beside the pictures."""
    picture: Image = frame.to_image()
    turned = int(getattr(frame, "rotation", 0) or 0)
    return picture.rotate(turned, expand=True) if turned else picture
