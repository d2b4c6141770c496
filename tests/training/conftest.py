"""Small real data and a training that takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import striate
from striate.core.events import Event
from striate.training import Run, train

FAST = {"model": "compact-small", "batch": 64, "epochs": 2, "device": "cpu"}


@pytest.fixture(scope="session")
def digits() -> striate.Dataset:
    return striate.open_dataset("digits")


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., tuple[Run, list[Event]]]:
    """Train on something in a new directory and give the run and its events."""

    def call(data, **fields) -> tuple[Run, list[Event]]:
        events: list[Event] = []
        out = fields.pop("out", tmp_path / "run")
        if "minutes" in fields:
            fields.setdefault("epochs", None)
        run = train(data, out=out, on_event=events.append, **{**FAST, **fields})
        return run, events

    return call


@pytest.fixture(scope="session")
def shapes() -> tuple[np.ndarray, np.ndarray]:
    """Grey images of 16 x 16 pixels: a bright disc, a bright bar or a bright frame somewhere on noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    rows, columns = np.mgrid[:16, :16]
    images = generator.integers(0, 90, (120, 16, 16))
    for image, label in zip(images, labels, strict=True):
        top, left = generator.integers(4, 12, 2)
        apart = np.maximum(abs(rows - top), abs(columns - left))
        masks = (np.hypot(rows - top, columns - left) < 4, abs(rows - top) < 2, apart == 4)
        image[masks[label]] += 130
    return images.astype(np.uint8), labels


@pytest.fixture(scope="session")
def start(tmp_path_factory, shapes) -> Run:
    """A network that has learnt to tell these shapes apart, a little."""
    out = tmp_path_factory.mktemp("start") / "run"
    fields = {"model": "compact-small", "epochs": 4, "batch": 16, "device": "cpu"}
    return train(shapes, out=out, on_event=lambda _: None, **fields)
