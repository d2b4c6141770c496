"""Maps of images, probe curves and similarity maps, of any number of classes and layers."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from striate.core.errors import ShapeError
from striate.plots import probe_curve, representation, representation_map, similarity_map


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def points(count=60, shares=(0.5, 0.2)):
    drawn = np.random.default_rng(0).normal(size=(count, 2))
    return SimpleNamespace(method="pca" if shares else "umap", points=drawn, shares=shares)


def opened(path):
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


@pytest.mark.parametrize("classes", [1, 10, 49, 70])
def test_any_number_of_classes_is_drawn(tmp_path, classes):
    labels = np.arange(210) % classes
    names = [f"$class {n}" for n in range(classes - 1)]
    representation_map(points(210), tmp_path / "a.png", labels=labels, classes=names)
    assert max(opened(tmp_path / "a.png")) < 3000


def test_each_class_has_a_look_of_its_own():
    colours, markers = representation.COLOURS, representation.MARKERS
    looks = {
        (colours[n % len(colours)], markers[(n // len(colours) + n) % len(markers)])
        for n in range(representation.MOST_CLASSES)
    }
    assert len(looks) == representation.MOST_CLASSES == 49


def test_without_labels_and_without_shares(tmp_path):
    representation_map(points(1), tmp_path / "one.png")
    representation_map(points(5000, None), tmp_path / "many.png", title="t" * 300)
    assert opened(tmp_path / "one.png")
    assert opened(tmp_path / "many.png")


@pytest.mark.parametrize("count", [1, 12, 90])
def test_any_number_of_probes_is_drawn(tmp_path, count):
    probes = [
        SimpleNamespace(layer=f"l{n}", accuracy=n / count, interval=(n / count, 1.0), held_out=50, chance=0.1)
        for n in range(count)
    ]
    probe_curve(probes, tmp_path / "a.png")
    assert opened(tmp_path / "a.png")[0] < 2800


@pytest.mark.parametrize("shape", [(1, 1), (5, 14), (80, 30)])
def test_any_number_of_layers_is_compared(tmp_path, shape):
    values = np.random.default_rng(0).random(shape)
    values[0, 0] = np.nan
    names = [f"layer {n}" for n in range(max(shape))]
    found = SimpleNamespace(layers=names[: shape[0]], other_layers=names[: shape[1]], values=values, images=9)
    similarity_map(found, tmp_path / "a.png", names=("$one", "other"))
    assert max(opened(tmp_path / "a.png")) < 3000


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"points \(60, 2\) and labels \(3,\)"):
        representation_map(points(), tmp_path / "a.png", labels=[0, 1, 2])
    with pytest.raises(ShapeError, match="no probe"):
        probe_curve([], tmp_path / "a.png")
    found = SimpleNamespace(layers=["a"], other_layers=["b"], values=np.zeros((2, 1)), images=1)
    with pytest.raises(ShapeError, match="1 and 1 layers"):
        similarity_map(found, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []
