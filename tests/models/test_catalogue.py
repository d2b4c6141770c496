"""Laws of every network of the catalogue; what is costly at full width is built without memory."""

from __future__ import annotations

import inspect
import re

import pytest
import torch
from torch import nn

import striate
from striate.core.errors import LayerError, RecipeError, ShapeError
from striate.core.events import ignore
from striate.models import CATALOGUE, LearnsFirstLayer, build

NAMES = sorted(CATALOGUE)

SIZED = [name for name in NAMES if "size" in inspect.signature(CATALOGUE[name]).parameters]
"""Those whose layers depend on the size of the images."""

CHEAP = [
    "compact-large",
    "compact-medium",
    "compact-small",
    "dcgan-trunk",
    "dense-trunk",
    "lenet",
    "mlp",
    "mnist-convnet",
    "plain20",
    "preactresnet18",
    "r3gan-trunk",
    "residual-trunk",
    "resnet18",
    "resnet20",
    "stacked",
    "wide-resnet16-4",
]
"""One of each family that is built in tenths of a second."""

COSTLY = {"alexnet": 64, "alexnet-2012": 64, "resnet50": 32, "vgg11": 32, "vgg11-bn": 32}
"""One of each other family, and the side of images for it."""


def on_meta(name: str, *, classes: int = 7, channels: int = 3, size: tuple[int, int]) -> torch.Size:
    """Build a network without memory and give the shape of its logits of two images."""
    with torch.device("meta"):
        network = build(name, classes=classes, channels=channels, size=size)
        return network(torch.empty(2, channels, *size)).shape


def check_gradients(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_names_are_sorted_and_those_of_the_functions() -> None:
    assert list(CATALOGUE) == NAMES
    assert [name.replace("-", "_") for name in NAMES] == [make.__name__ for make in CATALOGUE.values()]


@pytest.mark.parametrize("name", NAMES)
def test_every_network_gives_logits_of_images_of_any_channels_and_sides(name) -> None:
    assert on_meta(name, classes=2, channels=4, size=(95, 66)) == (2, 2)


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (28, 28), (70, 20)])
def test_small_images_work_or_are_refused_with_a_size_that_works(name, size) -> None:
    refusal = ""
    try:
        shape = on_meta(name, size=size)
    except ShapeError as error:
        refusal = str(error)
    if refusal:
        found = re.search(r"(\d+)x\1 and larger fit, and size=(\d+) enlarges them", refusal)
        assert found, refusal
        least = int(found[1])
        assert min(size) < least <= int(found[2])
        shape = on_meta(name, size=(least, least))
        with pytest.raises(ShapeError, match="too small"):
            on_meta(name, size=(least - 1, 100))
    assert shape == (2, 7)


def test_residual_networks_take_any_image() -> None:
    for name in ("preactresnet18", "resnet18", "resnet50", "resnet20", "plain20", "wide-resnet16-4"):
        assert name not in SIZED
        assert on_meta(name, size=(1, 1)) == (2, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet", "28x8 pixels are too small for LeNet: pool1 leaves 4 of 8, conv2 takes at least 5; 12x12"),
        ("alexnet", "conv1 leaves 6 of 28, pool1 leaves 2 of 6, pool2 takes at least 3; 63x63"),
        ("vgg16-bn", "pool3 leaves 3 of 7, pool4 leaves 1 of 3, pool5 takes at least 2; 32x32"),
    ],
)
def test_a_refusal_holds_the_arithmetic(name, message) -> None:
    size = (28, 8) if name == "lenet" else (28, 28)
    with pytest.raises(ShapeError, match=message):
        on_meta(name, size=size)


@pytest.mark.parametrize("name", CHEAP)
@pytest.mark.parametrize(("size", "channels"), [((28, 28), 1), ((15, 22), 3)])
def test_every_family_trains_on_small_images(name, size, channels) -> None:
    network = build(name, classes=7, channels=channels, size=size)
    images = torch.rand(4, channels, *size)
    if isinstance(network, LearnsFirstLayer):
        network.learn_first_layer(images)
    logits = network(images)
    assert logits.shape == (4, 7)
    logits.square().mean().backward()
    check_gradients(network)


