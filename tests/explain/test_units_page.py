"""The units page is one file that needs nothing else, whatever the network, the images and the names."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from striate.core.errors import LayerError
from striate.explain.units_page import units_page


def network_of(channels: int = 1, dims: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    convolution, pool = (
        (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1],
        (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[dims - 1],
    )
    return nn.Sequential(
        convolution(channels, 4, 3, padding=1),
        nn.ReLU(),
        convolution(4, 5, 3),
        pool(1),
        nn.Flatten(),
        nn.Linear(5, 3),
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith("data:image/png;base64,")
                self.images.append(value.partition(",")[2])

    def handle_data(self, data):
        self.text += data


def read(path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    for image in reader.images:
        with Image.open(io.BytesIO(base64.b64decode(image, validate=True))) as picture:
            picture.verify()
    return reader


def test_the_page_holds_every_channel_and_needs_nothing_else(tmp_path) -> None:
    images = torch.randint(0, 256, (30, 1, 9, 9), dtype=torch.uint8)
    names, told = ["<script>alert(1)</script>", "b & c", "d"], []
    path = tmp_path / "units.html"
    found = units_page(
        network_of(), images, "2", path, labels=np.arange(30) % 3, classes=names, on_event=told.append
    )
    page = read(path)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert names[0] in page.text
    assert len(re.findall(r"channel \d+", page.text)) >= 5
    assert len(page.images) == 5 + 3 + 1 + 2  # channels; unit, maps, sheet; filters; map of images, probes
    assert "b & c" in page.text
    assert "5 channels, maps of 7x7; a unit sees 5x5 of the 9x9" in page.text
    assert found.field.channels == 5
    assert {event.data["what"] for event in told} == {"top patches of 2", "features"}
    assert [file.name for file in tmp_path.iterdir()] == ["units.html"]


@pytest.mark.parametrize(("channels", "dims"), [(3, 2), (2, 1), (1, 3)])
def test_colours_signals_and_volumes(tmp_path, channels, dims) -> None:
    images = torch.rand(12, channels, *[8] * dims) * 4 - 2
    units_page(network_of(channels, dims), images, "1", tmp_path / "units.html")
    # The layer is a rectifier, so that the convolution before it has a picture too.
    assert len(read(tmp_path / "units.html").images) == 4 + 4 + 1 + 1


def test_what_a_network_does_not_have_is_said_in_its_place(tmp_path) -> None:
    network = nn.Sequential(nn.AvgPool2d(2), nn.ReLU())
    units_page(network, torch.rand(5, 1, 8, 8), "1", tmp_path / "units.html")
    text = read(tmp_path / "units.html").text
    assert "Not shown: the network (Sequential) has no convolution" in text
    assert "runs no linear layer" in text


def test_an_unknown_layer_leaves_the_old_page(tmp_path) -> None:
    path = tmp_path / "units.html"
    path.write_text("old")
    with pytest.raises(LayerError, match="no layer 'x'"):
        units_page(network_of(), torch.rand(5, 1, 8, 8), "x", path)
    assert path.read_text() == "old"
