"""Read images and labels from arrays in memory and from .npz files, checking all that can be wrong."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.core.errors import DataError
from striate.core.events import OnEvent, ignore
from striate.data.archives import most_unpacked
from striate.data.assembling import Collection
from striate.data.axes import NOUNS
from striate.data.dataset import Labels, Pixels
from striate.data.label_sets import check_table, join_tables, label_table, names_in, sets_of_names
from striate.data.listing import are_characters, class_order
from striate.data.npz_arrays import NpzArrays
from striate.data.numbered import Items, item_names, join_items, joined_names, read_items
from striate.data.preparing import to_uint8

PART_KEYS = (
    ("train", ("x_train", "train_images", "X_train"), ("y_train", "train_labels", "Y_train")),
    ("validation", ("x_val", "val_images", "x_validation", "X_val"), ("y_val", "val_labels", "y_validation")),
    ("test", ("x_test", "test_images", "X_test"), ("y_test", "test_labels", "Y_test")),
    ("all", ("images", "x", "X"), ("labels", "y", "Y")),
)

# What NumPy and zipfile raise on files made to harm or broken by chance. RuntimeError is a password, or a
# head nested too deeply.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def collect_npz(path: Path, *, on_event: OnEvent = ignore) -> Collection:
    """Read a .npz file of images, series or volumes, and their labels.

    Series and volumes that would take over a quarter of the free memory stay in the file, where it is not
    compressed, and are read as they are needed.

    Args:
        path: a file with ``x_train, y_train`` and perhaps ``x_val, y_val``, ``x_test, y_test``; or with
            ``images, labels``; and perhaps ``classes``, the names of the integer labels, ``names`` of the
            items, and ``axes``, which says what the axes are, such as ``NLC`` (see `striate.data.axes`).
        on_event: told of the progress.

    Returns:
        Its images.

    Raises:
        DataError: where it is no .npz, holds Python objects, unpacks to far more than images do, or its
            arrays are not images and labels.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is no .npz file, but one array; save images and labels with numpy.savez")
        with file:
            _check_size(file, path)
            return _collect(NpzArrays(file, path), path.stem, str(path), on_event)
    except DAMAGE as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise DataError(f"cannot read {path}: {error}") from error
        if "pickle" in str(error).lower() or "object arrays" in str(error).lower():
            raise DataError(
                f"{path} holds Python objects, which can run code when read; save plain arrays of numbers"
            ) from error
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} is no .npz file, or is damaged: {reason}") from error


def collect_arrays(images: Any, labels: Any, *, on_event: OnEvent = ignore) -> Collection:
    """Take images, series or volumes and their labels in memory.

    Args:
        images: array or tensor of shape (N, H, W), (N, H, W, C) or (N, C, H, W); of series (N, L), (N, C, L)
            or (N, L, C); of volumes and clips (N, D, H, W), (N, C, D, H, W) or (N, D, H, W, C).
        labels: N whole numbers or names; where images may have several, a collection of names for each, or an
            array of shape (N, K) of zeros and ones.
        on_event: told of the progress.

    Returns:
        A copy of them as a collection.

    Raises:
        DataError: where they are not images and labels, or not of one length.

    >>> collect_arrays(np.zeros((2, 8, 8), np.uint8), ["cat", "ant"]).classes
    ('ant', 'cat')
    """
    arrays = {"images": images, "labels": labels}
    sets = sets_of_names(labels)
    if sets is not None:
        classes = names_in(sets)
        arrays |= {"labels": label_table(sets, classes), "classes": np.array(classes)}
    return collect_mapping(arrays, on_event=on_event)


def collect_mapping(arrays: Mapping[str, Any], *, on_event: OnEvent = ignore) -> Collection:
    """Take arrays in memory that are named as those of an .npz file are.

    Args:
        arrays: as for `collect_npz`.
        on_event: told of the progress.

    Returns:
        A copy of them as a collection.

    Raises:
        DataError: where they are not images and labels, or not of one length.

    >>> series = np.zeros((4, 60, 30))
    >>> collect_mapping({"x": series, "y": [0, 1, 0, 1], "axes": "NLC"}).images.shape
    (4, 30, 60)
    """
    return _collect(arrays, "arrays", None, on_event)


