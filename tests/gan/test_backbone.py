"""A discriminator as the start of a classifier: its trunk, its file, and files that are not what they say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

import striate
from striate.classifier import find_pretrained, load_backbone, open_backbone
from striate.core.errors import ModelFileError, RecipeError, RunError
from striate.core.events import ignore
from striate.core.tensors import load_tensors, save_tensors
from striate.data import Split
from striate.gan.backbone import backbone_tensors, write_backbone
from striate.models import GAN_FAMILIES, Discriminator, build, build_discriminator
from striate.training import Run

FAMILIES = sorted(GAN_FAMILIES)


@pytest.fixture(scope="module")
def digits() -> striate.Dataset:
    """A few images to learn from."""
    whole = striate.open_dataset("digits")
    parts = (Split(part.images[:250], part.labels[:250]) for part in (whole.train, whole.validation))
    train, validation = parts
    return replace(whole, train=train, validation=validation, test=None)


def trained(family: str, *, size: int = 16, classes: int | None = None, channels: int = 1) -> Discriminator:
    """Build a discriminator and let it move: its weights, running figures and power iterations."""
    torch.manual_seed(0)
    network = build_discriminator(family, size=size, channels=channels, classes=classes, width=8)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    labels = None if classes is None else torch.arange(6) % classes
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.randn(6, channels, size, size), labels).square().sum().backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_classifier_begins_with_the_features_of_the_discriminator_in_evaluation(
    family, classes, tmp_path
) -> None:
    discriminator = trained(family, classes=classes)
    before = {name: each.clone() for name, each in discriminator.state_dict().items()}
    write_backbone(discriminator, tmp_path / "backbone.safetensors")
    # It goes on learning as if nothing had been written.
    assert discriminator.training
    assert all(each.equal(before[name]) for name, each in discriminator.state_dict().items())
    found = find_pretrained(str(tmp_path))
    assert (found.model, found.layers) == (f"{family}-trunk", "width8")
    assert (found.channels, found.size, found.mean, found.std) == (1, (16, 16), (0.5,), (0.5,))
    network = build(found.model, classes=4, channels=1, size=(16, 16), layers=found.layers)
    load_backbone(network, found.tensors(), name="run", model=found.model)
    images = torch.randn(5, 1, 16, 16)
    with torch.no_grad():
        features = discriminator.eval().trunk(images)
        assert torch.allclose(network.eval().trunk(images), features, rtol=1e-5, atol=1e-6)
        assert features.std() > 0
        assert network(images).shape == (5, 4)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_pixels_are_those_that_the_discriminator_computes(family, tmp_path) -> None:
    discriminator = trained(family).eval()
    write_backbone(discriminator, tmp_path / "backbone.safetensors")
    backbone = open_backbone(str(tmp_path), device="cpu")
    pixels = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        wanted = discriminator.trunk(pixels / 127.5 - 1)
    found = backbone.features(pixels)
    assert found.shape == (5, discriminator.score.in_features)
    # It computes in half the precision where the CPU does.
    assert (found - wanted).norm() < 0.03 * wanted.norm()


def test_a_backbone_can_be_written_again_and_again_while_it_learns() -> None:
    discriminator = trained("residual")
    first = backbone_tensors(discriminator)
    again = backbone_tensors(discriminator)
    assert all(each.equal(again[name]) for name, each in first.items())
    discriminator(torch.randn(2, 1, 16, 16)).sum().backward()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.1)
    later = backbone_tensors(discriminator)
    assert first.keys() == later.keys()
    assert not any(first[name].equal(later[name]) for name in first if name.endswith("weight"))


def test_weights_are_divided_by_their_largest_singular_value() -> None:
    discriminator = trained("residual")
    with torch.no_grad():
        for _ in range(150):
            discriminator(torch.randn(1, 1, 16, 16))
    tensors = backbone_tensors(discriminator)
    weights = {name: each for name, each in tensors.items() if name.endswith("weight")}
    assert len(weights) == 6
    for name, weight in weights.items():
        assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.01), name


def test_memory_formats_are_kept(tmp_path) -> None:
    discriminator = trained("dcgan").to(memory_format=torch.channels_last)
    write_backbone(discriminator, tmp_path / "b.safetensors")
    tensors, _ = load_tensors(tmp_path / "b.safetensors")
    assert tensors["trunk.3.weight"].is_contiguous(memory_format=torch.channels_last)


@pytest.fixture(scope="module")
def finished(digits, tmp_path_factory) -> Run:
    """A classifier that began with what a discriminator learnt."""
    folder = tmp_path_factory.mktemp("backbone")
    write_backbone(trained("dcgan", size=8), folder / "backbone.safetensors")
    return striate.train(
        digits, pretrained=str(folder), epochs=1, device="cpu", out=folder / "run", on_event=ignore
    )


def test_a_training_starts_from_the_run_of_a_generator(finished) -> None:
    assert finished.recipe.model == "dcgan-trunk"
    assert finished.recipe.layers == "width8"
    assert finished.evaluation["validation"].accuracy > 0.3
    again = striate.load(finished.path)
    assert again.network.head.out_features == 10
    assert again.mean.flatten().tolist() == [0.5]


def test_its_head_alone_can_learn(digits, tmp_path) -> None:
    write_backbone(trained("r3gan", size=8), tmp_path / "backbone.safetensors")
    before = backbone_tensors(trained("r3gan", size=8))
    found = striate.train(
        digits, pretrained=str(tmp_path), freeze="backbone", epochs=1, out=tmp_path / "run", on_event=ignore
    )
    after = found.classifier.network.state_dict()
    assert all(each.equal(after[name]) for name, each in before.items())
    assert found.evaluation["validation"].accuracy > 0.3


def test_another_model_beside_it_is_refused(tmp_path) -> None:
    write_backbone(trained("dense"), tmp_path / "backbone.safetensors")
    with pytest.raises(RecipeError, match=r"the model is to be 'resnet18', and .* is a 'dense-trunk'"):
        find_pretrained(str(tmp_path), model="resnet18")


def test_a_directory_with_a_classifier_means_the_classifier(finished, tmp_path) -> None:
    shutil.copy(finished.path / "model.safetensors", tmp_path)
    write_backbone(trained("dense"), tmp_path / "backbone.safetensors")
    assert find_pretrained(str(tmp_path)).model == "dcgan-trunk"


def test_a_directory_without_either_says_what_is_missing(tmp_path) -> None:
    with pytest.raises(ModelFileError, match=r"is no finished run: it has no model\.safetensors"):
        find_pretrained(str(tmp_path))


def test_a_backbone_that_cannot_be_written_is_said(tmp_path) -> None:
    with pytest.raises(RunError, match="cannot write the backbone"):
        write_backbone(trained("dense"), tmp_path / "nowhere" / "backbone.safetensors")


SHOWN = {"size": [16, 16], "channels": 1, "mean": [0.5], "std": [0.5]}
COLOUR = {"size": [16, 16], "channels": 3, "mean": [0] * 3, "std": [1] * 3, "fill": [0] * 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": "2"}, "is of format 2, which is newer than this striate"),
        ({"format_version": "x"}, "its format version is 'x'"),
        ({"model": '"dcgan-trnk"'}, "there is no model 'dcgan-trnk'; did you mean 'dcgan-trunk'"),
        ({"model": '"resnet18"'}, "the layers of its 'resnet18' are 'width8'"),
        ({"model": '"' + "m" * 300 + '"'}, "is damaged: its network is 'mmm"),
        ({"model": "3"}, "'model' in its header is of a wrong kind"),
        ({"model": None}, "its header lacks 'model'"),
        (
            {"layers": '"width9"'},
            r"its tensor 'trunk\.1\.weight' is F32 16x4x3x3, where F32 18x4x3x3 is wanted",
        ),
        ({"layers": '"width99999"'}, "its tensor .* where F32 199998x4x3x3 is wanted"),
        ({"layers": '"wide"'}, "cannot be built as its header says: the layers of a dcgan-trunk are 'wide'"),
        ({"layers": '""'}, "the layers of its 'dcgan-trunk' are None"),
        ({"model": '"stacked"', "layers": '"' + "conv9," * 33 + '"'}, "cannot be built as its header says"),
        ({"preprocessing": "[]"}, "'preprocessing' in its header is of a wrong kind"),
        ({"preprocessing": "{"}, "'preprocessing' in its header is not JSON"),
        ({"preprocessing": json.dumps({**SHOWN, "size": [4, 4]})}, "4x4 pixels are too small"),
        ({"preprocessing": json.dumps({**SHOWN, "size": [9999, 9999]})}, "size is .9999, 9999., where"),
        ({"preprocessing": json.dumps({**SHOWN, "std": [0]})}, "std is .*, where numbers over 0"),
        ({"preprocessing": json.dumps({**SHOWN, "run": "me"})}, "the preprocessing is damaged"),
        (
            {"preprocessing": json.dumps(COLOUR)},
            r"its tensor 'trunk\.1\.weight' is F32 16x4x3x3, where F32 16x12x3x3 is wanted",
        ),
    ],
)
def test_headers_that_do_not_hold_are_refused(changes, message, tmp_path) -> None:
    path = tmp_path / "backbone.safetensors"
    write_backbone(trained("dcgan"), path)
    tensors, metadata = load_tensors(path)
    save_tensors(
        path, tensors, {name: text for name, text in {**metadata, **changes}.items() if text is not None}
    )
    with pytest.raises(ModelFileError, match=message):
        find_pretrained(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("trunk.3.weight"), r"lacks the tensor 'trunk\.3\.weight'"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "has a tensor 'extra' too many"),
        (lambda tensors: tensors.update({"trunk.1.bias": torch.zeros(16).half()}), "is F16 16, where F32 16"),
    ],
)
def test_tensors_of_another_network_are_refused(change, message, tmp_path) -> None:
    path = tmp_path / "backbone.safetensors"
    write_backbone(trained("dcgan"), path)
    tensors, metadata = load_tensors(path)
    change(tensors)
    save_tensors(path, tensors, metadata)
    with pytest.raises(ModelFileError, match=f"does not fit the network 'dcgan-trunk'.*{message}"):
        find_pretrained(str(tmp_path))


def test_files_that_were_cut_or_are_no_files_of_tensors_are_refused(tmp_path) -> None:
    path = tmp_path / "backbone.safetensors"
    write_backbone(trained("dcgan"), path)
    whole = path.read_bytes()
    for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            find_pretrained(str(tmp_path))
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="pickle or zip archive"):
        find_pretrained(str(tmp_path))
