"""The parts of the step's ratio: each side trains and tells its speed, and the script says what it found."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "step_ratio.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("step_ratio", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_images_are_those_of_fashion_mnist_in_shape_and_all_classes_are_there(script) -> None:
    images, labels = script.random_images(50)
    assert (images.shape, images.dtype) == ((50, 28, 28), np.uint8)
    assert np.bincount(labels).tolist() == [5] * 10


def test_both_sides_run_and_the_ratio_is_said_beside_the_recorded_one(script, monkeypatch, capsys) -> None:
    small = script.random_images(2000)
    monkeypatch.setattr(script, "random_images", lambda _: small)
    monkeypatch.setattr(script, "WARMUP", 1)
    steps = []
    example = script.example
    monkeypatch.setattr(script, "example", lambda *given: steps.append(1) or example(*given, steps=2))
    monkeypatch.setattr(sys, "argv", ["step_ratio.py", "--rounds", "1"])
    script.main()
    said = capsys.readouterr().out
    mine, theirs = (
        float(text.replace(",", ""))
        for text in re.search(r": ([\d,]+) images/s, .* ([\d,]+)\n", said).groups()
    )
    ratio = float(re.search(r"ratio ([\d.]+); recorded: .+", said)[1])
    assert steps == [1]
    assert min(mine, theirs) > 0
    assert ratio == pytest.approx(mine / theirs, rel=0.05, abs=0.02)
