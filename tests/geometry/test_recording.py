"""What cannot be followed, or does not fit, is refused in one sentence that names the layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError, TraceError
from striate.geometry import trace
from striate.models import CATALOGUE
from striate.nn import PolyphaseSampling


class Inner(nn.Module):
    """A layer of whatever function, inside of a network."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, features: Tensor) -> Tensor:
        return self.function(features)


def inside(function) -> nn.Module:
    """A network whose second part calls a function."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), Inner(function)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x.mean().item(),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x[x > 0],
        lambda x: x * int(x.amax()),
        lambda x: x.nonzero(),
        lambda x: torch.masked_select(x, x > 0),
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        lambda x: x.cpu().tolist(),
    ],
)
def test_what_depends_on_values_is_refused_with_the_place(function) -> None:
    with pytest.raises(TraceError, match=r"^.*in? ?layer '1.1' \(Inner\): it reads the value of a tensor"):
        trace(inside(function), (3, 8, 8))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x.view(7, 7), "view|shape"),
        (lambda x: x.missing, "missing"),
        (lambda x: [][len(x)], "list index"),
        (lambda x: len(x) / 0, "division"),
    ],
)
def test_what_fails_is_said_with_the_place(function, reason) -> None:
    with pytest.raises(TraceError, match=rf"layer '1.1' \(Inner\).*({reason})"):
        trace(inside(function), (3, 8, 10))


@pytest.mark.parametrize(
    ("network", "shape", "sentence"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3)),
            (3, 8, 8),
            "layer '1' (Conv2d): it takes 5 channels, and got 4 (of 4x6x6)",
        ),
        (
            nn.Conv2d(3, 4, 3),
            (3, 224),
            "the network (Conv2d): it takes 2 axes after the channels, such as 3x32x32, and got 3x224",
        ),
        (
            nn.Conv1d(3, 4, 3),
            (3, 8, 8),
            "the network (Conv1d): it takes 1 axis after the channels, such as 3x32, and got 3x8x8",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(5)),
            (1, 6, 6),
            "layer '1' (MaxPool2d): a window of 5 is larger than its input of 4: the input must have at "
            "least 5",
        ),
        (
            nn.Conv2d(1, 1, 9, padding=1),
            (1, 6, 6),
            "the network (Conv2d): a window of 9 is larger than its input of 6 and padding 2: the input must "
            "have at least 7",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(50, 2)),
            (1, 6, 6),
            "layer '1' (Linear): it takes 50 features, and got 36 (of 36); the size of the network's input "
            "decides how many arrive",
        ),
        (
            nn.ConvTranspose2d(1, 1, 1, padding=2),
            (1, 3, 3),
            "the network (ConvTranspose2d): a transposed convolution of 3 gives (3 - 1)*1 - 4 + 1 + 0 = -1, "
            "and at least 1 must be left; less padding gives more",
        ),
        (
            nn.MaxPool2d(2, padding=2),
            (1, 6, 6),
            "the network (MaxPool2d): padding 2 is more than half of a pooling window of 2, so that some "
            "windows would hold no element; padding 1 and less can be",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_arithmetic(network, shape, sentence) -> None:
    with pytest.raises(ShapeError) as caught:
        trace(network, shape)
    assert str(caught.value) == sentence


def test_functions_that_do_not_fit_are_named_with_the_module_that_calls_them() -> None:
    network = inside(lambda x: F.conv2d(x, torch.zeros(2, 9, 1, 1)))
    with pytest.raises(ShapeError, match=r"conv2d in layer '1.1' \(Inner\): it takes 9 channels, and got 4"):
        trace(network, (3, 8, 8))
    network = inside(lambda x: F.max_pool2d(x, 3, stride=0))
    with pytest.raises(ShapeError, match=r"max_pool2d in layer '1.1' \(Inner\): stride 0 cannot be"):
        trace(network, (3, 8, 8))
    network = inside(lambda x: F.avg_pool2d(x, 3, stride=-1))
    with pytest.raises(ShapeError, match=r"avg_pool2d in layer '1.1' \(Inner\): stride -1 cannot be"):
        trace(network, (3, 8, 8))
    with pytest.raises(
        ShapeError, match=r"matmul in layer '1.1' \(Inner\): .* 6x8 and 6x8 cannot be: 8 features"
    ):
        trace(inside(lambda x: x @ x), (3, 8, 10))


def test_errors_of_our_own_layers_keep_their_sentence() -> None:
    with pytest.raises(ShapeError, match=r"layer '1' \(PolyphaseSampling\): polyphase .* does not fit 7x8"):
        trace(nn.Sequential(nn.ReLU(), PolyphaseSampling()), (3, 7, 8))


@pytest.mark.parametrize("name", ["resnet18", "lenet"])
def test_a_network_of_ours_refuses_the_wrong_channels_and_axes(name) -> None:
    channels = 3 if name == "resnet18" else 1
    network = CATALOGUE[name]()
    with pytest.raises((ShapeError, LayerError), match="channel"):
        trace(network, (channels + 1, 32, 32))
    with pytest.raises((ShapeError, LayerError)):
        trace(network, (channels, 32))


def test_strict_refuses_what_is_left_over_and_names_the_layer() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2))
    with pytest.raises(
        ShapeError, match=r"layer '1' \(MaxPool2d\): 2 with stride 2 does not fit 7: \(7 - 2\)/2 \+ 1 = 3.50"
    ):
        trace(network, (1, 9, 9), strict=True)
    assert trace(network, (1, 10, 10), strict=True).notes == ()
    ceil = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2, ceil_mode=True))
    assert trace(ceil, (1, 9, 9), strict=True).layers[-1].output == (1, 4, 4)


@pytest.mark.parametrize("shape", [(), (3, 0, 8), (3, -1), (3, 8.5, 8), [()], [(3, 8, 8), (0,)]])
def test_shapes_that_cannot_be_are_refused(shape) -> None:
    with pytest.raises(ShapeError, match=r"such as \(3, 224, 224\)"):
        trace(nn.Conv2d(3, 1, 3), shape)


def test_the_wrong_number_of_inputs_is_refused() -> None:
    with pytest.raises(TraceError, match=r"with an input of 3x8x8 and 3x8x8: .*positional argument"):
        trace(nn.Conv2d(3, 1, 3), [(3, 8, 8), (3, 8, 8)])


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(LayerError, match=r"is a torch.nn.Module, and this is of type function"):
        trace(lambda images: images, (3, 8, 8))
    with pytest.raises(TraceError, match="TorchScript"), pytest.warns(DeprecationWarning, match="jit"):
        trace(torch.jit.script(nn.Conv2d(3, 1, 3)), (3, 8, 8))


def test_a_part_that_fails_and_is_caught_does_not_misname_what_follows() -> None:
    class Cautious(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong = nn.Linear(7, 7)
            self.right = nn.Conv2d(3, 2, 3)

        def forward(self, images: Tensor) -> Tensor:
            try:
                return self.wrong(images)
            except ShapeError:
                return self.right(images)

    found = trace(nn.Sequential(Cautious(), nn.ReLU()), (3, 8, 8))
    assert [layer.name for layer in found.layers] == ["0.right", "1"]
