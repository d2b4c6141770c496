"""Pictures of confusion matrices, from one class to a hundred."""

import warnings

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import confusion_matrix


def counts(classes: int, images: int = 50) -> np.ndarray:
    generator = np.random.default_rng(classes)
    noise = generator.integers(0, 3, (classes, classes))
    return noise + np.diag(generator.integers(images // 2, images, classes))


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("classes", [1, 2, 20, 21, 100])
def test_any_number_of_classes_is_drawn(tmp_path, classes):
    confusion_matrix(counts(classes), [f"class {i}" for i in range(classes)], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 300 <= min(picture.size) <= max(picture.size) <= 3000
        assert len(set(np.asarray(picture.convert("RGB")).reshape(-1, 3)[:, 0])) > 5
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_the_same_matrix_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        confusion_matrix(counts(3).tolist(), ["a", "b", "c"], str(tmp_path / name))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_colours_follow_the_square_root_of_the_share(tmp_path):
    confusion_matrix([[10, 30, 0], [20, 20, 0], [0, 0, 7]], ["a", "b", "c"], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    cells = {0.25: 1, 0.75: 1, 0.5: 2, 1.0: 1, 0.0: 4}
    for share, count in cells.items():
        colour = colormaps["Blues"](share**0.5, bytes=True)[:3]
        area = (pixels == colour).all(axis=-1).sum() / 130**2  # a cell's side is 2.6 / 3 inches
        assert count * 0.8 < area < count * 1.1


@pytest.mark.parametrize("classes", [3, 30])
def test_classes_without_images_are_drawn(tmp_path, classes):
    matrix = counts(classes)
    matrix[1] = 0
    confusion_matrix(matrix, ["x"] * classes, tmp_path / "a.png")
    confusion_matrix(np.zeros((classes, classes), int), ["x"] * classes, tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 0


def test_any_name_is_drawn(tmp_path):
    names = ["猫\n\x00", "$\\frac{", "größe " * 50, "", "\U0001f408 नमस्ते", "\ud800", "%s {x} _a_"]
    confusion_matrix(counts(len(names)), names, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert max(picture.size) < 3000


@pytest.mark.parametrize(
    ("matrix", "classes", "sentence"),
    [
        ([[1, 2], [3, 4]], 3, r"\(2, 2\) does not fit 3"),
        ([[1, 2, 3], [3, 4, 5]], 2, r"\(2, 3\)"),
        ([1, 2], 2, r"\(2,\)"),
        ([], 0, "does not fit 0"),
        ([[0.5, 0.5], [0, 1]], 2, "counts"),
        ([[-1, 0], [0, 1]], 2, "counts"),
        ([[2.0, 0], [0, 1]], 2, "counts"),
        ([[float("nan"), 0], [0, 1]], 2, "counts"),
        ([["a", 0], [0, 1]], 2, "counts"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(tmp_path, matrix, classes, sentence):
    with pytest.raises(ShapeError, match=sentence):
        confusion_matrix(matrix, ["x"] * classes, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_is_an_error_of_the_file_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        confusion_matrix(counts(2), ["a", "b"], tmp_path / "none" / "a.png")
