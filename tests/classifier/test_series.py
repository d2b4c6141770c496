"""Classifiers of series and volumes: numbers as they are, files of them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate.classifier import Classifier, Preprocessing, load, read_header
from striate.core.device import Policy
from striate.core.errors import DataError, ModelFileError, ShapeError
from striate.core.tensors import load_tensors, save_tensors
from striate.models import build

CLASSES = ("rest", "walk", "run")


def _classifier(size: tuple[int, ...], channels: int, *, numbers: bool = True) -> Classifier:
    arguments = {"classes": 3, "channels": channels, "size": list(size)}
    torch.manual_seed(0)
    mean, std = tuple(float(each) for each in range(channels)), (2.0,) * channels
    if not numbers:
        mean, std = (0.4,) * channels, (0.25,) * channels
    return Classifier(
        build("compact-small", **arguments).eval(),
        model="compact-small",
        arguments=arguments,
        classes=CLASSES,
        preprocessing=Preprocessing(size, channels, mean, std, fill=(0,) * channels, numbers=numbers),
        policy=Policy("cpu", "float32", True, "as the test asks"),
    )


@pytest.fixture
def series() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 2, 40)).astype(np.float32) * 30


@pytest.fixture
def classifier() -> Classifier:
    return _classifier((40,), 2)


def test_numbers_are_normalised_as_they_are(classifier, series) -> None:
    expected = classifier.network((torch.tensor(series) - torch.tensor([[0.0], [1.0]])) / 2.0)
    torch.testing.assert_close(classifier.logits(series), expected.detach())
    assert classifier.logits(series.astype(np.float64)).equal(classifier.logits(series))
    whole = (series * 4).astype(np.int16)
    assert classifier.logits(whole).equal(classifier.logits(whole.astype(np.float32)))


def test_pixels_of_clips_are_of_255() -> None:
    clips = np.random.default_rng(0).integers(0, 256, (2, 1, 6, 12, 12), dtype=np.uint8)
    classifier = _classifier((6, 12, 12), 1, numbers=False)
    scaled = (torch.tensor(clips).float() / 255 - 0.4) / 0.25
    torch.testing.assert_close(
        classifier.logits(clips), classifier.network(scaled).detach(), rtol=1e-4, atol=1e-4
    )
    with pytest.raises(DataError, match=r"where \[0, 1\] is wanted"):
        classifier.logits(clips.astype(np.float32))


def test_what_the_network_does_not_take_is_refused(classifier, series) -> None:
    with pytest.raises(ShapeError, match="the images are 5x2x39, where this classifier takes Nx2x40"):
        classifier.logits(series[:, :, 1:])
    series[3, 0, 0] = np.inf
    with pytest.raises(DataError, match="no finite numbers"):
        classifier.logits(series)


def test_a_file_keeps_it(classifier, series, tmp_path) -> None:
    classifier.save(tmp_path / "a.safetensors")
    found = load(tmp_path / "a.safetensors", device="cpu", precision="float32")
    assert found.preprocessing == classifier.preprocessing
    assert found.logits(series).equal(classifier.logits(series))
    tensors, metadata = load_tensors(tmp_path / "a.safetensors")
    assert metadata["format_version"] == "2"
    damaged = metadata["preprocessing"].replace('"numbers": true', '"numbers": 1')
    save_tensors(tmp_path / "b.safetensors", tensors, {**metadata, "preprocessing": damaged})
    with pytest.raises(ModelFileError, match="numbers is 1, where true or false is wanted"):
        read_header(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("size", "channels", "words"),
    [
        ((2**20 + 1,), 1, "size is"),
        ((5000, 5), 1, "size is"),
        ((4, 4, 4, 4), 1, "size is"),
        ((), 1, "size is"),
        ((40,), 5000, "channels is 5000, where 1 to 4096"),
        ((40, 40), 65, "channels is 65, where 1 to 64"),
    ],
)
def test_sizes_out_of_range_are_refused(size, channels, words) -> None:
    some = (1.0,) * channels
    with pytest.raises(ShapeError, match=words):
        Preprocessing(size, channels, some, some, fill=(0,) * channels)
    with pytest.raises(ShapeError, match="average_shifted is 2, where 0 to 0"):
        Preprocessing((40,), 1, (0.0,), (1.0,), average_shifted=2)


def test_files_of_one_and_of_many_are_predicted(classifier, series, tmp_path) -> None:
    expected = [CLASSES[row] for row in classifier.logits(series).argmax(dim=1).tolist()]
    np.savez(tmp_path / "many.npz", x=series, y=np.arange(5))
    np.save(tmp_path / "one.npy", series[3].T)
    np.save(tmp_path / "many.npy", series)
    one = classifier.predict(tmp_path / "one.npy")
    assert (one.label, one.name) == (expected[3], str(tmp_path / "one.npy"))
    for name in ("many.npz", "many.npy"):
        found = classifier.predict(tmp_path / name)
        assert [each.label for each in found] == expected
        assert found[4].name == f"{tmp_path / name}: 4"
    assert len(classifier.predict(tmp_path)) == 11
    assert [each.label for each in classifier.predict(series)] == expected
    assert classifier.predict(series[2]).label == expected[2]
    assert classifier.predict(torch.tensor(series[2])).label == expected[2]


def test_series_of_another_length_are_fitted(classifier, series) -> None:
    found = classifier.predict([series[0][:, :30], np.tile(series[0], 2)])
    assert all(each.error is None for each in found)


def test_tables_are_predicted_with_labels_and_without(tmp_path) -> None:
    classifier = _classifier((8,), 1)
    values = np.random.default_rng(0).normal(size=(4, 8))
    np.savetxt(tmp_path / "plain.csv", values, delimiter=",")
    np.savetxt(tmp_path / "labelled.csv", np.column_stack([[0, 1, 0, 1], values]), delimiter=",")
    expected = classifier.predict(values[:, None].astype(np.float32))
    for name in ("plain.csv", "labelled.csv"):
        found = classifier.predict(tmp_path / name)
        assert [each.top for each in found] == [each.top for each in expected]
    assert found[1].name == f"{tmp_path / 'labelled.csv'}: row 2"


def test_what_cannot_be_predicted_says_why_and_stops_nothing(classifier, series, tmp_path) -> None:
    np.save(tmp_path / "good.npy", series[0])
    np.save(tmp_path / "gap.npy", np.full((2, 40), np.nan))
    np.save(tmp_path / "other.npy", np.zeros((5, 5, 5, 5)))
    (tmp_path / "text.npy").write_text("none")
    (tmp_path / "a.png").write_text("none")
    names = ["good.npy", "gap.npy", "other.npy", "text.npy", "a.png", "missing.npy"]
    found = classifier.predict([tmp_path / name for name in names])
    errors = {each.name.removeprefix(f"{tmp_path}/"): each.error for each in found}
    assert errors["good.npy"] is None
    assert "no finite numbers" in errors["gap.npy"]
    assert "has the shape 5x5x5, where 2x40 is wanted" in errors["other.npy: 0"]
    assert "cannot read" in errors["text.npy"]
    assert "is no file of series; the model takes those of 2x40" in errors["a.png"]
    assert "there is no file" in errors["missing.npy"]
    with pytest.raises(DataError, match="has the shape 3x40, where 2x40 is wanted"):
        classifier.predict(np.zeros((3, 40)))
