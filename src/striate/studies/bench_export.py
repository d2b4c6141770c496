"""The data of a benchmark as other libraries read them: one .npz file, and images as files if asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from striate.core.events import OnEvent
from striate.data import Dataset, Split
from striate.data.progress import Progress

PREFIX = ".data-"
"""How the names of the folders begin that hold data while they are needed."""

FOLDERS = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Exported:
    """Where the data of one seed lie.

    Args:
        file: a .npz of ``train_images, train_labels, test_images, test_labels``; ``classes`` is their number.
        folder: ``{train,val,test}/CLASS/NUMBER.png``; ``None`` where nobody reads files.
    """

    file: Path
    folder: Path | None


@contextmanager
def exported(dataset: Dataset, *, within: Path, folder: bool, on_event: OnEvent) -> Iterator[Exported]:
    """Write a dataset for other libraries while a block runs.

    Args:
        dataset: with a test part.
        within: the folder in which a temporary one is made.
        folder: whether to write the images as files, too.
        on_event: is told of the progress.

    Yields:
        Where everything lies; it is removed when the block ends.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=within) as name:
        files = _write(dataset, Path(name), folder, on_event)
        del dataset  # its memory is not for the time of the block
        yield files


def _write(dataset: Dataset, target: Path, folder: bool, on_event: OnEvent) -> Exported:
    assert dataset.test is not None
    arrays = {
        f"{part}_{what}": values
        for part, split in (("train", dataset.train), ("test", dataset.test))
        for what, values in (("images", split.images), ("labels", split.labels))
    }
    file = target / "data.npz"
    np.savez(file, allow_pickle=False, classes=np.array(len(dataset.classes)), **arrays)
    if not folder:
        return Exported(file, None)
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    _write_images(parts, target / "images", len(dataset.classes), on_event)
    return Exported(file, target / "images")


def _write_images(parts: dict[str, Split], folder: Path, classes: int, on_event: OnEvent) -> None:
    total = sum(len(split) for split in parts.values())
    progress = Progress(on_event, "writing images for the peers that read files", total, "images")
    for part, split in parts.items():
        # Classes by number: their names may be no names of folders.
        places = [folder / FOLDERS[part] / f"{label:03}" for label in range(classes)]
        for place in places:
            place.mkdir(parents=True)
        for number, (pixels, label) in enumerate(zip(split.images, split.labels.tolist(), strict=True)):
            plane = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
            picture = Image.fromarray(np.ascontiguousarray(plane))
            picture.save(places[label] / f"{number:07}.png", compress_level=1)
            progress.advance()
    progress.finish()
