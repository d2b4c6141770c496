"""Scoring a generator: what it is compared with, by which network, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from striate.core.errors import DataError, LayerError, ModelFileError, ShapeError, TrainingError
from striate.core.events import ignore
from striate.gan import FeatureNetwork, GanRecipe, TrainedGenerator, generated_images, score, scoring
from striate.gan.opening import open_images
from striate.models import build_generator

PIXELS = FeatureNetwork("pixels", nn.Sequential(nn.AvgPool2d(2), nn.Flatten()))


def generator_of(
    *, size: int = 8, channels: int = 1, classes: int | None = None, **details
) -> TrainedGenerator:
    torch.manual_seed(0)
    network = build_generator(
        "dense", size=size, channels=channels, latent_size=4, width=8, classes=classes
    ).eval()
    return TrainedGenerator(
        network,
        family="dense",
        width=8,
        class_names=tuple(map(str, range(classes or 0))),
        class_shares=(1 / classes,) * classes if classes else (),
        details={"source": "digits", "recipe": GanRecipe(size=size, seed=5).to_dict(), **details},
    )


def test_the_data_and_the_network_are_those_of_the_generator():
    events = []
    found = score(generator_of(), samples=300, device="cpu", on_event=events.append)
    assert found.network == "striate-digits-v1"
    assert (found.real, found.generated) == (300, 300)
    assert found["fid"].value > 1
    assert found.seconds > 0
    told = {event.data.get("what") for event in events}
    assert {"generating images", "comparing by striate-digits-v1"} <= told


def test_real_images_that_are_given_back_score_best(monkeypatch):
    real = open_images("digits", GanRecipe(size=8, seed=5), on_event=ignore).train.images
    monkeypatch.setattr(scoring, "generated_images", lambda *_, **__: torch.from_numpy(real[:200]))
    found = score(generator_of(), samples=200, features=PIXELS)
    assert found["precision"].value > 0.8
    assert found["kid"].interval[0] < 0 < found["kid"].interval[1]


def test_the_seed_decides_and_other_seeds_draw_others():
    generator = generator_of(classes=10)
    one = generated_images(generator, 60, seed=1)
    assert one.dtype == torch.uint8
    assert one.shape == (60, 1, 8, 8)
    assert one.equal(generated_images(generator, 60, seed=1))
    assert not one.equal(generated_images(generator, 60, seed=2))
    first = score(generator, samples=50, features=PIXELS, seed=1)
    assert first.scores == score(generator, samples=50, features=PIXELS, seed=1).scores


def test_a_generator_on_disk_is_scored_by_its_path(tmp_path):
    generator = generator_of()
    generator.save(tmp_path / "generator.safetensors")
    by_path = score(tmp_path / "generator.safetensors", samples=50, features=PIXELS, device="cpu")
    assert by_path.scores == score(generator, samples=50, features=PIXELS).scores
    assert score(tmp_path, "digits", samples=50, features=PIXELS, device="cpu").scores == by_path.scores


def test_parts_are_those_of_the_training_and_a_small_one_is_said():
    events = []
    found = score(generator_of(), samples=300, features=PIXELS, part="validation", on_event=events.append)
    assert found.real < 300 == found.generated
    notes = [event.data["message"] for event in events if event.kind == "note"]
    assert any("the validation part of digits has" in note for note in notes)
    assert score(generator_of(), samples=300, features=PIXELS, part="test").real == 300


def test_data_of_the_users_own_by_a_module_of_the_users_own():
    images = np.random.default_rng(0).integers(0, 256, (120, 3, 12, 12), np.uint8)
    found = score(generator_of(size=12, channels=3, source=None), images, samples=100, features=PIXELS)
    assert found.real == 100
    assert "KID" in found["kid"].name


@pytest.mark.parametrize(
    ("changes", "options", "error", "sentence"),
    [
        ({}, {"samples": 9}, ShapeError, "9 images are too few to be scored"),
        ({}, {"part": "tests"}, DataError, "did you mean 'test'"),
        ({"source": None}, {}, DataError, "what this generator learnt from is not known here"),
        ({"channels": 3}, {}, ShapeError, "8x8 pixels and 1 channels, .* makes 8x8 and 3; these cannot be"),
        ({}, {"features": "striate-fashion-watch-v1"}, LayerError, "watches trainings"),
        ({}, {"features": "striate-digit-v1"}, ModelFileError, "did you mean 'striate-digits-v1'"),
    ],
)
def test_what_cannot_be_scored_is_refused(changes, options, error, sentence):
    with pytest.raises(error, match=sentence):
        score(generator_of(**changes), **{"samples": 20, "device": "cpu", **options})


def test_a_missing_part_and_a_missing_file_are_named(tmp_path: Path):
    images = np.zeros((60, 1, 8, 8), np.uint8)
    with pytest.raises(DataError, match="has no test part; train and validation are there"):
        score(generator_of(), images, samples=20, features=PIXELS, part="test")
    with pytest.raises(ModelFileError, match="no generator or run directory"):
        score(tmp_path / "none", samples=20, features=PIXELS)


def test_a_generator_that_diverged_is_refused():
    generator = generator_of()
    with torch.no_grad():
        next(iter(generator.network.parameters())).fill_(torch.nan)
    with pytest.raises(TrainingError, match="20 of 20 generated images hold what is no number"):
        score(generator, samples=20, features=PIXELS)
