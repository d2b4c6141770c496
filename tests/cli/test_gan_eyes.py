"""``striate gan eyes`` draws real and generated images by chance, and makes the page."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate import open_dataset
from striate.gan import TrainedGenerator
from striate.models.gan_catalogue import build_generator


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    path = tmp_path / "g.safetensors"
    network = build_generator("dense", size=8, latent_size=6, width=16)
    TrainedGenerator(network.eval(), family="dense", width=16, details={"source": "digits"}).save(path)
    return path


def images_of(page: Path) -> list[bytes]:
    held = json.loads(re.search(r'id="test">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)[1])
    pictures = [Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) for uri in held["images"]]
    return [np.asarray(picture).tobytes() for picture in pictures]


def test_half_of_the_images_are_real_and_unseen(invoke, generator, tmp_path):
    page = tmp_path / "eyes.html"
    status, out, _ = invoke("gan", "eyes", generator, "--n", 21, "--seed", 2, "--out", page, "--json")
    assert status == 0
    assert json.loads(out)["part"] == "test"
    shown = images_of(page)
    unseen = {image.tobytes() for image in open_dataset("digits").test.images}
    assert sum(image in unseen for image in shown) == 11
    assert len(set(shown)) == 21
    invoke("gan", "eyes", generator, "--n", 21, "--seed", 2, "--out", tmp_path / "again.html")
    assert images_of(tmp_path / "again.html") == shown


def test_one_class_can_be_shown(invoke, tmp_path):
    path, page = tmp_path / "g.safetensors", tmp_path / "eyes.html"
    torch.manual_seed(0)
    network = build_generator("dense", size=8, latent_size=6, width=16, classes=10)
    names = tuple(str(number) for number in range(10))
    known = {"class_names": names, "class_shares": (0.1,) * 10, "details": {"source": "digits"}}
    TrainedGenerator(network.eval(), family="dense", width=16, **known).save(path)
    assert invoke("gan", "eyes", path, "--n", 12, "--class", "7", "--out", page)[0] == 0
    test = open_dataset("digits").test
    sevens = {image.tobytes() for image in test.images[test.labels == 7]}
    assert sum(image in sevens for image in images_of(page)) == 6


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--n", "3"), "--n"),
        (("--n", "2000"), "360 images that were not learnt from, and 1000 are wanted"),
        (("--class", "7"), "trained without classes"),
        (("--data", "nowhere"), "no file or folder 'nowhere'"),
        (("--out", "page.pdf"), "written as .html"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, generator, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    status, out, err = invoke("gan", "eyes", generator, *words)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


def test_a_generator_of_unknown_data_asks_for_some(invoke, tmp_path):
    path = tmp_path / "g.safetensors"
    network = build_generator("dense", size=8, latent_size=6, width=16)
    TrainedGenerator(network.eval(), family="dense", width=16).save(path)
    status, _, err = invoke("gan", "eyes", path, "--out", tmp_path / "eyes.html")
    assert status == 2
    assert "name images with --data" in err
