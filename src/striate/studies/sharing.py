"""Sharing weights, measured: a convolution against a locally connected layer, on centred and shifted images.

``python -m striate.studies.sharing --out FOLDER`` trains them on Fashion-MNIST and leaves ``sharing.json``
and ``sharing.png``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
from torch import nn

from striate.core.device import Policy, choose_policy
from striate.core.errors import RecipeError, ShapeError
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.data import Dataset, Split, open_dataset
from striate.data.label_sets import refuse_several
from striate.data.opening import Source
from striate.engine.randomness import borrowed_generators, seed_generators
from striate.nn import Conv, LocallyConnected
from striate.studies import command
from striate.studies.fitting import Pixels, drawn, error_on, fit
from striate.studies.sharing_results import ARRANGEMENTS, LAYERS, Cell, SharingStudy

WIDTH, KERNEL, STRIDE = 16, 6, 2
MARGIN = 4
"""The black border in pixels within which images are shifted, and so the largest shift."""

RATES = (0.01, 0.03, 0.1, 0.3)
SHARES = (16, 4, 1)
"""The training sets have the number of images that is asked for, divided by these."""

TEST_IMAGES = 10_000


def study_sharing(
    source: Source = "fashion-mnist",
    *,
    images: int = 8000,
    epochs: int = 6,
    seeds: int = 5,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> SharingStudy:
    """Train one layer of features, shared or not, and a linear head, on centred and on shifted images.

    Both networks have 16 feature maps of 6 x 6 windows with a stride of 2, a rectifier, maximum pooling over
    2 x 2 and a linear head. In the convolution all windows of a map have the same weights; in the locally
    connected layer each has its own. Every image lies on a black ground, 4 pixels larger on each side: in
    its centre, or at a random place of its own, which stays its place through all epochs.

    The learning rate is chosen for each combination of layer, number of images and arrangement, by the
    accuracy on validation images after one training with a seed of its own; what is reported are trainings
    with other seeds, tested once on test images.

    Args:
        source: what `striate.open_dataset` takes.
        images: how many to train on, at least 16; smaller sets have a quarter and a sixteenth of them.
        epochs: how often each of them is seen, at least 1; those of smaller sets are seen as many times more
            often as there are fewer, so that all trainings have about as many steps.
        seeds: how often everything is repeated with other weights, images, places and order, at least 1.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: is told of the progress.

    Returns:
        The study.

    Raises:
        RecipeError: where a number is too small.
        ShapeError: where the images' sides are odd, so that the windows would leave pixels over.
        DataError: where the images cannot be used.
        DeviceError: where this machine does not have the device.

    Source: LeCun, Generalization and Network Design Strategies (1989), for the comparison.
    """
    for name, value, least in (("images", images, max(SHARES)), ("epochs", epochs, 1), ("seeds", seeds, 1)):
        if value < least:
            raise RecipeError(f"{name} is {value}, where at least {least} is wanted")
    began = time.perf_counter()
    policy = choose_policy(device)
    dataset = open_dataset(source, on_event=on_event)
    refuse_several(dataset.train.labels, what="this study")
    if any(side % STRIDE for side in dataset.size):
        height, width = dataset.size
        raise ShapeError(
            f"images of {height}x{width} pixels with a border of {MARGIN} do not fit windows of {KERNEL} "
            f"with stride {STRIDE}: ({height} + {2 * MARGIN} - {KERNEL})/{STRIDE} + 1 = "
            f"{(height + 2 * MARGIN - KERNEL) / STRIDE + 1:g} high and "
            f"{(width + 2 * MARGIN - KERNEL) / STRIDE + 1:g} wide; even sides do"
        )
    test = _Parts.of(dataset.test or dataset.validation)
    validation = _Parts.of(dataset.validation)
    cells = []
    with borrowed_generators(policy.device):
        for share in SHARES:
            for arrangement in ARRANGEMENTS:
                for layer in LAYERS:
                    trainings = _Trainings(
                        dataset, layer, arrangement, images // share, share * epochs, policy, on_event
                    )
                    cells.append(trainings.cell(validation, test, seeds))
    return SharingStudy(
        source=dataset.name,
        size=dataset.size,
        margin=MARGIN,
        test_images=len(test.centred),
        seeds=seeds,
        precision=policy.precision,
        seconds=round(time.perf_counter() - began, 1),
        cells=tuple(cells),
    )


def placed(split: Split, *, margin: int, seed: int | None) -> Split:
    """Lay images on a larger black ground.

    Args:
        split: the images.
        margin: pixels by which the ground is larger on each side.
        seed: what the place of each follows from; ``None``: the centre.

    Returns:
        Images of N x C x (H + 2 margin) x (W + 2 margin); nothing of any image is cut off.

    >>> split = Split(np.full((1, 1, 2, 2), 9, np.uint8), np.array([0]))
    >>> placed(split, margin=1, seed=None).images[0, 0].tolist()
    [[0, 0, 0, 0], [0, 9, 9, 0], [0, 9, 9, 0], [0, 0, 0, 0]]
    """
    count, channels, height, width = split.images.shape
    ground = np.zeros((count, channels, height + 2 * margin, width + 2 * margin), np.uint8)
    places = np.full((count, 2), margin)
    if seed is not None:
        places = np.random.default_rng(seed).integers(0, 2 * margin + 1, (count, 2))
    for spot, image, (top, left) in zip(ground, split.images, places.tolist(), strict=True):
        spot[:, top : top + height, left : left + width] = image
    return Split(ground, split.labels)


def network_of(layer: str, *, classes: int, channels: int, size: tuple[int, ...]) -> nn.Sequential:
    """Build one of the two networks, its weights drawn from torch's global generator.

    Args:
        layer: ``shared`` or ``local``.
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels, the ground included.

    Returns:
        The network.
    """
    features: nn.Module
    if layer == "shared":
        features = Conv(channels, WIDTH, kernel=KERNEL, stride=STRIDE, padding="valid")
    else:
        features = LocallyConnected(channels, WIDTH, size=size, kernel=KERNEL, stride=STRIDE)
    height, width = (((side - KERNEL) // STRIDE + 1) // 2 for side in size)
    head = nn.Linear(WIDTH * height * width, classes)
    return nn.Sequential(features, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), head)


class _Parts:
    """Images to measure on, in both arrangements."""

    def __init__(self, centred: Split, shifted: Split) -> None:
        self.centred, self.shifted = centred, shifted

    @classmethod
    def of(cls, split: Split) -> _Parts:
        chosen = drawn(split, TEST_IMAGES, derive(0, "measured images"))
        seed = derive(0, "measured places")
        return cls(placed(chosen, margin=MARGIN, seed=None), placed(chosen, margin=MARGIN, seed=seed))


class _Trainings:
    """The trainings of one layer on one number of images in one arrangement."""

    def __init__(
        self,
        dataset: Dataset,
        layer: str,
        arrangement: str,
        count: int,
        epochs: int,
        policy: Policy,
        on_event: OnEvent,
    ) -> None:
        self._dataset, self._layer, self._arrangement = dataset, layer, arrangement
        self._count, self._epochs, self._policy, self._on_event = count, epochs, policy, on_event

    def cell(self, validation: _Parts, test: _Parts, seeds: int) -> Cell:
        """Choose the rate, then train with fresh seeds and test."""
        here = validation.shifted if self._arrangement == "shifted" else validation.centred
        errors = {rate: self._trained("choosing", rate)(here) for rate in RATES}
        rate = min(errors, key=lambda each: errors[each])
        centred, shifted = [], []
        for seed in range(seeds):
            error = self._trained(seed, rate)
            centred.append(1 - error(test.centred))
            shifted.append(1 - error(test.shifted))
        height, width = (side + 2 * MARGIN for side in self._dataset.size)
        features = self._network((height, width))[0]
        return Cell(
            layer=self._layer,
            arrangement=self._arrangement,
            images=min(self._count, len(self._dataset.train)),
            rate=rate,
            epochs=self._epochs,
            weights=sum(parameter.numel() for parameter in features.parameters()),
            centred=tuple(centred),
            shifted=tuple(shifted),
        )

    def _network(self, size: tuple[int, ...]) -> nn.Sequential:
        classes, channels = len(self._dataset.classes), self._dataset.channels
        return network_of(self._layer, classes=classes, channels=channels, size=size)

    def _trained(self, seed: int | str, rate: float) -> partial[float]:
        """Train once; give what measures the error on a split."""
        place = derive(0, seed, "places") if self._arrangement == "shifted" else None
        split = drawn(self._dataset.train, self._count, derive(0, seed, "images"))
        split = placed(split, margin=MARGIN, seed=place)
        seed_generators(derive(0, seed, "weights"), self._policy.device)
        network = self._network((split.images.shape[2], split.images.shape[3])).to(self._policy.device)
        pixels = Pixels.of(split, self._policy)
        what = f"{self._layer}, {self._arrangement}, {self._count:,} images, seed {seed}, rate {rate:g}"

        def tell(done: int) -> None:
            figures = {"what": what, "done": done, "total": self._epochs, "unit": "epochs"}
            self._on_event(Event("prepare", figures))

        fit(
            network,
            split,
            pixels,
            epochs=self._epochs,
            rate=rate,
            seed=derive(0, seed, "training"),
            on_epoch=tell,
        )
        return partial(_error, network, pixels)


def _error(network: nn.Module, pixels: Pixels, split: Split) -> float:
    return error_on(network, split, pixels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, write its files and print its table.

    Args:
        arguments: of the command; ``None``: those of this process.
    """
    from striate.plots.sharing_study import sharing_accuracy

    command.run(
        arguments,
        name="sharing",
        about="Train a convolution and a locally connected layer on centred and on shifted images.",
        study=study_sharing,
        columns=SharingStudy.COLUMNS,
        pictures={"sharing.png": sharing_accuracy},
        defaults={"images": 8000, "epochs": 6, "seeds": 5},
    )


if __name__ == "__main__":
    main()
