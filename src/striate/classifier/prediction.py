"""What a classifier says of pictures: files, folders and arrays, decoded in threads, never all at once."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
import torch
from torch import Tensor

from striate.core.errors import DataError
from striate.core.events import Event, OnEvent, ignore
from striate.data import ItemsTaken, decode_image, image_files, items_of, prepare_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from striate.classifier.classifier import Classifier

One: TypeAlias = Union[str, Path, "Image", "np.typing.NDArray[Any]", Tensor]
Inputs: TypeAlias = One | Iterable[One]

_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one picture.

    Args:
        name: the file's path; ``None`` for a picture that is no file.
        label: the likeliest class, whether it is said or not; ``None`` where the picture could not be read.
        probability: its calibrated probability.
        top: the likeliest classes with their probabilities, likeliest first.
        error: why the picture could not be read, in one sentence.
        labels: what is said of it: where pictures may have several labels all that reach their thresholds,
            maybe none, likeliest first; else the likeliest class alone.
    """

    name: str | None
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    labels: tuple[tuple[str, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give all fields by name, ready for JSON.

        Returns:
            A dictionary of plain values.

        >>> Prediction("a.png", None, None, error="the file is empty").to_dict()["error"]
        'the file is empty'
        """
        pairs = {"top": self.top, "labels": self.labels}
        return {**asdict(self), **{name: [list(pair) for pair in found] for name, found in pairs.items()}}


@dataclass(frozen=True)
class _Source:
    """One picture that is still to be decoded; ``error`` where that is known to be in vain."""

    name: str | None = None
    picture: Any = None
    error: str | None = None


@dataclass(frozen=True)
class _Decoded:
    """One picture as the network takes it, or why there is none."""

    name: str | None
    pixels: np.typing.NDArray[np.uint8] | None = None
    error: str | None = None


def predict(
    classifier: Classifier, inputs: Inputs, *, top: int = 5, on_event: OnEvent = ignore
) -> Prediction | list[Prediction]:
    """Say what is to be seen in one picture or many.

    Args:
        classifier: who says it.
        inputs: as for `Classifier.predict`.
        top: how many of the likeliest classes to name, at least 1.
        on_event: is given the progress.

    Returns:
        A prediction for one picture, a list of predictions for many.

    Raises:
        DataError: where there is no such path or no picture in it, or where a single picture that
            is not a file is of a wrong kind.
    """
    if isinstance(inputs, str | Path):
        if not os.path.exists(inputs):
            raise DataError(f"there is no file or folder {inputs}")
        single = not os.path.isdir(inputs)
    else:
        single = not _is_many(inputs, classifier)
    listed: Any = [inputs] if single else inputs
    predictions = predict_each(classifier, listed, top=top, on_event=on_event)
    if not single:
        found = list(predictions)
        if isinstance(inputs, str | Path) and len(found) == 1 and found[0].name == str(inputs):
            raise DataError(str(found[0].error))
        return found
    if classifier.preprocessing.dims != 2 and isinstance(inputs, str | Path):
        found = list(predictions)
        return found if len(found) > 1 else found[0]  # a file may hold many
    prediction = next(predictions)
    if prediction.error is not None and prediction.name is None:
        raise DataError(prediction.error)
    return prediction


def predict_each(
    classifier: Classifier, inputs: Inputs, *, top: int = 5, on_event: OnEvent = ignore
) -> Generator[Prediction, None, None]:
    """Give the prediction for each of many pictures as it is computed, in order.

    Files are decoded in threads while the batch before is computed; at no time are more than two
    batches decoded, however many files there are. What cannot be read, or is not there, has a
    prediction that holds the error.

    Args:
        classifier: who predicts.
        inputs: a path, a list of pictures and paths, or an array or tensor of four dimensions. Classifiers of
            series, volumes and clips take files of these, and arrays of one or of many.
        top: how many of the likeliest classes to name, at least 1.
        on_event: is given the progress.

    Yields:
        A prediction for each picture.

    Raises:
        ValueError: where ``top`` is under 1.
    """
    if top < 1:
        raise ValueError(f"top is {top}, where at least 1 is wanted")
    sources = _sources(inputs, classifier)
    waiting = iter(sources)
    done = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        ahead = pool.map(lambda source: _decode(source, classifier), islice(waiting, classifier.batch))
        while decoded := list(ahead):
            ahead = pool.map(lambda source: _decode(source, classifier), islice(waiting, classifier.batch))
            yield from _predictions(classifier, decoded, top)
            done += len(decoded)
            data = {"what": "predicting", "done": done, "total": len(sources), "unit": "images"}
            on_event(Event("prepare", data))


def _is_many(inputs: Any, classifier: Classifier) -> bool:
    if isinstance(inputs, np.ndarray | Tensor):
        return (
            inputs.ndim == 4 if classifier.preprocessing.dims == 2 else not _taken(classifier).is_one(inputs)
        )
    return isinstance(inputs, Iterable) and not hasattr(inputs, "getbands")  # a PIL image has bands


def _taken(classifier: Classifier) -> ItemsTaken:
    """Say what a classifier of series, volumes or clips takes."""
    taken = classifier.preprocessing
    return ItemsTaken(taken.size, taken.channels, taken.fit, taken.numbers)


def _sources(inputs: Any, classifier: Classifier) -> list[_Source]:
    if isinstance(inputs, str | Path):
        return _files(Path(inputs), classifier)
    sources: list[_Source] = []
    for picture in inputs:
        if isinstance(picture, str | Path):
            sources.extend(_files(Path(picture), classifier))
        else:
            sources.append(_Source(picture=picture))
    return sources


def _files(path: Path, classifier: Classifier) -> list[_Source]:
    """Give the pictures or items that a path means; one that means none is a source of its error."""
    name = str(path)
    try:
        if classifier.preprocessing.dims != 2:
            items = items_of(path, _taken(classifier))
            return [_Source(item.name, item.load) for item in items] or [
                _Source(name, error=f"{name} is empty")
            ]
        found = image_files(path)
    except DataError as error:
        return [_Source(name, error=str(error))]
    if not found:
        return [_Source(name, error=f"there is no image file in the folder {name}")]
    return [_Source(str(file), file) for file in found]


def _decode(source: _Source, classifier: Classifier) -> _Decoded:
    if source.error is not None:
        return _Decoded(source.name, error=source.error)
    wanted = classifier.preprocessing
    read = prepare_image if source.name is None else decode_image
    try:
        if wanted.dims != 2:
            values = _taken(classifier).prepare(source.picture) if source.name is None else source.picture()
            return _Decoded(source.name, values)
        pixels = read(
            source.picture,
            size=(wanted.size[0], wanted.size[1]),
            channels=wanted.channels,
            fit=wanted.fit,
            fill=wanted.fill,
        )
    except (DataError, OSError) as error:
        return _Decoded(source.name, error=str(error))
    return _Decoded(source.name, pixels)


def _predictions(classifier: Classifier, decoded: list[_Decoded], top: int) -> Iterator[Prediction]:
    readable = [one.pixels for one in decoded if one.pixels is not None]
    rows = iter(classifier.probabilities(np.stack(readable)) if readable else ())
    for one in decoded:
        if one.pixels is None:
            yield Prediction(one.name, None, None, error=one.error)
        else:
            yield _prediction(one.name, next(rows), classifier, top)


def _prediction(name: str | None, row: Tensor, classifier: Classifier, top: int) -> Prediction:
    if not bool(torch.isfinite(row).all()):
        return Prediction(name, None, None, error="the network's answer holds what is not a number")
    values, places = row.sort(descending=True, stable=True)
    pairs = list(zip(places.tolist(), values.tolist(), strict=True))
    named = tuple((classifier.classes[place], value) for place, value in pairs)
    said = named[:1]
    if classifier.thresholds is not None:
        reached = [value >= classifier.thresholds[place] for place, value in pairs]
        said = tuple(each for each, is_said in zip(named, reached, strict=True) if is_said)
    return Prediction(name, *named[0], top=named[:top], labels=said)
