"""The sprint networks: shapes, operations, offsets that learn fast, and filters that keep their norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from striate.core.errors import ShapeError
from striate.models import KeepsNorms, LearnsFirstLayer, Sprint, build
from striate.models.sprint import OFFSET_GAIN, OffsetNorm


@pytest.mark.parametrize("name", ["sprint", "sprint-dense"])
@pytest.mark.parametrize(("channels", "size"), [(1, (10, 10)), (3, (32, 32)), (3, (23, 40))])
def test_they_take_small_images_and_train(name, channels, size) -> None:
    network = build(name, classes=7, channels=channels, size=size)
    assert isinstance(network, LearnsFirstLayer)
    assert isinstance(network, KeepsNorms)
    images = torch.rand(4, channels, *size)
    network.learn_first_layer(images)
    logits = network(images)
    assert logits.shape == (4, 7)
    logits.square().mean().backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name == "stem.weight":
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None, parameter_name
            assert torch.isfinite(parameter.grad).all(), parameter_name


def test_the_strided_network_spares_an_eighth_of_the_operations() -> None:
    counts = {}
    for name in ("sprint", "sprint-dense"):
        network, images = build(name, classes=10, channels=3, size=(32, 32)), torch.zeros(1, 3, 32, 32)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(images)
        counts[name] = counter.get_total_flops() / 2e6
    # By hand: whitening, then 3x3 convolutions at 15, 15, 7, 7 and 3 pixels a side.
    sevens = 2 * 49 * 256 * 256 * 9
    shared = 225 * 256 * 64 * 9 + sevens + 9 * 256 * 256 * 9 + 2560
    strided = 225 * 48 * 48 + 225 * 64 * 48 * 9
    dense = 961 * 24 * 12 + 961 * 64 * 24 * 9 + 225 * 64 * 64 * 9
    assert counts["sprint"] == pytest.approx((shared + strided) / 1e6)
    assert counts["sprint-dense"] == pytest.approx((shared + dense) / 1e6)
    assert counts["sprint"] < 0.875 * counts["sprint-dense"]


def test_filters_begin_as_the_identity_and_come_back_to_their_norm() -> None:
    network = Sprint(classes=3, channels=3, size=(12, 12), widths=(8, 16, 16))
    filters = [each.weight for each in network.stages if isinstance(each, nn.Conv2d)]
    identity = filters[-1].detach().flatten(2).argmax(dim=2)
    assert (identity.diagonal() == 4).all()  # the centre of 3x3
    directions = [weight.detach() / weight.detach().norm() for weight in filters]
    for factor, weight in enumerate(filters, start=2):
        weight.data.mul_(factor)
    network.keep_norms()
    for weight, direction in zip(filters, directions, strict=True):
        torch.testing.assert_close(weight.detach(), direction * len(weight) ** 0.5)


def test_offsets_learn_by_the_square_of_the_gain() -> None:
    norm = OffsetNorm(2)
    features, wanted = torch.randn(3, 2, 4, 4), torch.tensor([1.0, -2.0])
    assert norm(features).mean(dim=(0, 2, 3)).abs().amax() < 1e-5
    rate = 1e-3
    (norm(features).mean(dim=(0, 2, 3)) * wanted).sum().backward()
    norm.offset.data.sub_(rate * norm.offset.grad)
    moved = norm(features).mean(dim=(0, 2, 3)).detach()
    torch.testing.assert_close(moved, -rate * OFFSET_GAIN**2 * wanted, rtol=1e-3, atol=1e-4)
    assert norm(features.bfloat16()).dtype == torch.bfloat16


def test_a_norm_follows_every_filter_so_their_scale_changes_nothing() -> None:
    network = Sprint(classes=3, channels=3, size=(12, 12), widths=(8, 16, 16))
    images = 30 * torch.randn(4, 3, 12, 12)
    before = network(images)
    for each in network.stages:
        if isinstance(each, nn.Conv2d):
            each.weight.data.mul_(3)
    torch.testing.assert_close(network(images), before, rtol=1e-3, atol=1e-4)


def test_images_too_small_are_refused_with_a_way_out() -> None:
    with pytest.raises(ShapeError, match="9x32 pixels are too small for a sprint network"):
        build("sprint", classes=2, channels=3, size=(9, 32))
