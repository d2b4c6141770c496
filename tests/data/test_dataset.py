"""The fingerprint tells the content, whatever the images are kept in, and is computed once."""

from __future__ import annotations

import numpy as np
import pytest

from striate.data import Dataset, Split, dataset
from striate.data.stored import MappedImages, as_pixels


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 3, 5, 4), dtype=np.uint8)


def make(images, labels=None) -> Dataset:
    labels = np.arange(30) % 2 if labels is None else labels
    parts = [Split(images[first : first + 10], labels[first : first + 10]) for first in (0, 10, 20)]
    return Dataset("photos", None, ("a", "b"), *parts)


def test_the_fingerprint_is_of_the_content(images, tmp_path, monkeypatch):
    expected = make(images).fingerprint
    images.tofile(tmp_path / "images")
    mapped = as_pixels(MappedImages.open(tmp_path / "images", images.shape))
    for block in (1, 61, 1 << 20):
        monkeypatch.setattr(dataset, "_BLOCK_BYTES", block)
        assert make(images).fingerprint == make(mapped).fingerprint == expected
    changed = images.copy()
    changed[29, 2, 4, 3] ^= 1
    assert make(changed).fingerprint != expected
    assert make(images, np.zeros(30, np.int64)).fingerprint != expected


def test_it_is_computed_once_and_tells_how_far_it_is(images):
    data, events = make(images), []
    found = data.hash_content(events.append)
    assert events[-1].data == {"what": "hashing images", "done": 30, "total": 30, "unit": "images"}
    events.clear()
    assert data.hash_content(events.append) == data.fingerprint == found
    assert events == []
