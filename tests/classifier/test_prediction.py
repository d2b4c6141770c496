"""Predictions of files, folders and arrays agree; what cannot be read is said and stops nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.classifier import Classifier, Prediction, predict_each
from striate.core.errors import DataError
from striate.core.events import Event


def picture(seed: int, size: tuple[int, int] = (12, 10)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of the classifier's own size, so that nothing is resized, and two broken files."""
    path = tmp_path / "pictures"
    (path / "more").mkdir(parents=True)
    for seed, name in enumerate(["a.png", "b\n猫.png", "more/=c.png", "more/d.png"]):
        Image.fromarray(picture(seed)).save(path / name)
    (path / "empty.png").touch()
    (path / "cut.png").write_bytes((path / "a.png").read_bytes()[:60])
    (path / ".hidden.png").write_bytes((path / "a.png").read_bytes())
    return path


def expected(classifier: Classifier, image: np.ndarray) -> Prediction:
    probabilities = classifier.probabilities(image.transpose(2, 0, 1)[None])[0]
    top = sorted(zip(classifier.classes, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    return Prediction(None, *top[0], top=tuple(top), labels=(top[0],))


def test_every_kind_of_one_picture_says_the_same(classifier: Classifier, tmp_path: Path) -> None:
    image = picture(0)
    Image.fromarray(image).save(tmp_path / "a.png")
    first = torch.from_numpy(image).permute(2, 0, 1)
    wanted = expected(classifier, image)
    for given in (image, image / 255, image.transpose(2, 0, 1), first, first / 255, Image.fromarray(image)):
        assert classifier.predict(given) == wanted
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        found = classifier.predict(path)
        assert isinstance(found, Prediction)
        assert (found.name, found.top) == (str(tmp_path / "a.png"), wanted.top)


def test_every_kind_of_many_pictures_says_the_same(classifier: Classifier) -> None:
    images = np.stack([picture(seed) for seed in range(5)])
    wanted = [expected(classifier, image) for image in images]
    first = images.transpose(0, 3, 1, 2)
    for given in (images, first, torch.from_numpy(first), list(images), tuple(map(Image.fromarray, images))):
        found = classifier.predict(given)
        assert isinstance(found, list)
        for one, other in zip(found, wanted, strict=True):
            assert one.label == other.label
            assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_a_folder_is_predicted_whatever_is_broken(classifier: Classifier, folder: Path) -> None:
    found = classifier.predict(folder)
    assert isinstance(found, list)
    by_name = {Path(str(one.name)).name: one for one in found}
    assert sorted(by_name) == sorted(["a.png", "b\n猫.png", "=c.png", "d.png", "empty.png", "cut.png"])
    assert by_name["empty.png"].error == "the file is empty"
    assert by_name["cut.png"].label is None
    assert by_name["cut.png"].error
    for seed, name in enumerate(["a.png", "b\n猫.png", "=c.png", "d.png"]):
        assert by_name[name].label == expected(classifier, picture(seed)).label
    again = classifier.predict([folder / "a.png", str(folder / "more"), folder / "absent.png"])
    assert [Path(str(one.name)).name for one in again] == ["a.png", "=c.png", "d.png", "absent.png"]
    assert "no file or folder" in again[-1].error


def test_batches_keep_the_order(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.classifier.batches.LARGEST_BATCH", 3)
    images = np.stack([picture(seed) for seed in range(8)])
    events: list[Event] = []
    found = classifier.predict([*images, np.zeros(3)], on_event=events.append)
    assert [one.label for one in found[:8]] == [expected(classifier, image).label for image in images]
    assert found[8].error
    assert [(event.data["done"], event.data["total"]) for event in events] == [(3, 9), (6, 9), (9, 9)]


def test_a_stream_gives_before_it_has_read_all(classifier: Classifier, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("striate.classifier.batches.LARGEST_BATCH", 1)
    for number in range(6):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
    stream = predict_each(classifier, tmp_path)
    next(stream)
    (tmp_path / "5.png").unlink()  # not read yet, since only two batches are decoded ahead
    rest = list(stream)
    assert [one.error is None for one in rest] == [True, True, True, True, False]


def test_one_pixel_is_a_picture(classifier: Classifier, tmp_path: Path) -> None:
    Image.new("L", (1, 1), 7).save(tmp_path / "one.png")
    assert classifier.predict(tmp_path / "one.png").label in classifier.classes
    assert classifier.predict(np.zeros((1, 1), np.uint8)).label in classifier.classes


def test_top_names_the_likeliest(classifier: Classifier) -> None:
    found = classifier.predict(picture(0), top=2)
    assert len(found.top) == 2
    assert found.top[0] == (found.label, found.probability)
    assert len(classifier.predict(picture(0), top=99).top) == 3
    with pytest.raises(ValueError, match="at least 1"):
        classifier.predict(picture(0), top=0)


def test_a_broken_single_file_is_a_prediction(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert classifier.predict(tmp_path / "empty.png").error == "the file is empty"


def test_nothing_there_is_an_error(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file or folder"):
        classifier.predict(tmp_path / "absent.png")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="none"):
        classifier.predict(tmp_path / "none")
    assert classifier.predict([]) == []


@pytest.mark.parametrize(
    "given",
    [np.zeros(5, np.uint8), np.full((4, 4), 300), torch.full((4, 4), 2.0), np.full((4, 4), np.nan), object()],
)
def test_what_is_no_picture_is_an_error(classifier: Classifier, given: object) -> None:
    with pytest.raises(DataError):
        classifier.predict(given)


def test_a_network_of_nan_says_so(classifier: Classifier, folder: Path) -> None:
    with torch.no_grad():
        classifier.network.head.bias.fill_(float("nan"))
    assert "not a number" in classifier.predict(folder / "a.png").error


def test_a_prediction_is_json(classifier: Classifier) -> None:
    found = classifier.predict(picture(0))
    assert json.loads(json.dumps(found.to_dict()))["top"][0] == [found.label, found.probability]
