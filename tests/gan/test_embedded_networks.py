"""The feature networks that come along: what their files say is true, and other files are refused."""

from importlib import resources
from pathlib import Path

import pytest
import torch

import striate
from striate.core.errors import ModelFileError
from striate.core.files import cache_directory
from striate.gan import embedded_networks, find_feature_network
from striate.gan.embedded_networks import EMBEDDED, WATCHERS, read_embedded

MOST_BYTES = 400_000
SETS = {"digits": "digits", "fashion": "fashion-mnist"}


def place(name: str):
    return resources.files("striate.gan") / "weights" / f"{name}.safetensors"


@pytest.mark.parametrize("name", EMBEDDED)
def test_files_are_small_and_say_what_they_are(name):
    found = read_embedded(name)
    assert len(place(name).read_bytes()) < MOST_BYTES
    assert 0.9 < found.test_accuracy < 1
    assert len(found.classes) == 10
    assert "training images" in found.trained
    network = find_feature_network(name, device="cpu")
    features = network.features(torch.rand(3, 1, found.size, found.size))
    assert 64 <= features.features.shape[1] <= 128
    assert features.probabilities.shape == (3, 10)


def test_those_that_watch_differ_from_those_that_judge():
    assert set(WATCHERS) < set(EMBEDDED)
    judge, watcher = read_embedded("striate-fashion-v1"), read_embedded("striate-fashion-watch-v1")
    assert judge.arguments != watcher.arguments
    assert judge.trained != watcher.trained


def test_nothing_that_trains_a_generator_asks_a_judge():
    judges = [name for name in EMBEDDED if name not in WATCHERS]
    words = ("striate.gan.comparing", "striate.gan.scoring", *judges)
    asking = {
        path.name
        for path in Path(embedded_networks.__file__).parent.glob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in words)
    }
    ours = ("__init__", "comparing", "embedded_networks", "feature_networks", "scores", "scoring")
    assert asking <= {f"{module}.py" for module in ours}


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_accuracy_in_the_header_is_that_of_the_weights(name):
    of = SETS[name.split("-")[1]]
    if of != "digits" and not (cache_directory() / "sets" / of).is_dir():
        pytest.skip(f"{of} is not in the cache")
    test = striate.open_dataset(of).test
    rows = slice(None, None, max(1, len(test) // 1500))
    found = find_feature_network(name, device="cpu").features(test.images[rows])
    right = (found.probabilities.argmax(dim=1) == torch.from_numpy(test.labels[rows])).double().mean()
    assert float(right) == pytest.approx(
        read_embedded(name).test_accuracy, abs=1e-4 if of == "digits" else 0.02
    )


def test_another_file_is_refused_by_its_hash(monkeypatch):
    monkeypatch.setitem(EMBEDDED, "striate-digits-v1", "0" * 64)
    with pytest.raises(
        ModelFileError, match=r"SHA-256 begins with [0-9a-f]{8}, where 00000000 is wanted; inst"
    ):
        find_feature_network("striate-digits-v1")


def test_a_file_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(EMBEDDED, "striate-none-v1", "0" * 64)
    with pytest.raises(ModelFileError, match=r"cannot read .*striate-none-v1\.safetensors: No such file"):
        embedded_networks.read_embedded("striate-none-v1")
