"""DeepFool crosses the nearest of several planes, and gives the image back where that is too far."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from striate.attack import deep_fool
from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.deep_fool import DeepFool
from striate.attack.goals import Targeted
from striate.core.errors import AttackError

WEIGHTS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
OFFSETS = torch.tensor([0.1, 0.0, 1.2])
IMAGE = torch.tensor([[[0.6, 0.5]]])
LABEL = torch.tensor([0])


def planes(images: Tensor) -> Tensor:
    return images.flatten(1) @ WEIGHTS.T + OFFSETS


@pytest.mark.parametrize(("kind", "order"), [(L2, 2), (Linf, 1)])
def test_the_nearest_plane_is_crossed_at_its_distance(kind, order) -> None:
    logits = planes(IMAGE)[0]
    distances = [
        (logits[0] - logits[k]).item() / torch.linalg.vector_norm(WEIGHTS[k] - WEIGHTS[0], ord=order).item()
        for k in (1, 2)
    ]
    found = DeepFool(kind(math.inf))(planes, IMAGE, LABEL)
    assert planes(found).argmax().item() == 1 + distances.index(min(distances))
    size = kind(1.0).norms(found - IMAGE).item()
    assert min(distances) <= size <= min(distances) * 1.003


@pytest.mark.parametrize("kind", [L2, Linf])
@pytest.mark.parametrize("target", [1, 2])
def test_a_target_is_reached(kind, target) -> None:
    found = DeepFool(kind(math.inf), goal=Targeted(target))(planes, IMAGE, LABEL)
    assert planes(found).argmax().item() == target


def test_what_is_too_far_comes_back_clean() -> None:
    size = L2(1.0).norms(DeepFool(L2(math.inf))(planes, IMAGE, LABEL) - IMAGE).item()
    assert DeepFool(L2(size * 0.99))(planes, IMAGE, LABEL).equal(IMAGE)
    assert not DeepFool(L2(size * 1.01))(planes, IMAGE, LABEL).equal(IMAGE)


@pytest.mark.parametrize("ball", [L2(math.inf), Linf(1.0)], ids=str)
def test_a_learned_network_is_fooled_by_little(ball, digits) -> None:
    network, images, labels = digits
    found = DeepFool(ball)(network, images, labels)
    right = network(images).argmax(dim=1) == labels
    assert (network(found).argmax(dim=1) != labels)[right].float().mean() > 0.99
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[~right].equal(images[~right])
    median = ball.norms(found - images)[right].median().item()
    assert 0.1 < median < 2.0 if ball.name == "l2" else 0.01 < median < 0.3


def test_parts_of_many_images_give_the_same(digits, monkeypatch) -> None:
    network, images, labels = digits
    whole = DeepFool(L2(math.inf))(network, images[:20], labels[:20])
    monkeypatch.setattr(deep_fool, "GRADIENT_BYTES", 20_000)  # seven images
    parts = DeepFool(L2(math.inf))(network, images[:20], labels[:20])
    assert torch.allclose(parts, whole, atol=1e-4)


@pytest.mark.parametrize("ball", [L1(1.0), L0(2)], ids=str)
def test_other_norms_are_refused(ball) -> None:
    with pytest.raises(AttackError, match=f"DeepFool is defined for l2 and linf, and not for {ball.name}"):
        DeepFool(ball)


@pytest.mark.parametrize("fields", [{"candidates": 0}, {"overshoot": -0.1}, {"steps": 0}])
def test_fields_out_of_range_are_refused(fields) -> None:
    with pytest.raises(AttackError, match="least"):
        DeepFool(L2(1.0), **fields)
