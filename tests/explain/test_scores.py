"""A network's answer is checked before anything is explained by it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain.scores import reason_of, scores_of


class Gives(nn.Module):
    """Gives what a function makes of the images."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> object:
        return self.function(images)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: (x.flatten(1), x),
            "gives a tuple for 2 images, where one tensor of 2 x classes is wanted",
        ),
        (lambda x: {"out": x}, "gives a dict for 2 images"),
        (lambda x: x, "gives float32 of 2x3x4 for 2 images, where scores of 2 x classes are wanted"),
        (lambda x: x.flatten(1)[:1], "gives float32 of 1x12 for 2 images"),
        (lambda x: x.sum(), "gives float32 of no axis for 2 images"),
        (lambda x: x.flatten(1).long(), "gives int64 of 2x12"),
        (lambda x: x.flatten(1)[:, :0], "gives float32 of 2x0"),
    ],
)
def test_what_are_no_scores_is_refused(function, message) -> None:
    with pytest.raises(ShapeError, match=message):
        scores_of(Gives(function), torch.ones(2, 3, 4))


def test_scores_that_are_not_finite_cannot_be_explained() -> None:
    images = torch.tensor([[[1.0]], [[0.0]], [[-1.0]]])
    with pytest.raises(LayerError, match="scores for 2 of 3 images are inf or NaN"):
        scores_of(Gives(lambda x: x.flatten(1).log()), images)


def test_images_that_do_not_fit_are_refused_with_the_reason() -> None:
    with pytest.raises(LayerError, match=r"cannot take images of 1x3x8x8.*expected.*1 channels"):
        scores_of(nn.Conv2d(1, 2, 3), torch.ones(1, 3, 8, 8))


def test_a_defect_of_the_network_is_not_hidden() -> None:
    def fail(*_: Tensor) -> Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        scores_of(Gives(fail), torch.ones(1, 1, 1))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("given", [torch.bfloat16, torch.float32, torch.float64])
def test_a_network_computes_in_its_own_precision(kind, given) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2)).to(kind)
    scores = scores_of(network, torch.ones(2, 1, 3, dtype=given))
    assert scores.dtype == (torch.float64 if kind == torch.float64 else torch.float32)


def test_a_network_that_writes_in_place_does_not_write_the_images() -> None:
    images = torch.tensor([[[-1.0, 2.0]]])
    scores_of(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()), images)
    assert images.tolist() == [[[-1.0, 2.0]]]


def test_the_reason_is_one_line() -> None:
    assert reason_of(RuntimeError("  first\nsecond")) == "first"
    assert reason_of(RuntimeError()) == "RuntimeError"
