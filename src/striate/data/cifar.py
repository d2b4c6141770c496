"""Read the binary archives of CIFAR-10 and CIFAR-100, member by member, without unpacking them to disk."""

from __future__ import annotations

import io
import tarfile
import zlib

import numpy as np

from striate.core.errors import DataError
from striate.data.dataset import Labels, Pixels

IMAGE_BYTES = 3 * 32 * 32
MOST_BYTES = 1 << 28


def read_cifar(
    content: bytes, *, train: tuple[str, ...], test: tuple[str, ...], names: str, label_bytes: int
) -> tuple[Pixels, Labels, int, tuple[str, ...]]:
    """Read the images, labels and class names of a CIFAR archive.

    Args:
        content: the .tar.gz of the binary version.
        train: members of the training part, in order.
        test: members of the test part.
        names: member that lists the class names, one a line.
        label_bytes: bytes before each image, of which the last is the label.

    Returns:
        Images (N, 3, 32, 32), labels, how many of them are for training, and the class names.

    Raises:
        DataError: where the archive is damaged or a member is missing or of a wrong length.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009).
    """
    members = (*train, *test, names)
    contents = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                file = archive.extractfile(member) if name in members and member.isreg() else None
                if file is not None and member.size <= MOST_BYTES:
                    contents[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"the archive of the set cannot be read: {error}") from error
    missing = [name for name in members if name not in contents]
    if missing:
        raise DataError(f"the archive of the set lacks {', '.join(missing)}")
    classes = tuple(contents[names].decode("ascii", "replace").split())
    trains = _records(b"".join(contents[name] for name in train), label_bytes)
    tests = _records(b"".join(contents[name] for name in test), label_bytes)
    records = np.concatenate([trains, tests])
    labels = records[:, label_bytes - 1].astype(np.int64)
    if labels.size == 0 or labels.max() >= len(classes):
        raise DataError(f"the archive of the set has labels that its {len(classes)} class names do not cover")
    images = np.ascontiguousarray(records[:, label_bytes:]).reshape(-1, 3, 32, 32)
    return images, labels, len(trains), classes


def _records(content: bytes, label_bytes: int) -> Pixels:
    length = label_bytes + IMAGE_BYTES
    if len(content) % length:
        raise DataError(f"the archive of the set has a member whose length is no multiple of {length}")
    return np.frombuffer(content, np.uint8).reshape(-1, length)
