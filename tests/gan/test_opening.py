"""Images without classes are opened as well as those with, and what cannot be learnt from is one sentence."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

import striate
from striate.core.errors import DataError
from striate.core.events import ignore
from striate.gan.opening import open_images
from striate.gan.recipe import GanRecipe

opened = partial(open_images, recipe=GanRecipe(), on_event=ignore)


def pictures(folder, count: int = 12, size=(20, 16), mode: str = "RGB"):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number:02}.png")
    return folder


@pytest.mark.parametrize("inner", [".", "cat", "train/cat"])
def test_a_folder_of_one_kind_of_images_is_opened(tmp_path, inner) -> None:
    pictures(tmp_path / "photos" / inner)
    dataset = opened(tmp_path / "photos")
    assert (len(dataset.train), len(dataset.validation), dataset.channels) == (10, 2, 3)
    assert dataset.size == (16, 20)
    assert len(dataset.classes) == 1
    assert dataset.source == str(tmp_path / "photos")
    assert dataset.train.names is not None
    again = opened(tmp_path / "photos")
    assert again.fingerprint == dataset.fingerprint
    squared = open_images(tmp_path / "photos", GanRecipe(size=8, fit="crop"), on_event=ignore)
    assert squared.size == (8, 8)


def test_folders_of_classes_are_as_for_a_classifier(tmp_path) -> None:
    for name in ("cat", "dog"):
        pictures(tmp_path / name)
    dataset = opened(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.fingerprint == striate.open_dataset(tmp_path, fit="crop").fingerprint


def test_arrays_need_no_labels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    dataset = opened(images)
    assert (len(dataset.train), len(dataset.validation), dataset.channels, dataset.source) == (34, 6, 3, None)
    kept = {image.tobytes() for image in (*dataset.train.images, *dataset.validation.images)}
    assert kept == {image.transpose(2, 0, 1).tobytes() for image in images}
    assert dataset.train.labels.tolist() == [0] * 34


def test_one_class_among_several_parts_is_one_set(tmp_path) -> None:
    images = np.zeros((20, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.zeros(20, int))
    assert len(opened(tmp_path / "a.npz").train) == 17


def test_grey_and_coloured_pictures_together_are_coloured(tmp_path) -> None:
    pictures(tmp_path, 6)
    for file in sorted(tmp_path.iterdir())[:3]:
        Image.open(file).convert("L").save(file)
    assert opened(tmp_path).channels == 3


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (np.zeros((1, 8, 8), np.uint8), "1 image"),
        (np.zeros((9, 8, 8, 2), np.uint8), "shape"),
        (np.zeros((9,), np.uint8), "shape"),
        (np.float32(3), "single number"),
        (np.full((9, 8, 8), np.nan), "nan"),
        ("nowhere", "no file or folder 'nowhere'"),
    ],
)
def test_what_cannot_be_learnt_from_is_one_sentence(source, sentence) -> None:
    with pytest.raises(DataError, match=sentence):
        opened(source)


def test_an_empty_folder_is_one_sentence(tmp_path) -> None:
    with pytest.raises(DataError, match="has no images"):
        opened(tmp_path)
