"""The catalogue of named sets: what files they consist of, where these come from, and how they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

from striate.core.errors import DataError, unknown_name
from striate.core.events import OnEvent
from striate.core.files import cache_directory
from striate.data.arrays import collect_npz
from striate.data.assembling import Collection
from striate.data.cifar import read_cifar
from striate.data.debian import PACKAGED, unpack_package
from striate.data.fetching import Remote, fetch_all
from striate.data.idx import gunzip, parse_idx

IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


@dataclass(frozen=True)
class NamedSet:
    """A published set of images.

    Args:
        mirrors: addresses of folders that hold all files, tried in turn.
        files: names of the files and their published MD5 checksums.
        flip: whether an image means the same when mirrored.
        classes: names of the classes; empty where a file of the set tells them.
        contents: SHA-256 of what each file holds when decompressed, where another compression of it
            than the published one is in circulation.
    """

    mirrors: tuple[str, ...]
    files: dict[str, str]
    flip: bool
    classes: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()


FASHION_CLASSES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
DIGIT_CLASSES = tuple(str(digit) for digit in range(10))

NAMED_SETS = {
    # Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    # learning algorithms" (2017); checksums from its repository, zalandoresearch/fashion-mnist. The
    # contents' were taken from files that match those when the original gzip headers are put back.
    "fashion-mnist": NamedSet(
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files={
            IDX_FILES[0]: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            IDX_FILES[1]: "25c81989df183df01b3e8a0aad5dffbe",
            IDX_FILES[2]: "bef4ecab320f06d8554ea6380940ec79",
            IDX_FILES[3]: "bb300cfdad3c16e7a12a480ee83cd310",
        },
        flip=True,
        classes=FASHION_CLASSES,
        contents=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    # LeCun, Cortes and Burges (1998); the original site refuses downloads, these mirrors serve the
    # same files.
    "mnist": NamedSet(
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files={
            IDX_FILES[0]: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            IDX_FILES[1]: "d53e105ee54ea40749a09fcbcd1e9432",
            IDX_FILES[2]: "9fb629c4189551a2d022fa330f9573f3",
            IDX_FILES[3]: "ec29112dd5afa0611ce80d1b7f02629c",
        },
        flip=False,
        classes=DIGIT_CLASSES,
    ),
    # Clanuwat et al., "Deep learning for classical Japanese literature" (2018).
    "kmnist": NamedSet(
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        files={
            IDX_FILES[0]: "bdb82020997e1d708af4cf47b453dcf7",
            IDX_FILES[1]: "e144d726b3acfaa3e44228e80efcd344",
            IDX_FILES[2]: "5c965bf0a639b31b8f53240b1b52f4d7",
            IDX_FILES[3]: "7320c461ea6c1c855c0b718fb2a4b134",
        },
        flip=False,
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    # Krizhevsky, "Learning multiple layers of features from tiny images" (2009); the binary version,
    # because the one for Python is made of pickles.
    "cifar10": NamedSet(
        mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        files={"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
        flip=True,
    ),
    "cifar100": NamedSet(
        mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        files={"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
        flip=True,
    ),
}

DIGITS = "digits"
NAMES = (*NAMED_SETS, DIGITS)


def collect_named(name: str, *, on_event: OnEvent) -> Collection:
    """Read a named set, fetching it first where it is not on this machine.

    ``digits`` are the 1,797 scans of 8x8 pixels that scikit-learn distributes; they come with striate,
    and the last 360 of them, by other writers than the first, are the test part.

    Args:
        name: one of `NAMES`.
        on_event: told of the progress.

    Returns:
        Its images.

    Raises:
        DataError: where there is no such set, or it can be fetched from nowhere.

    >>> from striate.core.events import ignore
    >>> collect_named("digits", on_event=ignore).images.shape
    (1797, 1, 8, 8)
    """
    if name == DIGITS:
        return _digits()
    if name not in NAMED_SETS:
        raise DataError(unknown_name("named set", name, NAMES))
    published = NAMED_SETS[name]
    if name.startswith("cifar"):
        return _collect_cifar(name, published, on_event)
    return _collect_idx(name, published, on_event)


def _digits() -> Collection:
    with resources.as_file(resources.files("striate.data") / "digits.npz") as path:
        collection = collect_npz(path)
    return Collection(**{**vars(collection), "name": DIGITS, "source": DIGITS, "flip": False})


def _collect_idx(name: str, published: NamedSet, on_event: OnEvent) -> Collection:
    contents = _contents(name, published, on_event)
    arrays = [parse_idx(content, file) for file, content in zip(published.files, contents, strict=True)]
    images, labels = arrays[0::2], arrays[1::2]
    for part, values in zip(images, labels, strict=True):
        if part.ndim != 3 or values.shape != part.shape[:1] or values.max() >= len(published.classes):
            raise DataError(f"the files of {name} do not hold images and labels that fit each other")
    return Collection(
        name=name,
        source=name,
        images=np.concatenate(images)[:, None],
        labels=np.concatenate(labels).astype(np.int64),
        parts=np.repeat(["train", "test"], [len(part) for part in images]),
        classes=published.classes,
        flip=published.flip,
    )


def _collect_cifar(name: str, published: NamedSet, on_event: OnEvent) -> Collection:
    content = _contents(name, published, on_event)[0]
    if name == "cifar10":
        train = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
        read = partial(read_cifar, train=train, test=("test_batch.bin",), names="batches.meta.txt")
        images, labels, trains, classes = read(content, label_bytes=1)
    else:
        read = partial(read_cifar, train=("train.bin",), test=("test.bin",), names="fine_label_names.txt")
        images, labels, trains, classes = read(content, label_bytes=2)
    return Collection(
        name=name,
        source=name,
        images=images,
        labels=labels,
        parts=np.repeat(["train", "test"], [trains, len(images) - trains]),
        classes=classes,
        flip=published.flip,
    )


def _contents(name: str, published: NamedSet, on_event: OnEvent) -> list[bytes]:
    """Read the files of a set: installed, in the cache, from a mirror or a Debian package, in this order."""
    cache = cache_directory() / "sets" / name
    packaged = PACKAGED.get(name)
    for folder in (cache,) if packaged is None else (packaged.folder, cache):
        contents = {file: _verified(folder / file, published) for file in published.files}
        if whole := _all_there(contents):
            return whole
    missing = [Remote(file, published.files[file]) for file in contents if contents[file] is None]
    try:
        fetch_all(name, missing, published.mirrors, cache, on_event=on_event)
    except DataError:
        if packaged is None or not unpack_package(packaged, cache, on_event=on_event):
            raise
    whole = _all_there({file: _verified(cache / file, published) for file in published.files})
    if not whole:
        raise DataError(f"the files of {name} in {cache} are not as published; delete them and try again")
    return whole


def _all_there(contents: dict[str, bytes | None]) -> list[bytes]:
    there = [content for content in contents.values() if content is not None]
    return there if len(there) == len(contents) else []


def _verified(path: Path, published: NamedSet) -> bytes | None:
    """Read a file, decompressed if it is an idx file; ``None`` where it is absent or not as published."""
    try:
        raw = path.read_bytes()
        content = gunzip(raw, path.name) if path.name in IDX_FILES else raw
    except (OSError, DataError):
        return None
    # MD5 as published: it guards against damage in transfer, not against a forger.
    if hashlib.md5(raw, usedforsecurity=False).hexdigest() == published.files[path.name]:
        return content
    if published.contents:
        wanted = published.contents[list(published.files).index(path.name)]
        return content if hashlib.sha256(content).hexdigest() == wanted else None
    return None
