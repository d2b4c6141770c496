"""A training on images that are too many for the memory is the training that it is on images in memory."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.data import gathering, memory
from striate.data.batches import Batches
from striate.data.stored import MappedImages, StreamedImages
from striate.training import train


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 0)
    random = np.random.default_rng(0)
    for number in range(30):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        height, width = random.integers(10, 30, 2)
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    return tmp_path / "photos"


def test_mapped_and_streamed_images_give_the_same_bits(photos, tmp_path, monkeypatch) -> None:
    seen = []

    class Watched(Batches):
        def __init__(self, split, **options) -> None:
            seen.append(type(split.images))
            super().__init__(split, **options)

    monkeypatch.setattr("striate.training.session.Batches", Watched)
    runs = []
    for number, (free, cache_gb) in enumerate(((1e9, None), (0.0, None), (0.0, 0))):
        monkeypatch.setattr(memory, "available_memory", lambda free=free: free)
        fields = {"model": "compact-small", "size": 12, "epochs": 1, "batch": 8}
        out = tmp_path / f"run {number}"
        runs.append(train(photos, out=out, cache_gb=cache_gb, on_event=ignore, **fields))
    assert seen == [np.ndarray, MappedImages, StreamedImages]
    expected, _ = load_tensors(runs[0].path / "last.safetensors")
    for run in runs[1:]:
        found, _ = load_tensors(run.path / "last.safetensors")
        assert found.keys() == expected.keys()
        assert all(found[name].equal(expected[name]) for name in expected)
        assert run.evaluation == runs[0].evaluation
