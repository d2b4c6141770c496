"""At equal budget, attacks find at least what foolbox's find, and no larger smallest changes."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from striate.attack.balls import L2, Linf
from striate.attack.carlini_wagner import CarliniWagner
from striate.attack.deep_fool import DeepFool
from striate.attack.iterative import BIM, FGSM
from striate.attack.losses import margin
from striate.attack.pgd import PGD

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    foolbox = pytest.importorskip("foolbox", reason="foolbox is not installed; the extra 'test' has it")

ONE_ERROR = math.sqrt(0.25 * 200)
"""The standard error of a count of 200 images, at most."""


def fallen(attack, epsilon, digits) -> torch.Tensor:
    network, images, labels = digits
    victim = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    _, _, success = attack(victim, images, labels, epsilons=epsilon)
    return success


@pytest.mark.parametrize(
    ("ours", "theirs", "share"),
    [
        (FGSM(Linf(0.08)), lambda: foolbox.attacks.LinfFastGradientAttack(), 0.0),
        (FGSM(L2(0.5)), lambda: foolbox.attacks.L2FastGradientAttack(), 1.0),
        (
            BIM(Linf(0.08), steps=10, relative_step=0.2),
            lambda: foolbox.attacks.LinfBasicIterativeAttack(steps=10, rel_stepsize=0.2),
            0.0,
        ),
        (
            PGD(Linf(0.08), steps=20, relative_step=0.1),
            lambda: foolbox.attacks.LinfPGD(steps=20, rel_stepsize=0.1),
            1.0,
        ),
        (
            PGD(L2(0.5), steps=20, relative_step=0.1),
            lambda: foolbox.attacks.L2PGD(steps=20, rel_stepsize=0.1),
            1.0,
        ),
    ],
    ids=["fgsm-linf", "fgsm-l2", "bim", "pgd-linf", "pgd-l2"],
)
def test_at_least_as_many_images_fall(ours, theirs, share, digits) -> None:
    network, images, labels = digits
    found = network(ours(network, images, labels)).argmax(dim=1) != labels
    expected = fallen(theirs(), ours.ball.eps, digits)
    assert 20 < expected.sum() < 200
    assert found.sum() >= expected.sum() - share * ONE_ERROR


def test_single_steps_are_the_same(digits) -> None:
    network, images, labels = digits
    victim = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    sure = -margin(network(images), labels)
    right = (sure > 0) & (sure < 10)  # beyond, the cross entropy of the other vanishes in float32
    expected, _, _ = foolbox.attacks.LinfFastGradientAttack()(victim, images, labels, epsilons=0.08)
    found = FGSM(Linf(0.08))(network, images, labels)
    same = (found - expected).abs()[right] < 1e-6
    assert same.float().mean() > 0.99  # a gradient that is 0 but for rounding has either sign


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (DeepFool(L2(math.inf)), lambda: foolbox.attacks.L2DeepFoolAttack(steps=50)),
        (DeepFool(Linf(math.inf)), lambda: foolbox.attacks.LinfDeepFoolAttack(steps=50)),
        (
            CarliniWagner(L2(math.inf), steps=60, weights=4, first_weight=0.1),
            lambda: foolbox.attacks.L2CarliniWagnerAttack(
                binary_search_steps=4, steps=60, stepsize=0.05, initial_const=0.1
            ),
        ),
    ],
    ids=["deepfool-l2", "deepfool-linf", "carlini-wagner"],
)
def test_smallest_changes_are_no_larger(ours, theirs, digits) -> None:
    network, images, labels = digits[0], digits[1][:40], digits[2][:40]
    right = network(images).argmax(dim=1) == labels
    victim = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
    expected, _, success = theirs()(victim, images[right], labels[right], epsilons=None)
    success &= expected.flatten(1).any(dim=1)  # what was not found is black, and wrong by that
    found = ours(network, images[right], labels[right])
    assert (network(found).argmax(dim=1) != labels[right]).sum() >= success.sum()
    sizes, others = (ours.ball.norms(each - images[right]) for each in (found, expected))
    assert sizes.median() <= others[success].median() * 1.001
