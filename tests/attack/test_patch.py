"""An adversarial patch works on images and in poses that it was not learnt from, and a grey one does not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from striate.attack.goals import Targeted
from striate.attack.patch import AdversarialPatch, Patch
from striate.attack.placement import Placement
from striate.core.errors import AttackError

UPRIGHT = Placement(share=(0.6, 0.6), rotation=10, round=False)


def test_it_draws_other_images_to_its_target(digits) -> None:
    network, images, labels = digits
    goal = Targeted(1)
    rows = labels != 1
    images, labels = images[rows], labels[rows]
    attack = AdversarialPatch(placement=UPRIGHT, steps=150, goal=goal)
    patch = attack.learn(network, images[:100], labels[:100])
    assert patch.picture.shape == (1, 5, 5)
    assert patch.picture.min() >= 0
    assert patch.picture.max() <= 1
    grey = Patch(torch.full_like(patch.picture, 0.5), UPRIGHT)
    shares = [
        goal.is_met(network(each.paste(images[100:])), labels[100:]).float().mean().item()
        for each in (grey, patch)
    ]
    assert shares[0] < 0.1
    assert shares[1] > 0.6


def test_untargeted_it_is_worse_than_random_pictures(digits) -> None:
    network, images, labels = digits
    patch = AdversarialPatch(placement=UPRIGHT, steps=100).learn(network, images[:100], labels[:100])
    wrong = []
    for seed in range(3):
        noise = torch.rand(patch.picture.shape, generator=torch.Generator().manual_seed(seed))
        pasted = Patch(noise, UPRIGHT).paste(images[100:])
        wrong.append((network(pasted).argmax(dim=1) != labels[100:]).float().mean().item())
    pasted = patch.paste(images[100:])
    assert (network(pasted).argmax(dim=1) != labels[100:]).float().mean().item() > max(wrong)


def test_called_it_gives_images_with_the_patch_in_them(digits) -> None:
    network, images, labels = digits
    where = torch.zeros(8, 8, dtype=torch.bool)
    where[4:, 4:] = True
    placement = Placement(share=(0.3, 0.3), rotation=0, where=where)
    found = AdversarialPatch(placement=placement, steps=5)(network, images, labels)
    changed = (found != images).any(dim=1)
    assert not (changed & ~where).any()
    unmet = network(images).argmax(dim=1) == labels
    assert changed[unmet].flatten(1).any(dim=1).float().mean() > 0.9
    assert not changed[~unmet].any()


@pytest.mark.parametrize("shape", [(3, 1, 24), (3, 3, 9, 12), (3, 1, 2, 8, 8)])
def test_images_of_any_dimension_take_patches(shape) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape[1:]), 3))
    images = torch.rand(shape)
    labels = network(images).argmax(dim=1)
    attack = AdversarialPatch(steps=3, batch=2)
    patch = attack.learn(network, images, labels)
    assert patch.paste(images).shape == images.shape
    assert attack(network, images.bfloat16(), labels).dtype == torch.bfloat16


def test_pasting_depends_on_the_generator_and_keeps_the_type() -> None:
    patch = Patch(torch.rand(1, 3, 3), Placement())
    images = torch.rand(4, 1, 12, 12, dtype=torch.float64)
    first, second, other = (
        patch.paste(images, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first.dtype == torch.float64
    assert first.equal(second)
    assert not first.equal(other)


def test_more_pixels_for_printing_are_between_the_others() -> None:
    patch = Patch(torch.tensor([[[0.0, 1.0], [0.0, 1.0]]]), Placement())
    assert patch.enlarged(8).shape == (1, 8, 8)
    assert (patch.enlarged(8).diff(dim=2) >= 0).all()
    assert patch.enlarged(8).unique().numel() > 3


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: AdversarialPatch(steps=0), "0 steps of 0.05 on batches of 50"),
        (lambda: AdversarialPatch(rate=0), "steps of 0 on batches"),
        (
            lambda: Patch(torch.rand(3, 4, 4), Placement()).paste(torch.rand(2, 1, 9, 9)),
            "a patch of 3 channels does not fit images of 2x1x9x9, which have 1",
        ),
        (
            lambda: AdversarialPatch(placement=Placement(where=torch.zeros(8, 8).bool()))(
                nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.rand(2, 1, 8, 8), torch.zeros(2).long()
            ),
            "does not fit where it may lie",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, sentence) -> None:
    torch.manual_seed(0)
    with pytest.raises(AttackError, match=sentence):
        make()
