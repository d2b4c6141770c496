"""Open images to learn to make more of: any source of a classifier, and images without classes too."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.data import Dataset, HoldOut, Split
from striate.data.arrays import collect_arrays
from striate.data.assembling import Collection, assemble, mean_colour
from striate.data.cache import open_cache
from striate.data.dataset import Labels
from striate.data.folders import image_files
from striate.data.gathering import gather
from striate.data.listing import LabelledFile, Listing, counted, open_binary, readable
from striate.data.refitting import refit
from striate.data.sources import collect, collected
from striate.data.splitting import check_share, hold_out
from striate.data.stored import pick_rows
from striate.data.wanted import Wanted
from striate.gan.recipe import GanRecipe

PHOTO_SIDE = 64
"""The side of photos where the recipe names none, pixels."""

NO_CLASS = "image"
"""The one class of images without classes."""


def open_images(
    source: Any, recipe: GanRecipe, *, cache_gb: float | None = None, on_event: OnEvent
) -> Dataset:
    """Open images as the training of a generator does.

    Args:
        source: what `striate.open_dataset` takes; or a folder of images without folders of classes, or an
            array of images alone, which are then all of one class.
        recipe: says the size, the fit and what is held out.
        cache_gb: as for `striate.open_dataset`.
        on_event: is told of the progress.

    Returns:
        The dataset, its content hashed.

    Raises:
        DataError: where the source cannot be used.

    >>> images = np.zeros((20, 8, 8), np.uint8)
    >>> len(open_images(images, GanRecipe(), on_event=lambda event: None).train)
    17
    """
    if isinstance(source, Dataset):
        dataset = source
    else:
        check_share(recipe.validation)
        wanted = Wanted(size=recipe.size, fit=recipe.fit or "crop", photo_side=PHOTO_SIDE)
        collection = _collected(source, wanted, cache_gb, on_event)
        dataset = _divided(collection, recipe, on_event)
    dataset.hash_content(on_event)
    return dataset


def _collected(source: Any, wanted: Wanted, cache_gb: float | None, on_event: OnEvent) -> Collection:
    if hasattr(source, "ndim"):
        if source.ndim == 0:
            raise DataError("a single number is no array of images; N x H x W, or with channels, is")
        return refit(collect_arrays(source, [NO_CLASS] * len(source)), wanted)
    if isinstance(source, str | os.PathLike) and os.path.isdir(source):
        files = image_files(Path(source))
        if len({file.parent for file in files}) == 1:
            return _of_files(files, Path(source), wanted, cache_gb, on_event)
    return collect(source, wanted, cache_gb=cache_gb, on_event=on_event)


def _of_files(
    files: list[Path], folder: Path, wanted: Wanted, cache_gb: float | None, on_event: OnEvent
) -> Collection:
    named = tuple(
        LabelledFile(
            readable(file.relative_to(folder).as_posix()), NO_CLASS, "all", partial(open_binary, file), file
        )
        for file in files
    )
    cache = open_cache(cache_gb)
    gathered = gather(named, wanted, source=str(folder), cache=cache, on_event=on_event)
    height, width = gathered.images.shape[2:]
    return collected(Listing(named), gathered, folder, wanted.fit_of((int(height), int(width))))


def _divided(collection: Collection, recipe: GanRecipe, on_event: OnEvent) -> Dataset:
    in_train = np.flatnonzero(np.isin(collection.parts, ("train", "all")))
    if len(np.unique(collection.labels[in_train])) != 1:
        holding = HoldOut(recipe.validation)
        return assemble(collection, holding=holding, seed=recipe.seed, on_event=on_event)
    if len(in_train) < 2:
        raise DataError(
            f"{collection.name} has {counted(len(in_train), 'image')}; a generator learns from many, and at "
            "least one more is held out"
        )
    kept, held = hold_out(collection.labels[in_train], share=recipe.validation, seed=recipe.seed)
    return Dataset(
        name=collection.name,
        source=collection.source,
        classes=(collection.classes[int(collection.labels[in_train[0]])],),
        train=_split(collection, in_train[kept]),
        validation=_split(collection, in_train[held]),
        test=None,
        rejected=collection.rejected,
        notes=collection.notes,
        flip=collection.flip,
        fit=collection.fit,
        fill=collection.fill or mean_colour(collection.images, in_train[kept]),
    )


def _split(collection: Collection, rows: Labels) -> Split:
    names = None if collection.names is None else tuple(collection.names[row] for row in rows)
    return Split(pick_rows(collection.images, rows), np.zeros(len(rows), np.int64), names)
