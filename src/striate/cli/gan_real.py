"""Real images beside those of a generator: opened as its training did, and drawn by chance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from striate.core.errors import DataError, ShapeError, unknown_name
from striate.core.events import OnEvent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from striate.data import Dataset, Split
    from striate.gan import TrainedGenerator


def unseen(dataset: Dataset) -> tuple[str, Split]:
    """Give the part whose images no generator has learnt from: test where there is one, else validation.

    Args:
        dataset: as the training opened it.

    Returns:
        The part's name and images.
    """
    return ("validation", dataset.validation) if dataset.test is None else ("test", dataset.test)


def open_real(generator: TrainedGenerator, data: str | None, word: str, on_event: OnEvent) -> Dataset:
    """Open images as the training of the generator did, so that no part of them is another.

    Args:
        generator: says how they were opened, and of what size its own are.
        data: what to open; ``None``: what it learnt from.
        word: the run or file that it is from.
        on_event: is given the progress.

    Returns:
        The images, of its size.

    Raises:
        DataError: where they cannot be used, or nothing is known of them.
        ShapeError: where they are not as the generator's.
    """
    from striate.gan.opening import open_images
    from striate.gan.recipe import GanRecipe
    from striate.gan.run import GanRun

    known = generator.details.get("source")
    source = data or known or (GanRun(Path(word)).source if Path(word).is_dir() else None)
    if source is None:
        raise DataError("what this generator learnt from is not known here; name images with --data")
    recipe = GanRecipe.from_dict(generator.details.get("recipe", {})).changed(size=generator.size)
    dataset = open_images(source, recipe, on_event=on_event)
    if dataset.channels != generator.channels or dataset.size != (generator.size, generator.size):
        theirs = "x".join(map(str, (dataset.channels, *dataset.size)))
        own = "x".join(map(str, (generator.channels, generator.size, generator.size)))
        raise ShapeError(
            f"the images of {dataset.name} are {theirs}, and the generator makes {own}: they could be told "
            "apart by that alone"
        )
    return dataset


def drawn_rows(
    split: Split, dataset: Dataset, count: int, *, only: str | None, seed: int
) -> NDArray[np.int64]:
    """Draw rows of a part by chance, of one class where one is named.

    Args:
        split: the part.
        dataset: that it is of.
        count: how many rows.
        only: the class; ``None``: any.
        seed: of the choice.

    Returns:
        The rows, (count).

    Raises:
        DataError: where there are too few, or there is no such class.
    """
    import numpy as np

    from striate.core.seeds import derive

    rows = np.arange(len(split))
    if only is not None:
        if only not in dataset.classes:
            raise DataError(unknown_name("class", only, dataset.classes))
        rows = np.flatnonzero(np.asarray(split.labels) == dataset.classes.index(only))
    if len(rows) < count:
        raise DataError(
            f"{dataset.name} has {len(rows)} images that were not learnt from, and {count} are wanted"
        )
    return np.random.default_rng(derive(seed, "real images")).permutation(rows)[:count]
