"""The verdict on an evaluation: fake defences are flagged, each by its sign, and honest networks are not."""

from __future__ import annotations

import copy
import json
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from striate.attack.balls import L0, L2, Linf
from striate.attack.comparing import Outcome, compared
from striate.attack.draws import Draws
from striate.attack.iterative import FGSM
from striate.attack.masking import Masking, masking, probed
from striate.attack.signs import Climbs, more_restarts
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.data import open_dataset

EPS = 0.1
NAMES = [
    "random answers",
    "gradients",
    "a single step",
    "black box",
    "random noise",
    "restarts",
    "larger balls",
]


class Wrapped(nn.Module):
    """A network with a defence in front of it or behind it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class Quantised(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return self.network((images * 8).round() / 8)


class Saturated(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return self.network(images) * 1000


class Noisy(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return self.network(images + 0.2 * torch.randn_like(images))


class Outside(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        array = images.detach().cpu().numpy()
        return self.network(torch.from_numpy(np.round(array * 16) / 16).float())


class Broken(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        # The square root of 0 has the derivative inf, and 0 * inf is NaN.
        return self.network(images) + (0 * images).sqrt().flatten(1).sum(dim=1, keepdim=True)


class Misled(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        # What is computed is right, and what comes back leads elsewhere: shattered gradients.
        astray = images.flip(-1).flip(-2)
        return self.network(astray + (images - astray).detach())


@pytest.fixture(scope="module")
def robust(digits) -> nn.Module:
    """The network after training against single steps from random points, which is honest at this size."""
    torch.manual_seed(0)
    network = copy.deepcopy(digits.network)
    data = open_dataset("digits").train
    images, labels = (
        torch.from_numpy(data.images.copy()).float() / 255,
        torch.from_numpy(data.labels.copy()).long(),
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    generator = Generator().manual_seed(0)
    for _ in range(300):
        rows = torch.randint(len(images), (128,), generator=generator)
        clean, own = images[rows], labels[rows]
        begin = (clean + EPS * (2 * torch.rand(clean.shape, generator=generator) - 1)).requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(network(begin), own), begin)
        changed = begin.detach() + 1.25 * EPS * slope.sign()
        changed = (clean + (changed - clean).clamp(-EPS, EPS)).clamp(0, 1)
        optimiser.zero_grad()
        F.cross_entropy(network(changed), own).backward()
        optimiser.step()
    return network.eval()


def signs_of(found: Masking) -> set[str]:
    return {sign.name for sign in found.signs if sign.suspected}


@pytest.mark.parametrize(
    ("defence", "sign"),
    [
        (Quantised, "gradients"),
        (Saturated, "gradients"),
        (Noisy, "random answers"),
        (Outside, "gradients"),
        (Broken, "gradients"),
        (Misled, "black box"),
    ],
)
def test_a_fake_defence_is_flagged_by_its_sign(digits, defence, sign: str) -> None:
    torch.manual_seed(0)
    found = masking(defence(digits.network), digits.images[:40], digits.labels[:40], ball=Linf(EPS))
    assert found.suspected
    assert sign in signs_of(found)
    assert sign in found.finding
    flagged = next(each for each in found.signs if each.name == sign)
    assert len(flagged.action) > 40


@pytest.mark.parametrize("ball", [Linf(EPS), Linf(0.2), L2(0.5), L0(2)])
def test_honest_networks_are_not_flagged(digits, robust, ball) -> None:
    for network in (robust, digits.network):
        found = masking(network, digits.images[:60], digits.labels[:60], ball=ball)
        assert not found.suspected, [sign for sign in found.signs if sign.suspected]
        assert [sign.name for sign in found.signs] == NAMES
        assert 45 < found.images <= 60
        assert "no sign of gradient masking" in found.finding


def test_training_against_single_steps_makes_robust(digits, robust) -> None:
    ball = Linf(EPS)
    left = [
        (network(FGSM(ball)(network, digits.images, digits.labels)).argmax(1) == digits.labels).float().mean()
        for network in (digits.network, robust)
    ]
    assert left[1] > left[0] + 0.15  # else the test above would say nothing of a robust network


def test_the_figures_are_json_and_one_generator_gives_one_verdict(digits) -> None:
    one, other = (
        masking(
            digits.network,
            digits.images[:20],
            digits.labels[:20],
            ball=Linf(0.05),
            generator=Generator().manual_seed(4),
        )
        for _ in range(2)
    )
    assert one == other
    said = json.loads(json.dumps(one.to_dict(), allow_nan=False))
    assert [sign["name"] for sign in said["signs"]] == NAMES
    assert (said["finding"], said["suspected"]) == (one.finding, False)


def test_without_time_the_checks_say_so(digits) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    with Victim(digits.network) as victim:
        found = probed(
            victim, images, labels, ball=Linf(0.05), draws=Draws.of(None, 4), until=time.monotonic()
        )
    assert [sign.suspected for sign in found.signs[2:]] == [None] * 5
    assert "in 2 checks" in found.finding
    assert all("the time was over" in sign.finding for sign in found.signs[2:])


def test_progress_is_told_to_its_end(digits) -> None:
    told = []
    masking(digits.network, digits.images[:5], digits.labels[:5], ball=Linf(0.05), on_event=told.append)
    done = [event.data["done"] for event in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].data["total"] == 7


def test_restarts_that_still_gain_are_a_sign() -> None:
    nothing = torch.zeros(40)
    first = Outcome(torch.zeros(40, dtype=torch.bool), nothing)
    for count, suspected in ((0, False), (1, False), (8, True), (40, True)):
        after = Outcome(torch.arange(40) < count, nothing)
        sign = more_restarts(Climbs(first, first, after))
        assert sign.suspected is suspected
        assert sign.finding == f"of 40 images the first 3 restarts left 40; 2 more felled {count}"
        assert not more_restarts(Climbs(first, after, after)).suspected


def outcome(*pairs: tuple[bool, float]) -> Outcome:
    met, gains = zip(*pairs, strict=True)
    return Outcome(torch.tensor(met), torch.tensor(gains))


def test_an_attack_beats_a_stronger_one_only_where_that_failed() -> None:
    strong = outcome((True, 2.0), *[(False, 1.0)] * 20)
    even = compared(outcome((True, 9.0), *[(False, 1.05)] * 20), strong)
    assert (even.images, even.left, even.felled, even.further) == (21, 20, 0, 0)
    assert not even.surely
    further = compared(outcome((False, 0.0), *[(False, 1.2)] * 20), strong)
    assert (further.further, further.surely) == (20, True)
    half = compared(outcome((False, 0.0), *[(False, 1.2)] * 10, *[(False, 0.5)] * 10), strong)
    assert not half.surely
    felled = compared(outcome((False, 0.0), *[(True, 1.0)] * 3, *[(False, 0.5)] * 17), strong)
    assert (felled.felled, felled.surely) == (3, True)
    once = compared(outcome((False, 0.0), (True, 1.0), *[(False, 0.5)] * 19), strong)
    assert not once.surely
    assert not compared(strong, outcome(*[(True, 1.0)] * 21)).surely


@pytest.mark.parametrize(
    ("ball", "change", "sentence"),
    [
        (Linf(float("inf")), None, "a radius that is finite"),
        (Linf(0.1), "labels", "none of 10 images is answered right"),
        (Linf(0.1), "normalised", "did you pass normalised images"),
        (Linf(0.1), "probabilities", "the model gives probabilities"),
    ],
)
def test_what_no_verdict_can_be_given_on_is_refused(digits, ball, change, sentence: str) -> None:
    network, images, labels = digits.network, digits.images[:10], digits.labels[:10]
    if change == "labels":
        labels = (network(images).argmax(dim=1) + 1) % 10
    if change == "normalised":
        images = images * 4 - 2.1
    if change == "probabilities":
        network = nn.Sequential(network, nn.Softmax(dim=1))
    with pytest.raises(AttackError, match=sentence):
        masking(network, images, labels, ball=ball)