def to_images(array: Any, name: str, notes: list[str]) -> Pixels:
    """Bring an array of images to uint8 (N, C, H, W).

    Args:
        array: (N, H, W), (N, H, W, C) or (N, C, H, W); uint8, whole numbers in 0..255 or float in [0, 1].
        name: what it is called in an error.
        notes: what is decided where both orders fit is appended here.

    Returns:
        The images; not a copy where they are so already.

    Raises:
        DataError: for another shape, dtype or range.

    >>> to_images(np.ones((5, 8, 8, 3)), "x", []).shape
    (5, 3, 8, 8)
    """
    array = _numpy(array)
    what = f"{name} of shape {array.shape} and dtype {array.dtype}"
    if array.dtype.kind not in "uif":
        raise DataError(f"{what} holds no images: uint8, or float in [0, 1], is wanted")
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4:
        first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
        if first and last:
            notes.append(f"{name} of shape {array.shape} is taken to have its channels last")
        if last:
            array = array.transpose(0, 3, 1, 2)
        elif not first:
            raise DataError(f"{what} has neither 1 nor 3 channels; (N, H, W, C) or (N, C, H, W) is wanted")
    else:
        raise DataError(f"{what} holds no images; (N, H, W), (N, H, W, C) or (N, C, H, W) is wanted")
    if array.size == 0:
        raise DataError(f"{what} is empty")
    if array.dtype.kind in "ui" and array.dtype != np.uint8:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > 255:
            raise DataError(f"{what} has values from {low} to {high}, where whole numbers are in 0 to 255")
        array = array.astype(np.uint8)
    return np.ascontiguousarray(to_uint8(array, what))


def _check_size(file: np.lib.npyio.NpzFile, path: Path) -> None:
    members = [] if file.zip is None else file.zip.infolist()
    stated = sum(member.file_size for member in members)
    if stated > most_unpacked(path):
        raise DataError(
            f"{path} unpacks to {stated / 1e9:.1f} GB, far more than images in a file of its size do"
        )


def _collect(arrays: Mapping[str, Any], name: str, source: str | None, on_event: OnEvent) -> Collection:
    notes: list[str] = []
    found: list[tuple[str, Items, npt.NDArray[Any], tuple[str, ...] | None]] = []
    stated = str(np.asarray(arrays["axes"])) if "axes" in arrays else None
    for part, image_keys, label_keys in PART_KEYS:
        images_key = next((key for key in image_keys if key in arrays), None)
        labels_key = next((key for key in label_keys if key in arrays), None)
        if images_key is None or labels_key is None:
            if images_key != labels_key:
                raise DataError(f"{source} has {images_key or labels_key} without its {_partner(images_key)}")
            continue
        items = read_items(_numpy(arrays[images_key]), images_key, notes, stated=stated)
        labels = _check_labels(arrays[labels_key], labels_key, images_key, len(items.array))
        names = item_names(arrays, images_key, len(items.array))
        found.append((part, items, labels, names))
    if not found:
        raise DataError(
            f"{source} has the arrays {', '.join(arrays)}, where x_train and y_train, or images and labels, "
            "are wanted"
        )
    if any(part == "train" for part, *_ in found):
        found = [each for each in found if each[0] != "all"]
    images, is_image = _joined([items for _, items, _, _ in found], source, notes, on_event)
    classes, indices = _index([labels for _, _, labels, _ in found], arrays, notes)
    return Collection(
        name=name,
        source=source,
        images=images,
        labels=indices,
        parts=np.concatenate([np.full(len(items.array), part) for part, items, _, _ in found]),
        classes=classes,
        names=joined_names([names for *_, names in found]),
        notes=tuple(notes),
        # Numbers mostly count the classes through; only all ten digits are taken for digits.
        flip=is_image and (not are_characters(classes) or set(classes) < set("0123456789")),
        fill=None if is_image else (0,) * images.shape[1],
    )


