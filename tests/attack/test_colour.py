"""The colour attack changes light and colours as its formulas say, within its range."""

from __future__ import annotations

import colorsys
import math

import pytest
import torch
from torch import Tensor, nn

from striate.attack.colour import Colour, Light, _about_grey
from striate.attack.goals import Targeted
from striate.core.errors import AttackError


def lit(images: Tensor, light: Light, **chosen: float) -> Tensor:
    names = ("brightness", "contrast", "gamma", "across", "along", "saturation", "hue")
    settings = torch.tensor([[chosen.get(name, 0.0) for name in names]], dtype=images.dtype)
    return Colour(light=light)._lit(images, settings)


def test_each_number_does_what_it_says() -> None:
    images, light = torch.rand(1, 1, 3, 5, dtype=torch.float64), Light(0.2, 0.5, 1.0, 0.1, 0.0, 0.0)
    mean = images.mean()
    assert lit(images, light).allclose(images, atol=1e-15)
    assert lit(images, light, brightness=-1).allclose(images - 0.2)
    assert lit(images, light, contrast=1).allclose(mean + 1.5 * (images - mean))
    assert lit(images, light, contrast=-1).allclose(mean + (images - mean) / 1.5)
    assert lit(images, light, gamma=1).allclose(images**2)
    assert lit(images, light, gamma=-1).allclose(images.sqrt())
    ramp = torch.tensor([-0.1, -0.05, 0, 0.05, 0.1], dtype=torch.float64)
    assert lit(images, light, across=1).allclose(images + ramp)
    assert lit(images, light, along=-1).allclose(images + torch.tensor([[0.1], [0.0], [-0.1]]).double())


def test_hue_turns_about_grey_and_saturation_goes_to_it() -> None:
    images = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    light = Light(hue=120.0, saturation=1.0)
    # A third of a turn is a change of the channels' places: red becomes green.
    assert lit(images, light, hue=1).allclose(images.roll(1, dims=1))
    assert lit(images, light, hue=-1).allclose(images.roll(-1, dims=1))
    grey = images.mean(dim=1, keepdim=True)
    assert lit(images, light, saturation=1).allclose(grey + 2 * (images - grey))
    assert lit(images, light, saturation=-1).allclose(grey + (images - grey) / 2)
    grey_image = grey.expand(1, 3, 4, 4)
    assert lit(grey_image, light, hue=0.3, saturation=1).allclose(grey_image)


def test_small_turns_of_hue_are_those_of_colour_wheels() -> None:
    colour = torch.tensor([0.55, 0.5, 0.5], dtype=torch.float64)
    mixed = _about_grey(torch.tensor([math.radians(60)], dtype=torch.float64), torch.ones(1).double())[0]
    hue, _, _ = colorsys.rgb_to_hsv(*(mixed @ colour).tolist())
    assert hue * 360 == pytest.approx(60, abs=1)


@pytest.mark.parametrize("shape", [(3, 1, 9), (3, 3, 6, 8), (3, 1, 2, 5, 4), (3, 3, 1, 7), (3, 2, 4, 4)])
def test_images_of_any_kind_are_lit(shape) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 3))
    images = torch.rand(shape)
    labels = network(images).argmax(dim=1)
    found = Colour(refinements=1)(network, images, labels)
    assert found.shape == images.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found != images).any()


def test_the_worst_brightness_is_at_the_end_of_the_range() -> None:
    def mean(images: Tensor) -> Tensor:
        bright = images.flatten(1).mean(dim=1)
        return torch.stack([bright, torch.zeros_like(bright)], dim=1)

    images = torch.full((1, 1, 4, 4), 0.5)
    light = Light(brightness=0.2, contrast=0, gamma=0, slope=0, saturation=0, hue=0)
    found = Colour(light=light)(mean, images, torch.tensor([0]))
    assert found.allclose(torch.full_like(images, 0.3))


def test_no_range_changes_nothing(digits) -> None:
    network, images, labels = digits
    assert Colour(light=Light(0, 0, 0, 0, 0, 0))(network, images, labels).equal(images)


def test_digits_are_misread_in_another_light(digits) -> None:
    network, images, labels = digits
    known = (network(images).argmax(dim=1) == labels).sum()
    found = Colour(light=Light(0.3, 1.0, 1.0, 0.4, 0, 0), refinements=5)(network, images, labels)
    assert (network(found).argmax(dim=1) == labels).sum() < known - 20
    goal = Targeted((labels + 1) % 10)
    aimed = Colour(light=Light(0.3, 1.0, 1.0, 0.4, 0, 0), goal=goal)(network, images, labels)
    assert goal.is_met(network(aimed), labels).sum() > goal.is_met(network(images), labels).sum()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Light(brightness=-0.1), "a range that is no number from 0"),
        (lambda: Light(gamma=math.inf), "a range that is no number from 0"),
        (lambda: Light(brightness=1.5), "a brightness of 1.5"),
        (lambda: Light(hue=200), "a hue of 200 degrees"),
        (lambda: Colour(refinements=-1), "-1 rounds of refining"),
    ],
)
def test_what_is_out_of_range_is_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()
