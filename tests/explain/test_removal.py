"""Deletion and insertion curves are what deleting and inserting by hand gives."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import deletion, insertion
from striate.explain.removal import blurred


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(2 * 4 * 5, 3))


def by_hand(
    net: nn.Module, images: Tensor, heat: Tensor, target: int, filling: Tensor, *, insert: bool
) -> Tensor:
    """Exchange one place after the other."""
    rows = []
    for image, values, fill in zip(images, heat, filling, strict=True):
        shown = (fill if insert else image).clone()
        curve = [net(shown[None]).softmax(dim=1)[0, target]]
        for place in values.flatten().argsort(descending=True).tolist():
            row, column = divmod(place, 5)
            shown[:, row, column] = (image if insert else fill)[:, row, column]
            curve.append(net(shown[None]).softmax(dim=1)[0, target])
        rows.append(torch.stack(curve))
    return torch.stack(rows).detach()


@pytest.mark.parametrize("insert", [False, True])
def test_the_curve_is_that_of_exchanging_place_by_place(insert) -> None:
    generator = Generator().manual_seed(1)
    images, heat = torch.rand(3, 2, 4, 5, generator=generator), torch.randn(3, 4, 5, generator=generator)
    net = network()
    expected = by_hand(net, images, heat, 1, torch.full_like(images, 0.5), insert=insert)
    curve = (insertion if insert else deletion)(net, images, heat, 1, baseline=0.5, steps=20)
    assert curve.shares == tuple(step / 20 for step in range(21))
    assert torch.allclose(torch.tensor(curve.probabilities), expected.mean(dim=0), atol=1e-6)
    areas = torch.trapezoid(expected, dx=1 / 20, dim=1)
    assert torch.allclose(torch.tensor(curve.areas), areas, atol=1e-6)
    assert curve.area == pytest.approx(areas.mean().item(), abs=1e-6)
    assert (curve.images, curve.baseline) == (3, "0.5")


def test_insertion_begins_with_the_blurred_image_and_both_say_from_what() -> None:
    images, heat, net = torch.rand(1, 2, 4, 5), torch.rand(1, 4, 5), network()
    first = net(blurred(images)).softmax(dim=1)
    curve = insertion(net, images, heat, 2)
    assert curve.probabilities[0] == pytest.approx(first[0, 2].item(), abs=1e-6)
    assert "blurred over 1/20" in curve.baseline
    assert deletion(net, images, heat, 2, baseline=torch.zeros(4, 5)).baseline == "a tensor"


def test_the_right_map_is_better_than_its_opposite() -> None:
    images = torch.rand(4, 2, 4, 5, generator=Generator().manual_seed(2))
    net = network()
    shares = (images * net[1].weight[0].view(2, 4, 5)).sum(dim=1).detach()
    assert deletion(net, images, shares, 0).area < deletion(net, images, -shares, 0).area
    assert (
        insertion(net, images, shares, 0, baseline=0.0).area
        > insertion(net, images, -shares, 0, baseline=0.0).area
    )


def test_a_single_output_is_a_logit() -> None:
    net, images = nn.Sequential(nn.Flatten(), nn.Linear(9, 1)), torch.rand(1, 1, 3, 3)
    curve = deletion(net, images, torch.rand(1, 3, 3), steps=2)
    assert curve.probabilities[0] == pytest.approx(net(images).sigmoid().item(), abs=1e-6)


@pytest.mark.parametrize("shape", [(7,), (6, 9), (3, 4, 5)])
def test_blurring_keeps_even_images_and_smooths_others(shape) -> None:
    even = torch.full((2, 3, *shape), 0.7)
    assert torch.allclose(blurred(even), even)
    images = torch.rand(1, 1, *(40 for _ in shape[:2]))
    soft = blurred(images)
    assert soft.shape == images.shape
    assert soft.std() < images.std() / 2


def test_blurring_is_by_a_gaussian() -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is the oracle")
    images = torch.zeros(1, 1, 60, 60)
    images[0, 0, 30, 25] = 1
    expected = ndimage.gaussian_filter(images[0, 0].numpy(), 3.0, truncate=8)
    assert abs(blurred(images)[0, 0].numpy() - expected).max() < 1e-6


def test_what_does_not_fit_is_refused() -> None:
    net, images = network(), torch.rand(2, 2, 4, 5)
    with pytest.raises(ShapeError, match="maps of 2x5x4 do not fit these images, where 2x4x5 do"):
        deletion(net, images, torch.rand(2, 5, 4))
    with pytest.raises(LayerError, match="0 steps cannot be"):
        insertion(net, images, torch.rand(2, 4, 5), steps=0)
    with pytest.raises(ShapeError, match="baseline of 3 does not fit"):
        deletion(net, images, torch.rand(2, 4, 5), baseline=torch.zeros(3))
