"""Bars of labels, from one to hundreds, with undefined ones among them."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from striate.core.errors import ShapeError
from striate.metrics import evaluate_label_logits
from striate.plots import label_bars


def measured(classes: int, images: int = 60):
    generator = torch.Generator().manual_seed(classes)
    labels = (torch.rand(images, classes, generator=generator) < 0.3).long()
    logits = torch.randn(images, classes, generator=generator) + 2 * labels
    labels[:, 0] = 0
    names = [f"$label_{number}\n" for number in range(classes)]
    return evaluate_label_logits(logits, labels, names, thresholds=[0.5] * classes)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("classes", [1, 61])
def test_any_number_of_labels_is_drawn(tmp_path, classes):
    label_bars(measured(classes), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert 300 <= min(picture.size) <= max(picture.size) <= 3500
        assert len(set(np.asarray(picture.convert("RGB")).reshape(-1, 3)[:, 0])) > 5
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_the_same_figures_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        label_bars(measured(3), tmp_path / name, title="test")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    label_bars(measured(4), tmp_path / "b.png", title="test")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_nothing_is_refused(tmp_path):
    class Nothing:
        classes = average_precision = average_precision_intervals = f1 = support = ()
        images = 0

    with pytest.raises(ShapeError, match="no label to draw"):
        label_bars(Nothing(), tmp_path / "a.png")
    with pytest.raises(OSError, match="nowhere"):
        label_bars(measured(2), tmp_path / "nowhere" / "a.png")
