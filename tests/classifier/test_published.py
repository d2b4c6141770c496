"""Published weights: found, checked before they are opened, converted once, refused where they are others."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from striate.classifier import PUBLISHED, published_weights
from striate.classifier import published as module
from striate.classifier.published import Published, read_published
from striate.core.errors import ModelFileError
from striate.core.tensors import load_tensors
from striate.models import CATALOGUE

WEIGHTS = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.tensor([1.0, 2.0])}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "some-weights.pth"
    torch.save(WEIGHTS, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def published(monkeypatch, **fields) -> None:
    monkeypatch.setitem(module.PUBLISHED, "resnet18", Published(**fields))


def test_every_name_is_of_the_catalogue_and_every_file_bears_its_hash() -> None:
    assert set(PUBLISHED) <= set(CATALOGUE)
    for each in PUBLISHED.values():
        assert f"-{each.sha256[:8]}.pth" in each.file
        assert len(each.sha256) in (8, 64)
        assert len(each.mean) == len(each.std) == 3


def test_the_default_for_photos_needs_no_network_and_is_converted_once(cache) -> None:
    first = published_weights("efficientnet-lite0")
    (kept,) = (cache / "weights").iterdir()
    assert kept.suffix == ".safetensors"
    kept.touch()
    stamp = kept.stat().st_mtime_ns
    second = published_weights("efficientnet-lite0")
    assert kept.stat().st_mtime_ns == stamp
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)


def test_what_is_damaged_in_the_cache_is_converted_again(cache) -> None:
    first = published_weights("efficientnet-lite0")
    (kept,) = (cache / "weights").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1000])
    assert published_weights("efficientnet-lite0")["_fc.bias"].equal(first["_fc.bias"])
    assert load_tensors(kept)[0]["_fc.bias"].equal(first["_fc.bias"])


def test_a_file_that_somebody_put_there_is_read(monkeypatch, cache, file) -> None:
    published(monkeypatch, file=file.name, sha256=sha256(file)[:8], address="http://127.0.0.1:9/")
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / file.name).write_bytes(file.read_bytes())
    found = published_weights("resnet18")
    assert all(found[name].equal(tensor) for name, tensor in WEIGHTS.items())


def test_another_file_is_refused_before_it_is_opened(monkeypatch, file) -> None:
    def never(*_, **__) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(torch, "load", never)
    digest = sha256(file)
    with pytest.raises(ModelFileError, match=rf"its SHA-256 begins with {digest[:8]}, where 00000000 is"):
        read_published(file, sha256="0" * 64)
    with pytest.raises(ModelFileError, match="cannot read"):
        read_published(file.with_name("none.pth"), sha256=digest)


def test_what_holds_no_named_tensors_is_refused(tmp_path) -> None:
    for number, wrong in enumerate(([1, 2], {"a": 3}, {1: torch.zeros(1)}, torch.zeros(2))):
        path = tmp_path / f"{number}.pth"
        torch.save(wrong, path)
        with pytest.raises(ModelFileError, match="holds something else than tensors with names"):
            read_published(path, sha256=sha256(path))


def test_a_package_that_is_not_there_is_named_with_the_file(monkeypatch, cache) -> None:
    published(monkeypatch, file="x-00000000.pth", sha256="00000000", package="no_such_package_of_weights")
    with pytest.raises(ModelFileError) as caught:
        published_weights("resnet18")
    assert "'pip install no_such_package_of_weights' installs them" in str(caught.value)
    assert f"or put x-00000000.pth into {cache / 'weights'}" in str(caught.value)


def test_an_address_that_does_not_answer_is_named_with_the_file(monkeypatch, cache) -> None:
    published(monkeypatch, file="x-00000000.pth", sha256="00000000", address="http://127.0.0.1:9/")
    with pytest.raises(ModelFileError) as caught:
        published_weights("resnet18")
    assert "the file with the weights of resnet18 cannot be fetched" in str(caught.value)
    assert f"put x-00000000.pth from http://127.0.0.1:9/ into {cache / 'weights'}" in str(caught.value)
