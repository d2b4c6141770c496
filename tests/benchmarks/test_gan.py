"""The benchmark of generators: the example is as described, and the tables say what was measured."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gan() -> ModuleType:
    return loaded("gan")


def test_the_example_has_the_networks_that_are_described(gan):
    torch.manual_seed(0)
    generator, discriminator = gan.example_networks()
    images = generator(torch.randn(3, 100, 1, 1))
    assert images.shape == (3, 1, 28, 28)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (3,)
    maps = [each.out_channels for each in generator if hasattr(each, "out_channels")]
    assert maps == [256, 128, 64, 1]
    assert [each.out_channels for each in discriminator if hasattr(each, "out_channels")] == [64, 128, 256, 1]
    weights = torch.cat([each.weight.flatten() for each in generator if hasattr(each, "out_channels")])
    assert float(weights.detach().std()) == pytest.approx(0.02, rel=0.02)


def test_the_example_trains_for_its_seconds_and_makes_bytes_both_ways(gan, monkeypatch):
    monkeypatch.setattr(gan, "BATCH", 16)
    pixels = torch.rand(300, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    generator, said = gan.train_example(pixels, seconds=0.5, seed=0)
    assert 0.5 <= said["seconds"] < 10
    assert said["images"] > 0
    assert said["images"] % gan.BATCH == 0
    for running in (False, True):
        made = gan.sample_example(generator, 40, running=running)
        assert (made.shape, made.dtype) == ((40, 1, 28, 28), np.uint8)


def entry(way: str, seed: int, distance: float) -> dict[str, object]:
    shares = [0.1] * 10
    return {
        "way": way,
        "seed": seed,
        "seconds": 600.0,
        "distance": {"striate-fashion-v1": distance, "second": 2 * distance},
        "shares": {"striate-fashion-v1": shares, "second": shares},
    }


def test_the_table_has_both_ways_and_their_ratio_by_seed(gan, capsys):
    found = [
        entry("ours", 0, 4.0),
        entry("example", 0, 10.0),
        entry("ours", 1, 6.0),
        entry("example", 1, 12.0),
    ]
    gan.table(found, {"distance": {"striate-fashion-v1": 0.5, "second": 0.75}})
    said = capsys.readouterr().out
    assert "| ours | 5.00 (" in said
    assert "| 10.0% to 10.0% | 600 |" in said
    assert "| training images | 0.50 | 0.75 | | |" in said
    assert "ours over the example, by seed: 0.45 (" in said


@pytest.mark.parametrize(
    ("shares", "collapsed"),
    [([0.1] * 10, False), ([0.005] + [0.995 / 9] * 9, True), ([0.5] + [0.5 / 9] * 9, True)],
)
def test_a_missing_or_flooding_class_is_a_collapse(gan, shares, collapsed):
    assert gan.has_collapsed({"one": [0.1] * 10, "other": shares}) == collapsed


def test_what_is_planted_has_the_shape_of_images():
    watch = loaded("gan_watch")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (56_000, 1, 4, 4)).astype(np.uint8)
    labels = random.integers(0, 10, 56_000)
    for kind, make in watch.KINDS.items():
        made = make(watch.Source(images, labels, 0, 60))
        assert made.shape == (60, 1, 4, 4), kind
        assert 0 <= float(made.min()) <= float(made.max()) <= 1, kind