@pytest.mark.parametrize("name", CHEAP)
def test_every_family_trains_in_bfloat16_with_channels_last(name) -> None:
    network = build(name, classes=7, channels=3, size=(28, 28)).to(memory_format=torch.channels_last)
    images = torch.rand(4, 3, 28, 28).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.dtype == torch.bfloat16
    logits.float().square().mean().backward()
    check_gradients(network)


@pytest.mark.parametrize(("name", "side"), COSTLY.items())
def test_costly_families_train_in_bfloat16_with_channels_last(name, side) -> None:
    with torch.device("meta"):
        network = build(name, classes=7, channels=3, size=(side, side))
        if hasattr(network, "classifier"):  # the costly part is nothing but dense layers
            inputs = next(part.in_features for part in network.classifier if isinstance(part, nn.Linear))
            network.classifier = nn.Linear(inputs, 7)
    network.to_empty(device="cpu").to(memory_format=torch.channels_last)
    for tensor in network.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape) * 0.05 if tensor.ndim > 1 else torch.ones(tensor.shape))
    images = torch.rand(4, 3, side, side).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.shape == (4, 7)
    logits.float().square().mean().backward()
    check_gradients(network)


@pytest.mark.parametrize("name", CHEAP)
def test_an_image_alone_gets_the_logits_it_gets_in_a_batch(name) -> None:
    network = build(name, classes=3, channels=1, size=(28, 28)).double().eval()
    images = torch.rand(3, 1, 28, 28, dtype=torch.double)
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(together, alone, atol=1e-10)


@pytest.mark.parametrize("name", CHEAP)
def test_the_seed_decides_the_weights(name) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = build(name, classes=3, channels=1, size=(28, 28))
        return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])

    first = weights(1)
    assert torch.isfinite(first).all()
    assert first.equal(weights(1))
    assert not first.equal(weights(2))


@pytest.mark.parametrize("name", [*CHEAP[3:], *COSTLY])
def test_wrong_numbers_and_wrong_images_are_refused_in_one_sentence(name) -> None:
    wrong: list[dict[str, object]] = [{"classes": 0}, {"channels": 0}, {"channels": 2.0}]
    with torch.device("meta"):
        for change in wrong:
            with pytest.raises(LayerError, match=f"{next(iter(change))} is .*, where"):
                build(name, **{"classes": 2, "channels": 3, "size": (64, 64), **change})
        network = build(name, classes=2, channels=3, size=(64, 64))
        for shape in [(2, 1, 64, 64), (2, 3, 64), (3, 64, 64), (2, 3, 0, 64)]:
            with pytest.raises(ShapeError, match=r"^\S+ .*got"):
                network(torch.empty(shape))


@pytest.mark.parametrize(("name", "size", "epochs"), [("mnist-convnet", None, 3), ("lenet", 16, 3)])
def test_a_network_of_the_catalogue_learns_digits_by_name(tmp_path, name, size, epochs) -> None:
    out = tmp_path / "run"
    run = striate.train(
        "digits", model=name, size=size, epochs=epochs, device="cpu", out=out, on_event=ignore
    )
    assert run.evaluation["validation"].accuracy > 0.6


def test_images_that_do_not_fit_are_refused_and_leave_nothing_behind(tmp_path) -> None:
    with pytest.raises(ShapeError, match=r"8x8 pixels are too small for LeNet.* and size=12 enlarges them"):
        striate.train("digits", model="lenet", epochs=1, out=tmp_path / "run", on_event=ignore)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("resnet-18", "resnet18"),
        ("vgg16_bn", "vgg16-bn"),
        ("wide_resnet50_2", "wide-resnet50-2"),
        ("LeNet", "lenet"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(wrong, right) -> None:
    with pytest.raises(RecipeError, match=f"did you mean '{right}'"):
        build(wrong, classes=2, channels=1, size=(28, 28))
