"""A generator's file gives it back bit for bit, and a hostile one gives a sentence and no memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from striate.core.errors import LayerError, ModelFileError, RunError, ShapeError
from striate.gan import TrainedGenerator, load_generator
from striate.models import GAN_FAMILIES, build_generator

NAMES = ("boot", "bag", "coat")


def made(family: str = "dcgan", *, classes: int | None = None, channels: int = 1) -> TrainedGenerator:
    torch.manual_seed(0)
    network = build_generator(family, size=8, channels=channels, latent_size=5, classes=classes, width=4)
    network.to(memory_format=torch.channels_last)
    network(torch.randn(16, 5), None if classes is None else torch.arange(16) % classes)  # norms' statistics
    return TrainedGenerator(
        network.eval(),
        family=family,
        width=4,
        class_names=NAMES[: classes or 0],
        class_shares=(0.5, 0.25, 0.25)[: classes or 0],
        details={"source": "digits"},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made(classes=3).save(tmp_path / "generator.safetensors")
    return tmp_path / "generator.safetensors"


def changed(path: Path, metadata: dict[str, object] | None = None, tensors=None, drop: str = "") -> Path:
    with safe_open(path, "pt") as file:
        texts = file.metadata()
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no mapping)
    for name, value in (metadata or {}).items():
        texts[name] = value if isinstance(value, str) else json.dumps(value)
    texts.pop(drop, None)
    for name, tensor in (tensors or {}).items():
        state.pop(name, None)
        if tensor is not None:
            state[name] = tensor
    texts.pop("layouts", None)
    save_file(state, path, texts)
    return path


@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("family", GAN_FAMILIES)
def test_it_comes_back_bit_for_bit(tmp_path, family, classes) -> None:
    generator = made(family, classes=classes, channels=3)
    generator.save(tmp_path / "generator.safetensors")
    back = load_generator(tmp_path, device="cpu")  # as a run directory
    for name in (
        "family",
        "width",
        "class_names",
        "class_shares",
        "latent_size",
        "size",
        "channels",
        "classes",
    ):
        assert getattr(back, name) == getattr(generator, name), name
    assert {**back.details, **generator.details} == back.details
    assert back.details["versions"]["torch"]
    latents, labels = generator.latents(4, seed=1), generator.labels(4, seed=1)
    images = back.images(latents, labels)
    assert images.equal(generator.images(latents, labels))
    assert images.shape == (4, 3, 8, 8)
    assert 0 <= images.min() <= images.max() <= 1
    assert not back.network.training


def test_latents_and_labels_follow_from_the_seed_and_the_shares() -> None:
    generator = made(classes=3)
    assert generator.latents(40, seed=2)[:7].equal(generator.latents(7, seed=2))
    assert not generator.latents(7, seed=2).equal(generator.latents(7, seed=3))
    labels = generator.labels(4000, seed=0)
    shares = torch.bincount(labels, minlength=3) / 4000
    assert torch.allclose(shares, torch.tensor([0.5, 0.25, 0.25]), atol=0.03)
    assert made().labels(3, seed=0) is None


def test_derivatives_by_the_latents_are_kept_where_they_are_asked_for() -> None:
    generator = made()
    latents = generator.latents(2, seed=0).requires_grad_()
    assert not generator.images(latents).requires_grad
    generator.images(latents, differentiable=True).sum().backward()
    assert latents.grad.abs().sum() > 0


def test_what_does_not_fit_a_generator_is_one_sentence() -> None:
    with pytest.raises(ShapeError, match="a latent has 6 numbers, where this generator takes 5"):
        made().images(torch.zeros(2, 6))
    with pytest.raises(LayerError, match="is told which: give labels"):
        made(classes=3).images(torch.zeros(2, 5))
    with pytest.raises(LayerError, match="without classes"):
        made().images(torch.zeros(2, 5), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(LayerError, match="knows classes 0 to 2, and got 3"):
        made(classes=3).images(torch.zeros(1, 5), torch.tensor([3]))


def test_a_header_is_read_without_torch(path: Path) -> None:
    code = (
        "import sys; from striate.gan.generator_header import read_generator_header; "
        "print(read_generator_header(sys.argv[1]).family); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "dcgan\n"


def test_loading_leaves_the_random_stream_alone(path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_generator(path)
    assert torch.equal(torch.rand(3), expected)


ARGUMENTS = {"size": 8, "channels": 1, "latent_size": 5, "width": 4, "classes": 3}


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"format": "other"}, "not a generator that striate saved"),
        ({"format_version": "2"}, "newer than this striate"),
        ({"format_version": "one"}, "its format version is 'one'"),
        ({"family": '"dcgann"'}, "did you mean 'dcgan'"),
        ({"family": 3}, "'family' in its header is of a wrong kind"),
        ({"family": "{"}, "'family' in its header is not JSON"),
        ({"arguments": []}, "'arguments' in its header is of a wrong kind"),
        ({"arguments": {"size": 8}}, "are not size, channels, latent_size, width, classes"),
        (
            {"arguments": ARGUMENTS | {"width": 10**9}},
            "whose width is 1000000000, which is not from 1 to 4,096",
        ),
        ({"arguments": ARGUMENTS | {"width": True}}, "whose width is True"),
        ({"arguments": ARGUMENTS | {"size": 9}}, "cannot be built as its header says"),
        ({"arguments": ARGUMENTS | {"width": 4096}}, "does not fit the network 'dcgan'"),
        ({"class_names": ["boot"]}, "names 1 classes for a network of 3"),
        ({"class_names": [1, 2, 3]}, "its class names are not texts"),
        ({"class_shares": [1, -1, 1]}, "shares of the classes are no shares"),
        ({"class_shares": [0, 0, 0]}, "shares of the classes are no shares"),
        ({"class_shares": [1, 1]}, "shares of the classes are no shares"),
        ({"class_shares": "[NaN, 1, 1]"}, "shares of the classes are no shares"),
        ({"details": "[" * 100_000}, "'details' in its header is not JSON"),
    ],
)
def test_a_hostile_header_is_one_sentence(path, metadata, sentence) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        load_generator(changed(path, metadata))


def test_hostile_tensors_are_one_sentence(path) -> None:
    with pytest.raises(ModelFileError, match=r"lacks the tensor 'first\.weight'"):
        load_generator(changed(path, tensors={"first.weight": None}))
    with pytest.raises(ModelFileError, match="has a tensor 'odd' too many"):
        load_generator(changed(path, tensors={"first.weight": torch.zeros(1), "odd": torch.zeros(1)}))


def test_a_file_that_is_none_is_one_sentence(tmp_path, path) -> None:
    with pytest.raises(ModelFileError, match="there is no generator or run directory"):
        load_generator(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match=r"has no generator\.safetensors"):
        load_generator(tmp_path / "empty")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="cut short"):
        load_generator(path)
    torch.save({}, tmp_path / "a.pt")
    with pytest.raises(ModelFileError, match="can run code"):
        load_generator(tmp_path / "a.pt")


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path) -> None:
    with pytest.raises(RunError, match="cannot write the generator"):
        made().save(tmp_path / "absent" / "generator.safetensors")
