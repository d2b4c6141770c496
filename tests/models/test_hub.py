"""Networks of timm: a stand-in for the library, which not every machine can import, shows how it is asked."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from striate.classifier import find_pretrained, load
from striate.core.errors import ModelFileError, RecipeError
from striate.models import build, is_known
from striate.training import train


class Tiny(nn.Module):
    """A network as timm's are: a head by its own name, and what its weights were trained on."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8, classes)
        self.pretrained_cfg = {"input_size": (3, 16, 16), "mean": (0.5, 0.4, 0.3), "std": (0.2,) * 3}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        logits: torch.Tensor = self.classifier(torch.relu(self.norm(self.conv(images))).mean(dim=(2, 3)))
        return logits


@pytest.fixture
def timm(monkeypatch) -> ModuleType:
    """A library whose weights of the network 'tiny' are all 0.25, and which cannot fetch those of 'far'."""
    module = ModuleType("timm")

    def create_model(name: str, *, pretrained: bool, num_classes: int = 1000, in_chans: int = 3) -> nn.Module:
        if name not in ("tiny", "far"):
            raise RuntimeError(f"Unknown model ({name})")
        if pretrained and name == "far":
            raise OSError("no route to the host")
        network = Tiny(num_classes, in_chans)
        if pretrained:
            nn.init.constant_(network.conv.weight, 0.25)
        return network

    module.create_model = create_model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    return module


@pytest.mark.usefixtures("timm")
def test_a_network_of_the_hub_is_built_trained_frozen_and_loaded_again(tmp_path) -> None:
    assert is_known("timm:tiny")
    assert build("timm:tiny", classes=5, channels=1, size=(9, 9))(torch.zeros(1, 1, 9, 9)).shape == (1, 5)
    found = find_pretrained("timm:tiny")
    assert (found.model, found.channels, found.size, found.mean) == (
        "timm:tiny",
        3,
        (16, 16),
        (0.5, 0.4, 0.3),
    )
    images = np.random.default_rng(0).integers(0, 256, (24, 3, 16, 16), np.uint8)
    run = train(
        (images, np.arange(24) % 2),
        pretrained="timm:tiny",
        freeze="backbone",
        device="cpu",
        out=tmp_path / "run",
        on_event=lambda _: None,
    )
    classifier = load(run.path)
    assert classifier.model == "timm:tiny"
    assert classifier.network.conv.weight.eq(0.25).all()
    assert classifier.details["recipe"]["pretrained"] == "timm:tiny"


@pytest.mark.usefixtures("timm")
def test_what_the_library_lacks_or_cannot_fetch_is_one_sentence() -> None:
    with pytest.raises(RecipeError, match=r"timm has no 'tini': Unknown model \(tini\)"):
        find_pretrained("timm:tini")
    with pytest.raises(RecipeError, match="timm cannot build 'tini'"):
        build("timm:tini", classes=2, channels=3, size=(8, 8))
    with pytest.raises(
        ModelFileError, match=r"the weights of timm:far cannot be fetched \(no route.*model.saf"
    ):
        find_pretrained("timm:far").tensors()


def test_without_the_library_its_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(RecipeError, match=r"timm:tiny needs the library timm .*pip install 'striate\[hub\]'"):
        find_pretrained("timm:tiny")
