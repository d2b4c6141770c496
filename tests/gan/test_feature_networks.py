"""Feature networks: what they take and give, the user's own, a classifier's, and the published one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import striate
from striate.classifier import Classifier, Preprocessing
from striate.core.device import Policy
from striate.core.errors import ModelFileError, ShapeError
from striate.gan import FeatureNetwork, feature_networks, find_feature_network
from striate.models import build, inception_v3


@pytest.fixture
def digits() -> FeatureNetwork:
    return find_feature_network("striate-digits-v1", device="cpu")


@pytest.fixture
def images() -> np.ndarray:
    return striate.open_dataset("digits").test.images[:40]


def test_features_are_the_same_however_the_images_are_given(digits, images, monkeypatch):
    found = digits.features(images)
    assert found.features.dtype == torch.float32
    assert torch.allclose(found.probabilities.sum(dim=1), torch.ones(40), atol=1e-5)
    as_floats = digits.features(torch.from_numpy(images).float() / 255)
    assert torch.allclose(found.features, as_floats.features, atol=1e-5)
    monkeypatch.setattr(feature_networks, "CPU_PIXELS", 64 * 9)
    in_batches = digits.features(images)
    assert torch.allclose(found.features, in_batches.features, atol=1e-5)
    assert torch.allclose(found.probabilities, in_batches.probabilities, atol=1e-5)


def test_progress_is_told(digits, images):
    events = []
    digits.features(images, on_event=events.append)
    said = events[-1].data
    assert said == {
        "what": "computing features by striate-digits-v1",
        "done": 40,
        "total": 40,
        "unit": "images",
    }


def test_images_of_another_size_are_brought_to_the_networks(digits, images):
    large = torch.from_numpy(images).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    right = digits.features(images).probabilities.argmax(dim=1)
    assert (digits.features(large).probabilities.argmax(dim=1) == right).double().mean() > 0.9


def test_a_module_of_the_user_is_used_as_it_is_and_left_as_it_was():
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    network = find_feature_network(module)
    images = torch.rand(20, 3, 9, 7)
    found = network.features(images)
    assert network.name == "Sequential"
    assert found.probabilities is None
    assert module.training
    assert all(tensor.equal(before[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        assert torch.allclose(found.features, module.eval()(images), atol=1e-5)
    assert find_feature_network(network) is network


def test_grey_images_are_given_to_a_network_for_colour_three_times():
    network = FeatureNetwork("pixels", nn.Flatten(), size=4, channels=3)
    grey = torch.rand(5, 1, 4, 4)
    assert network.features(grey).features.equal(grey.expand(-1, 3, -1, -1).flatten(1))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.rand(4, 3, 8, 8), r"have 3 channels and striate-digits-v1 takes 1; inception-v3 or a run"),
        (torch.rand(4, 8, 8), r"\(4, 8, 8\), where N x C x H x W"),
        (torch.rand(0, 1, 8, 8), r"\(0, 1, 8, 8\)"),
        (torch.rand(4, 1, 8, 8) * 2 - 1, r"floats in \[0, 1\], and these are float32 from -0\.\d+ to 0\.\d+"),
        (torch.full((4, 1, 8, 8), 255.0), r"from 255 to 255"),
        (np.full((4, 1, 8, 8), 200, np.int64), r"int64 from 200 to 200"),
    ],
)
def test_images_that_it_does_not_take_are_refused(digits, images, sentence):
    with pytest.raises(ShapeError, match=sentence):
        digits.features(images)


def test_a_module_that_gives_no_rows_of_features_is_refused():
    with pytest.raises(ShapeError, match=r"Identity gives features of the shape \(2, 1, 3, 3\) for 2 images"):
        find_feature_network(nn.Identity()).features(torch.rand(2, 1, 3, 3))


def test_names_that_are_unknown_suggest_the_nearest():
    with pytest.raises(ModelFileError, match="did you mean 'striate-fashion-v1'"):
        find_feature_network("striate-fashion-v3")


def test_a_classifier_of_the_user_judges_by_what_its_head_takes(tmp_path, images):
    torch.manual_seed(0)
    arguments = {"classes": 3, "channels": 1, "size": [8, 8]}
    network = build("compact-small", **arguments).eval()
    classifier = Classifier(
        network,
        model="compact-small",
        arguments=arguments,
        classes=("a", "b", "c"),
        preprocessing=Preprocessing((8, 8), 1, (0.3,), (0.2,), "pad", (0,)),
        policy=Policy("cpu", "float32", True, "as the test asks"),
    )
    path = tmp_path / "own.safetensors"
    classifier.save(path)
    found = find_feature_network(path, device="cpu")
    assert (found.name, found.classes, found.size) == ("own.safetensors", ("a", "b", "c"), 8)
    features = found.features(images)
    normalised = (torch.from_numpy(images) / 255 - 0.3) / 0.2
    with torch.no_grad():
        expected = network(normalised).softmax(dim=1)
        by_head = network.head(features.features).softmax(dim=1)
    assert torch.allclose(features.probabilities, expected, atol=1e-5)
    assert torch.allclose(features.probabilities, by_head, atol=1e-5)
    assert not network.head._forward_pre_hooks


@pytest.fixture
def published(monkeypatch) -> Callable[[Path], None]:
    """Take a file for the published one, which no address has."""

    def take(path: Path) -> None:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = replace(feature_networks.INCEPTION_WEIGHTS, sha256=digest, address="http://127.0.0.1:9/")
        monkeypatch.setattr(feature_networks, "INCEPTION_WEIGHTS", known)

    return take


def test_inception_is_read_from_a_file_that_is_named(published, tmp_path):
    with torch.device("meta"):
        wanted = inception_v3().state_dict()
    torch.manual_seed(0)
    state = {
        name: torch.zeros((), dtype=torch.int64) if tensor.ndim == 0 else torch.rand(tensor.shape) * 0.02
        for name, tensor in wanted.items()
    }
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    published(path)
    found = find_feature_network(path, device="cpu")
    assert (found.size, found.channels, found.classes) == (299, 3, ())
    grey = torch.rand(1, 1, 28, 28)
    features = found.features(grey)
    assert features.features.shape == (1, 2048)
    assert features.probabilities.shape == (1, 1008)
    # The Inception Score leaves the biases of the head out.
    by_head = (features.features @ state["fc.weight"].T).softmax(dim=1)
    assert torch.allclose(features.probabilities, by_head, atol=1e-6)
    enlarged = nn.functional.interpolate(grey, (299, 299), mode="bilinear").expand(-1, 3, -1, -1)
    with torch.no_grad():
        logits = found.module.network(2 * enlarged - 1)
    assert torch.allclose(features.probabilities, logits.softmax(dim=1), atol=1e-5)


def test_other_weights_are_refused_before_they_are_opened(published, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"as published")
    published(path)
    path.write_bytes(b"as published, and more")
    with pytest.raises(ModelFileError, match=r"weights\.pth is not the file that was published: its SHA-256"):
        find_feature_network(path)
    with pytest.raises(ModelFileError, match=r"cannot read .*none\.pth"):
        find_feature_network(tmp_path / "none.pth")


def test_without_a_network_the_file_to_place_is_named(published, tmp_path, monkeypatch):
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    published(Path(__file__))
    with pytest.raises(ModelFileError) as caught:
        find_feature_network("inception-v3")
    said = str(caught.value)
    assert "the file with the weights of inception-v3 cannot be fetched" in said
    assert (
        f"put pt_inception-2015-12-05-6726825d.pth from http://127.0.0.1:9/ into {tmp_path / 'cache'}" in said
    )


def test_the_published_hash_is_whole_and_of_the_file():
    known = feature_networks.INCEPTION_WEIGHTS
    assert len(known.sha256) == 64
    assert f"-{known.sha256[:8]}.pth" in known.file
