"""What a training can start from: named weights, runs, model files, backbones; the rest is a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from striate.classifier import Classifier, Pretrained, find_pretrained, head_of, load_backbone
from striate.core.errors import LayerError, ModelFileError, RecipeError
from striate.core.tensors import save_tensors
from striate.models import CATALOGUE, build


def test_a_name_tells_network_size_and_normalisation() -> None:
    found = find_pretrained("efficientnet-lite1")
    assert (found.model, found.channels, found.size) == ("efficientnet-lite1", 3, (240, 240))
    assert found.mean == pytest.approx((127 / 255,) * 3)
    assert found.std == pytest.approx((128 / 255,) * 3)
    assert find_pretrained("resnet50", model="resnet50").mean == (0.485, 0.456, 0.406)


def test_a_model_file_tells_the_same(classifier: Classifier, tmp_path) -> None:
    classifier.save(tmp_path / "model.safetensors")
    for path in (tmp_path, tmp_path / "model.safetensors"):  # a run directory has it by that name
        found = find_pretrained(str(path))
        assert (found.model, found.channels, found.size) == ("compact-small", 3, (12, 10))
        assert (found.mean, found.std) == ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
        assert Pretrained.from_dict(json.loads(json.dumps(found.to_dict()))) == found
        tensors = found.tensors()
        assert tensors["head.weight"].equal(classifier.network.state_dict()["head.weight"])


@pytest.mark.parametrize("written", ["compact-small", '"compact-small"', None])
def test_a_backbone_file_says_of_which_network_it_is_or_is_told(tmp_path, written) -> None:
    path = tmp_path / "backbone.safetensors"
    network = build("compact-small", classes=1, channels=1, size=(12, 12))
    tensors = {name: each for name, each in network.state_dict().items() if not name.startswith("head")}
    save_tensors(path, tensors, {} if written is None else {"model": written})
    asked = "compact-small" if written is None else None
    found = find_pretrained(str(path), model=asked)
    assert (found.model, found.channels, found.size, found.mean) == ("compact-small", None, None, None)
    other = build("compact-small", classes=5, channels=1, size=(12, 12))
    head = other.head.weight.clone()
    load_backbone(other, found.tensors(), name=str(path), model=found.model)
    assert other.head.weight.equal(head)
    assert other.stem.weight.equal(network.stem.weight)
    if written is None:
        with pytest.raises(ModelFileError, match="does not say of which network its tensors are"):
            find_pretrained(str(path))


def test_what_is_not_there_or_no_weights_is_said(tmp_path) -> None:
    with pytest.raises(
        ModelFileError, match="there is no pre-trained network 'resnet19'; did you mean 'resnet18'"
    ):
        find_pretrained("resnet19")
    with pytest.raises(ModelFileError, match=r"is no finished run: it has no model\.safetensors"):
        find_pretrained(str(tmp_path))
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(ModelFileError, match="pickle or zip archive"):
        find_pretrained(str(tmp_path / "a.pth"))
    save_tensors(tmp_path / "odd.safetensors", {"a": torch.zeros(1)}, {"model": "resnet19"})
    with pytest.raises(ModelFileError, match="there is no model 'resnet19'"):
        find_pretrained(str(tmp_path / "odd.safetensors"))
    with pytest.raises(RecipeError, match="the model is to be 'resnet34', and resnet18 is a 'resnet18'"):
        find_pretrained("resnet18", model="resnet34")


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_network_ends_with_the_head_that_its_classes_are_outputs_of(name) -> None:
    with torch.device("meta"):
        _, head = head_of(build(name, classes=7, channels=3, size=(64, 64)))
    assert head.out_features == 7


def test_weights_of_another_architecture_are_refused_and_change_nothing() -> None:
    network = build("resnet18", classes=2, channels=3, size=(32, 32))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.device("meta"):
        others = {
            "lacks": build("resnet20", classes=2, channels=3, size=(32, 32)),
            "too many": build("resnet34", classes=2, channels=3, size=(32, 32)),
            "where F32 64x3x7x7": build("resnet18", classes=2, channels=1, size=(32, 32)),
        }
    for said, other in others.items():
        with pytest.raises(ModelFileError, match=f"w.pth does not fit the network 'resnet18'.*{said}"):
            load_backbone(network, other.state_dict(), name="w.pth", model="resnet18")
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())


def test_older_files_do_not_count_their_batches_and_memory_formats_stay() -> None:
    source = build("resnet18", classes=1000, channels=3, size=(32, 32))
    older = {name: each for name, each in source.state_dict().items() if "num_batches" not in name}
    network = build("resnet18", classes=2, channels=3, size=(32, 32)).to(memory_format=torch.channels_last)
    load_backbone(network, older, name="w", model="resnet18")
    assert network.conv1.weight.equal(source.conv1.weight)
    assert network.layer1[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_without_a_dense_layer_is_refused() -> None:
    with pytest.raises(LayerError, match="Sequential ends with no dense layer"):
        head_of(nn.Sequential(nn.Conv2d(1, 2, 3)))


def test_a_folder_name_that_is_a_published_one_is_the_published_one(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet18").mkdir()
    assert find_pretrained("resnet18").mean == (0.485, 0.456, 0.406)
