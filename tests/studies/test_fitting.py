"""The plain training loop learns, repeats itself, and stops where a loss is no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from striate.core.device import choose_policy
from striate.data import Split, open_dataset
from striate.engine.randomness import borrowed_generators, seed_generators
from striate.studies.fitting import Pixels, drawn, error_on, fit

POLICY = choose_policy("cpu", "float32")


@pytest.fixture(scope="module")
def digits() -> Split:
    return drawn(open_dataset("digits").train, 320, 0)


def network() -> nn.Module:
    seed_generators(5, "cpu")
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(288, 10))


def trained(split: Split, *, rate: float = 0.05, seed: int = 1, epochs: int = 6):
    with borrowed_generators("cpu"):
        made, pixels, done = network(), Pixels.of(split, POLICY), []
        curve = fit(made, split, pixels, epochs=epochs, rate=rate, seed=seed, on_epoch=done.append)
        return made, pixels, curve, done


def test_it_learns_and_tells(digits) -> None:
    made, pixels, curve, done = trained(digits)
    assert done == [1, 2, 3, 4, 5, 6]
    assert len(curve.errors) == len(curve.losses) == 6
    assert not curve.diverged
    assert curve.errors[-1] < 0.2 < curve.errors[0]
    assert error_on(made, digits, pixels) < 0.2
    assert not made.training


def test_one_seed_gives_one_curve(digits) -> None:
    assert trained(digits, epochs=2)[2] == trained(digits, epochs=2)[2]
    assert trained(digits, epochs=2)[2] != trained(digits, epochs=2, seed=2)[2]


def test_a_training_that_diverges_ends_and_says_so(digits) -> None:
    curve = trained(digits, rate=1e9)[2]
    assert curve.diverged
    assert len(curve.errors) < 6


def test_the_error_is_the_share_of_wrong_images() -> None:
    images = np.zeros((7, 1, 2, 2), np.uint8)
    split = Split(images, np.array([1, 1, 0, 1, 2, 1, 1]))
    constant = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    nn.init.zeros_(constant[1].weight)
    with torch.no_grad():
        constant[1].bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
    assert error_on(constant, split, Pixels(0.0, 1.0, POLICY)) == pytest.approx(2 / 7)


def test_pixels_are_normalised_by_one_mean_and_deviation(digits) -> None:
    values = Pixels.of(digits, POLICY)(torch.from_numpy(digits.images))
    assert values.mean().item() == pytest.approx(0, abs=1e-4)
    assert values.std().item() == pytest.approx(1, abs=1e-3)
    assert Pixels.of(Split(np.zeros((2, 1, 2, 2), np.uint8), np.zeros(2, np.int64)), POLICY).deviation > 0


def test_images_are_drawn_by_seed_without_putting_back() -> None:
    images = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    split = Split(images, np.arange(9))
    first = drawn(split, 5, 3)
    assert first.labels.tolist() == drawn(split, 5, 3).labels.tolist()
    assert first.labels.tolist() != drawn(split, 5, 4).labels.tolist()
    assert first.labels.tolist() == first.images.ravel().tolist()
    assert sorted(drawn(split, 50, 3).labels.tolist()) == list(range(9))
