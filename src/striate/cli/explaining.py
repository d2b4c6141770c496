"""What is explained: the network that a word means, taking pixels in [0, 1], with its photos and its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from striate.core.errors import DataError, LayerError, RecipeError, unknown_name
from striate.core.events import Event, OnEvent

if TYPE_CHECKING:
    from torch import Tensor, nn

    from striate.data import Split
    from striate.data.dataset import Pixels


MOST_SERIES = 20
"""So many series are explained in one picture."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A network and how pictures become what it takes.

    Args:
        network: takes pixels in [0, 1], gives scores.
        classes: their names; numbers for a network that has none.
        size: height and width, pixels; of series 1 and their length.
        channels: 1 or 3; series have any number.
        fill: colour of the padding, 0 to 255 a channel.
        fit: how a picture of another shape is fitted.
        device: where it computes.
        inside: what comes before the names of layers that `striate summary` shows.
        temperature: what scores are divided by before their softmax is a calibrated probability.
        source: what it was trained on, where that is known.
        multi_label: whether scores are of labels, of which an image may have several, each with a probability
            by itself.
        of_series: whether it takes series (N, C, L), of any numbers unless of pixels, and no pictures.
    """

    network: nn.Module
    classes: tuple[str, ...]
    size: tuple[int, int]
    channels: int
    fill: tuple[int, ...]
    fit: str = "pad"
    device: str = "cpu"
    inside: str = ""
    temperature: float = 1.0
    source: str | None = None
    multi_label: bool = False
    of_series: bool = False

    def path_of(self, layer: str) -> str:
        """Give the path of a layer that is named as `striate summary` names it."""
        paths = dict(self.network.named_modules())
        inner = self.inside + layer
        return inner if inner.partition(" (")[0] in paths else layer

    def shown(self, layer: str) -> str:
        """Give the name of a layer as `striate summary` shows it."""
        return layer.removeprefix(self.inside)

    def target(self, name: str) -> int:
        """Give the number of a class that is named, or given by its number.

        Raises:
            LayerError: where there is no such class, naming the nearest.
        """
        if name in self.classes:
            return self.classes.index(name)
        if name.isdecimal() and int(name) < len(self.classes):
            return int(name)
        raise LayerError(unknown_name("class", name, self.classes))


def find_explained(word: str, *, size: str | None, device: str | None) -> Explained:
    """Find what is to be explained.

    Args:
        word: a run, a model file, or ``module:factory`` of the user's code.
        size: pixels of the images, for the user's code alone.
        device: where to compute; ``None`` chooses.

    Returns:
        The network.

    Raises:
        RecipeError: where there is none of that name, or it is a name of the catalogue, which is not trained.
        ModelFileError: where a path holds no model.
        TraceError: where the user's code cannot be imported or gives no network.
        LayerError: where the network takes no pictures, or a size is given for a trained one.
    """
    from striate.models import CATALOGUE

    if word in CATALOGUE:
        raise RecipeError(
            f"{word} is a network that is not trained; name a run, a model file or module:factory"
        )
    if Path(word).exists() or word.endswith(".safetensors"):
        if size is not None:
            raise LayerError(f"{word} is trained, and its size is what it is; leave --size out")
        return _from_file(Path(word), device)
    return _from_code(word, size, device)


def read_photos(explained: Explained, photos: Sequence[Path]) -> list[Pixels]:
    """Read pictures as a network takes them.

    Args:
        explained: the network.
        photos: files.

    Returns:
        uint8 (C, H, W) of each.

    Raises:
        DataError: where one cannot be read, naming it.
    """
    from striate.data import decode_image

    wanted = explained
    found = []
    for photo in photos:
        try:
            found.append(
                decode_image(
                    photo, size=wanted.size, channels=wanted.channels, fit=wanted.fit, fill=wanted.fill
                )
            )
        except DataError as error:
            raise DataError(f"{photo}: {error}") from error
    return found


def read_series(explained: Explained, files: Sequence[Path]) -> tuple[list[Path], list[Pixels]]:
    """Read series as a network takes them.

    Args:
        explained: the network, a classifier of series.
        files: as for `striate predict`.

    Returns:
        The name of each, its file first; and C x L of each.

    Raises:
        DataError: where one cannot be read, naming it, or there are too many for a picture.
    """
    from striate.classifier import Classifier
    from striate.data import ItemsTaken, items_of

    assert isinstance(explained.network, Classifier)
    shown = explained.network.preprocessing
    taken = ItemsTaken(shown.size, shown.channels, shown.fit, shown.numbers)
    items = [item for file in files for item in items_of(file, taken)]
    if len(items) > MOST_SERIES:
        raise DataError(
            f"{len(items):,} series are too many for a picture, which shows {MOST_SERIES} at most; an .npy "
            "file of one series "
            "each names those that matter"
        )
    found = []
    for item in items:
        try:
            found.append(item.load())
        except (DataError, OSError) as error:
            raise DataError(f"{item.name}: {error}") from error
    return [Path(item.name) for item in items], found


def read_data(explained: Explained, data: str | None, on_event: OnEvent) -> tuple[str, Split]:
    """Open images to look at: the test part where there is one, as the network takes them.

    Args:
        explained: the network.
        data: any source of images; ``None``: what it was trained on.
        on_event: is given the progress, and what was noticed.

    Returns:
        The source, and the images with their labels.

    Raises:
        DataError: where the source cannot be used, or none is named and none is known.
    """
    from striate.data import Split, open_dataset, open_split

    source = explained.source if data is None else data
    if source is None:
        raise DataError(
            "what this network was trained on is not known here; name images to look at with --data"
        )
    if explained.inside:
        split, rejected, notes = open_split(source, None, like=explained, on_event=on_event)
        for note in (*notes, *(f"left out {file.name}: {file.reason}" for file in rejected)):
            on_event(Event("note", {"message": note}))
        return source, split
    # Of the user's own code no names of classes are known, so that images of any class will do.
    dataset = open_dataset(source, size=explained.size[0], channels=explained.channels, on_event=on_event)
    found = dataset.validation if dataset.test is None else dataset.test
    if dataset.size != explained.size:
        sides = ["x".join(map(str, each)) for each in (dataset.size, explained.size)]
        raise DataError(
            f"the images of {source} are {sides[0]}, where the network takes {sides[1]}; see --size"
        )
    return source, Split(found.images, found.labels)


def in_unit_range(pixels: Sequence[Pixels], device: str) -> Tensor:
    """Make pixels numbers in [0, 1]; other numbers of series stay as they are.

    Args:
        pixels: uint8 (C, H, W) of each picture; of series (C, L).
        device: where they are wanted.

    Returns:
        float32 (N, C, H, W) or (N, C, L).
    """
    import numpy as np
    import torch

    from striate.data.batches import as_numbers

    return as_numbers(torch.from_numpy(np.stack(pixels)).to(device))


def _from_file(path: Path, device: str | None) -> Explained:
    from striate.classifier import load
    from striate.data import NAMES
    from striate.training import Run

    classifier = load(path, device=device, precision="float32")
    # One pass is explained, not the mean with those of mirrored and shifted images.
    seen_once = replace(classifier.preprocessing, average_mirrored=False, average_shifted=0)
    classifier.preprocessing = seen_once
    source = classifier.details.get("source")
    if classifier.preprocessing.dims == 3:
        sides = "x".join(map(str, classifier.size))
        raise LayerError(
            f"{path} takes volumes of {sides}, and pictures and series are looked at here; the functions of "
            "striate.explain "
            "and striate.attack take any network and its inputs as tensors"
        )
    height, width = (1, *classifier.size)[-2:]
    known = source if isinstance(source, str) and source in NAMES else None
    return Explained(
        network=classifier,
        classes=classifier.classes,
        size=(height, width),
        channels=classifier.channels,
        fill=classifier.fill,
        fit=classifier.fit,
        device=classifier.policy.device,
        inside="network.",
        temperature=classifier.temperature,
        source=Run(path).source if known is None and path.is_dir() else known,
        multi_label=classifier.multi_label,
        of_series=classifier.preprocessing.dims == 1,
    )


def _from_code(word: str, size: str | None, device: str | None) -> Explained:
    import torch

    from striate.cli.networks import Wanted, find_network, read_size
    from striate.core.device import choose_policy
    from striate.engine.borrowing import borrowed
    from striate.explain.differentiating import plain_scores

    place = choose_policy(device, "float32").device
    found = find_network(word, Wanted(read_size(size), None, None))
    if len(found.shape) != 3 or found.shape[0] not in (1, 3):
        shape = "x".join(map(str, found.shape))
        raise LayerError(f"{word} takes inputs of {shape}, where pictures of 1 or 3 channels are explained")
    channels, height, width = found.shape
    network = found.network.to(place)
    with borrowed(network):
        outputs = plain_scores(network, torch.zeros(1, *found.shape, device=place))
    return Explained(
        network=network,
        classes=tuple(map(str, range(outputs.shape[1]))),
        size=(height, width),
        channels=channels,
        fill=(0,) * channels,
        device=place,
    )