def _joined(
    parts: list[Items], source: str | None, notes: list[str], on_event: OnEvent
) -> tuple[Pixels, bool]:
    """Join what the parts hold, and say whether it is images."""
    if len({items.dims for items in parts}) > 1:
        said = ", ".join(f"{items.name} {NOUNS[items.dims]}" for items in parts)
        raise DataError(
            f"the parts of {source} are of unlike kinds: {said}; an array 'axes' can say what they are"
        )
    if parts[0].dims != 2:
        return join_items(parts, on_event), False
    try:
        images = [to_images(items.array, items.name, notes) for items in parts]
    except DataError as error:
        if all(items.array.ndim not in (3, 4) for items in parts):
            raise
        hint = "an array 'axes' beside it, such as 'NCL' or 'NDHW', says that it holds series or volumes"
        raise DataError(f"{error}; {hint}") from error
    shapes = {each.shape[1:] for each in images}
    if len(shapes) > 1:
        raise DataError(f"the parts of {source} have images of unlike shapes: {sorted(shapes)}")
    return np.concatenate(images), True


def _partner(images_key: str | None) -> str:
    return "images" if images_key is None else "labels"


def _check_labels(values: Any, name: str, images_name: str, length: int) -> npt.NDArray[Any]:
    labels = _numpy(values)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    what = f"{name} of shape {labels.shape} and dtype {labels.dtype}"
    if labels.ndim == 2:
        labels = check_table(labels, what)
    elif labels.ndim != 1:
        raise DataError(f"{what} holds no labels; one whole number or name for each image is wanted")
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all() or (labels != np.floor(labels)).any():
            raise DataError(f"{what} has values that are no whole numbers")
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "O" and all(isinstance(value, str) for value in labels):
        labels = labels.astype(str)
    if labels.dtype.kind not in "uiUb":
        raise DataError(f"{what} holds no labels; whole numbers or names are wanted")
    if len(labels) != length:
        raise DataError(f"{images_name} has {length} images but {name} has {len(labels)} labels")
    return labels.astype(np.int64) if labels.dtype.kind == "b" else labels


def _index(labels: list[npt.NDArray[Any]], arrays: Any, notes: list[str]) -> tuple[tuple[str, ...], Labels]:
    if any(values.ndim == 2 for values in labels):
        named = [str(name) for name in np.asarray(arrays["classes"]).ravel()] if "classes" in arrays else None
        return join_tables(labels, named, notes)
    if len({values.dtype.kind == "U" for values in labels}) > 1:
        raise DataError("the labels of one part are names and those of another numbers")
    values = np.concatenate(labels)
    if "classes" in arrays and values.dtype.kind != "U":
        names = tuple(str(name) for name in np.asarray(arrays["classes"]).ravel())
        low, high = int(values.min()), int(values.max())
        if len(set(names)) < len(names):
            raise DataError("classes names a class twice")
        if low < 0 or high >= len(names):
            raise DataError(f"the labels are {low} to {high}, but classes has {len(names)} names")
        return names, values.astype(np.int64)
    texts, inverse = np.unique(values, return_inverse=True)
    found = [str(text) for text in texts.tolist()]
    names = class_order(found)
    position = {name: index for index, name in enumerate(names)}
    return names, np.array([position[name] for name in found], np.int64)[inverse]


def _numpy(values: Any) -> npt.NDArray[Any]:
    if hasattr(values, "detach") and hasattr(values, "cpu"):  # a torch tensor, without importing torch
        values = values.detach().cpu().numpy()
    if isinstance(values, np.memmap):
        return values
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of unlike lengths
        raise DataError(f"the images or labels are no array: {error}") from error
