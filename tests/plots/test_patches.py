"""Sheets of top patches: frames of one size, what lies outside of the image, and classes."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from striate.core.errors import ShapeError
from striate.explain import top_patches
from striate.plots import patch_sheet
from striate.plots.patches import framed, most_frequent


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def found_in(channels=1, dims=2, dtype=torch.uint8):
    torch.manual_seed(0)
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
    images = torch.randint(0, 256, (20, channels, *[8] * dims), dtype=torch.uint8)
    images = images if dtype == torch.uint8 else images.float() / 64 - 2
    network = nn.Sequential(kind(channels, 4, 5, padding=2), nn.ReLU())
    return images, top_patches(network, images, "1", count=3, labels=torch.arange(20) % 3)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_any_images_are_drawn(tmp_path, dims, channels, dtype):
    images, found = found_in(channels, dims, dtype)
    chosen = [0, 2]
    cut = [found.cut(images, channel) for channel in chosen]
    patch_sheet(found, cut, tmp_path / "a.png", channels=chosen, classes=["$a", "b", "c"])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"


def test_frames_are_of_one_size_with_the_image_where_it_was():
    images, found = found_in()
    for channel in range(4):
        parts = found.cut(images, channel)
        for frame, part, position in zip(
            framed(found, channel, parts), parts, found.positions[channel].tolist(), strict=True
        ):
            assert frame.shape == (5, 5)
            rows = slice(max(0, 2 - position[0]), 5 - max(0, position[0] - 5))
            columns = slice(max(0, 2 - position[1]), 5 - max(0, position[1] - 5))
            assert frame[rows, columns] == pytest.approx(part[0].numpy() / 255)
            assert np.isnan(frame).sum() == 25 - part[0].numel()


def test_the_most_frequent_classes_are_named_beside_their_usual_share():
    shares = np.array([[0.0, 0.25, 0.75]])
    patches = SimpleNamespace(class_shares=shares, all_shares=np.array([0.5, 0.3, 0.2]))
    assert most_frequent(patches, 0, ["a", "b"]) == [
        "75 % class 2 (of all images 20 %)",
        "25 % b (of all images 30 %)",
    ]
    assert most_frequent(patches, 0, None) == []


def test_what_does_not_fit_is_refused(tmp_path):
    images, found = found_in()
    for channels, cut in (([], []), ([0, 1], [found.cut(images, 0)]), (list(range(40)), [[]] * 40)):
        with pytest.raises(ShapeError, match="cannot be drawn"):
            patch_sheet(found, cut, tmp_path / "a.png", channels=channels)
