"""The drawing of a network is well-formed, whole, and holds any text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.geometry import Trace, grouped, trace
from striate.models import CATALOGUE
from striate.plots.network import network_diagram, network_svg
from striate.plots.skips import paths_between, skips_between

SVG = "{http://www.w3.org/2000/svg}"


def traced(name: str, side: int) -> Trace:
    with torch.device("meta"):
        return trace(CATALOGUE[name](channels=3), (3, side, side))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("name", "depth"), [("lenet", None), ("resnet18", None), ("resnet152", None), ("resnet20", 0)]
)
def test_every_row_is_drawn_within_the_page(name, depth) -> None:
    found = traced(name, 28 if name == "lenet" else 64)
    svg = network_svg(found, title=name, depth=depth)
    page = ElementTree.fromstring(svg)
    width, height = float(page.attrib["width"]), float(page.attrib["height"])
    written = texts(svg)
    groups = grouped(found, depth=depth)
    for group in groups:
        assert "x".join(map(str, group.output)) in written
    assert len(page.findall(f".//{SVG}title")) == len(groups)
    for element in page.iter(f"{SVG}rect"):
        if "x" in element.attrib:
            x, y = float(element.attrib["x"]), float(element.attrib["y"])
            assert 0 <= x <= x + float(element.attrib["width"]) <= width
            assert 0 <= y <= y + float(element.attrib["height"]) <= height
    for element in page.iter(f"{SVG}text"):
        assert 0 < float(element.attrib["y"]) < height


def test_smaller_maps_are_narrower_and_more_channels_higher() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 64, 1), nn.Flatten())
    page = ElementTree.fromstring(network_svg(trace(network, (3, 32, 32))))
    blocks = [rect for rect in page.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    widths = [float(block.attrib["width"]) for block in blocks]
    heights = [float(block.attrib["height"]) for block in blocks]
    assert widths[0] > widths[1] == widths[2] > widths[3]
    assert heights[0] == heights[1] < heights[2] < heights[3]


def test_any_text_is_drawn_as_text(tmp_path) -> None:
    network = nn.Sequential()
    network.add_module("<b>&\"'\x07猫", nn.Linear(3, 2))
    path = tmp_path / "net.svg"
    network_diagram(trace(network, (3,)), path, title="</svg><script>alert(1)</script>\ud800")
    page = ElementTree.parse(path).getroot()
    assert page.find(f".//{SVG}script") is None
    written = [element.text for element in page.iter(f"{SVG}text")]
    assert "</svg><script>alert(1)</script>□" in written
    assert "<b>&\"'□猫" in written


def test_a_failure_leaves_the_old_drawing(tmp_path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        network_diagram(traced("resnet20", 32), tmp_path / "nowhere" / "net.svg")
    assert list(tmp_path.iterdir()) == []


class Hourglass(nn.Module):
    """Two levels with skips between them, and a skip from the input."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 2, 3, stride=2, padding=1)
        self.middle = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 1, 2, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        low = self.down(images)
        return F.relu(self.up(torch.cat([low, self.middle(low)], dim=1)) + images)


def test_skips_are_drawn_beside_each_other() -> None:
    found = trace(Hourglass(), (1, 8, 8))
    groups = grouped(found, depth=1)
    assert [group.kind for group in groups] == [
        "Conv2d",
        "Sequential",
        "cat",
        "ConvTranspose2d",
        "add",
        "relu",
    ]
    paths = paths_between(groups, found)
    assert paths == {(-1, 0), (0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (-1, 4), (4, 5)}
    skips = skips_between(paths)
    assert [(skip.start, skip.end, skip.lane) for skip in skips] == [(0, 2, 0), (-1, 4, 1)]
    assert network_svg(found, depth=1).count("<path") == 4


def test_a_network_without_layers_is_still_drawn() -> None:
    page = ElementTree.fromstring(network_svg(trace(nn.Identity(), (3, 8, 8))))
    assert "3x8x8" in [element.text for element in page.iter(f"{SVG}text")]
