"""Decode the files of a listing in threads, at one size, into one array; broken files are left out."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.core.files import cache_directory
from striate.data.dataset import Pixels, Rejected
from striate.data.decoding import decode_into_box, measure, quiet_pillow
from striate.data.listing import LabelledFile
from striate.data.pictures import Box, Size, paint_padding
from striate.data.progress import Progress

SAMPLE = 32
SECONDS_WORTH_A_THREAD = 0.001
"""Files that take less are decoded in one thread: several would mostly wait for Python's lock."""

LARGEST_SIDE = 128
SMALLEST_SIDE = 8

Result = TypeVar("Result")


def decode_files(
    files: Sequence[LabelledFile],
    *,
    size: int | Size | None,
    channels: int | None,
    fit: str,
    fill: Sequence[int] | None,
    on_event: OnEvent,
) -> tuple[Pixels, list[LabelledFile], list[Rejected], tuple[int, ...]]:
    """Decode files into one array, in their order, whatever the order in which threads finish.

    Args:
        files: what to decode.
        size: side, or height and width, in pixels; ``None``: as they are where all are alike and at most
            128, else a square of 128, or of the median shorter side where that is less.
        channels: 1 or 3; ``None``: 3 where any file has colour.
        fit: ``pad``, ``crop`` or ``stretch``.
        fill: colour of the padding; ``None``: the mean colour of the files of the training part.
        on_event: told of the progress.

    Returns:
        uint8 of shape (N, C, H, W), a memory map where it takes more than a quarter of the memory; the
        files that its rows show; those that could not be decoded; the colour of the padding.

    Raises:
        DataError: where no file can be decoded.
    """
    rejected: list[Rejected] = []
    order = {file.name: row for row, file in enumerate(files)}
    with quiet_pillow():
        if size is None or channels is None:
            files, measures = _measured(files, rejected, on_event)
            channels = channels or (3 if any(measured[2] == 3 for measured in measures) else 1)
            size = size or _choose_size(measures)
        shape = (size, size) if isinstance(size, int) else size
        images = allocate((len(files), channels, *shape))
        boxes: list[Box] = []
        sums = np.zeros((len(files), channels))
        decoded: list[LabelledFile] = []

        def decode(file: LabelledFile) -> tuple[Pixels, Box]:
            with file.open() as content:
                return decode_into_box(content, size=shape, channels=channels, fit=fit)

        for file, result in _each(decode, files, "decoding images", on_event):
            if isinstance(result, str):
                rejected.append(Rejected(file.name, result))
                continue
            pixels, box = result
            sums[len(decoded)] = pixels.sum(axis=(1, 2))
            images[len(decoded)] = pixels
            boxes.append(box)
            decoded.append(file)
    if not decoded:
        raise DataError(_all_broken(rejected))
    if fill is None:
        fill = _mean_colour(decoded, sums, boxes)
    for row, box in enumerate(boxes):
        if box[2:] != shape:
            paint_padding(images[row], box, fill)
    rejected.sort(key=lambda item: order[item.name])
    return images[: len(decoded)], decoded, rejected, tuple(fill)


def allocate(shape: tuple[int, ...]) -> Pixels:
    """Make an array of zeros: in memory, or where it would take over a quarter of it, in a file.

    The file lies in the cache directory and has no name, so that nothing is left when the process ends.

    Args:
        shape: the array's shape.

    Returns:
        uint8 zeros.

    Raises:
        DataError: where the file cannot be made.
    """
    amount = math.prod(shape)
    if amount <= _available_memory() / 4:
        return np.zeros(shape, np.uint8)
    folder = cache_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # or a disk that fills up later would end the process
                os.posix_fallocate(file.fileno(), 0, amount)
            return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
    except OSError as error:
        raise DataError(
            f"cannot keep {amount / 1e9:.1f} GB of decoded images in {folder}: {error.strerror or error}; "
            "give a smaller size, or set STRIATE_CACHE to a larger disk"
        ) from error


def _available_memory() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return 8e9


def _measured(
    files: Sequence[LabelledFile], rejected: list[Rejected], on_event: OnEvent
) -> tuple[list[LabelledFile], list[tuple[int, int, int]]]:
    def head(file: LabelledFile) -> tuple[int, int, int]:
        with file.open() as content:
            return measure(content)

    good, measures = [], []
    for file, result in _each(head, files, "looking at images", on_event):
        if isinstance(result, str):
            rejected.append(Rejected(file.name, result))
        else:
            good.append(file)
            measures.append(result)
    if not good:
        raise DataError(_all_broken(rejected))
    return good, measures


def _choose_size(measures: Sequence[tuple[int, int, int]]) -> Size:
    sizes = {(height, width) for height, width, _ in measures}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_SIDE:
        return next(iter(sizes))
    median = int(np.median([min(height, width) for height, width, _ in measures]))
    side = max(SMALLEST_SIDE, min(LARGEST_SIDE, median))
    return side, side


def _mean_colour(
    files: Sequence[LabelledFile], sums: np.typing.NDArray[np.float64], boxes: Sequence[Box]
) -> tuple[int, ...]:
    rows = [row for row, file in enumerate(files) if file.part in ("train", "all")]
    rows = rows or list(range(len(files)))
    area = sum(boxes[row][2] * boxes[row][3] for row in rows)
    return tuple(round(value / area) for value in sums[rows].sum(axis=0).tolist())


def _each(
    work: Callable[[LabelledFile], Result], files: Sequence[LabelledFile], what: str, on_event: OnEvent
) -> Iterator[tuple[LabelledFile, Result | str]]:
    """Do the work for each file in threads; yield in order the result, or the reason for there being none."""

    def attempt(file: LabelledFile) -> Result | str:
        try:
            return work(file)
        except DataError as error:
            return str(error)
        except OSError as error:
            return f"the file cannot be read: {error.strerror or error}"

    def attempt_all(block: Sequence[LabelledFile]) -> list[Result | str]:
        return [attempt(file) for file in block]

    progress = Progress(on_event, what, len(files), "images")
    for file, result in _in_order(attempt, files):
        progress.advance()
        yield file, result
    progress.finish()


def _in_order(
    attempt: Callable[[LabelledFile], Result], files: Sequence[LabelledFile]
) -> Iterator[tuple[LabelledFile, Result]]:
    start = time.perf_counter()
    first = files[:SAMPLE]
    for file in first:
        yield file, attempt(file)
    if (time.perf_counter() - start) < SECONDS_WORTH_A_THREAD * len(first):
        for file in files[SAMPLE:]:
            yield file, attempt(file)
        return
    threads = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        # A few files ahead: results wait for their turn, and all of them would fill the memory.
        running = deque(pool.submit(attempt, file) for file in files[SAMPLE : SAMPLE + 4 * threads])
        for number, file in enumerate(files[SAMPLE:], start=SAMPLE + 4 * threads):
            yield file, running.popleft().result()
            if number < len(files):
                running.append(pool.submit(attempt, files[number]))


def _all_broken(rejected: Sequence[Rejected]) -> str:
    first = rejected[0]
    return (
        f"none of the {len(rejected)} image files can be read; the first, {first.name!r}, because "
        f"{first.reason}"
    )
