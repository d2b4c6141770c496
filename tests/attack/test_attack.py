"""What every attack does before and after its search: it checks, leaves met goals alone, and confines."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Generator, Tensor, nn

from striate.attack.attack import Attack, BallAttack
from striate.attack.balls import L2, Linf
from striate.attack.draws import Draws
from striate.attack.goals import Targeted, Untargeted
from striate.attack.victim import Victim
from striate.core.errors import AttackError


@dataclass(frozen=True, kw_only=True)
class Noise(BallAttack):
    """Go to a random point far outside, or to NaN."""

    needs_gradient = False
    broken: bool = False

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        assert not self.goal.is_met(victim.logits(images), labels).any()
        found = images + 5 * draws.signs("noise", images.shape[1:])
        if self.broken:
            found[0] = torch.nan
        return found


IMAGES = torch.rand(6, 1, 2, generator=Generator().manual_seed(3)) * 0.8 + 0.1
WRONG = IMAGES[:, 0].argmax(dim=1)


def model(images: Tensor) -> Tensor:
    return images.flatten(1) * 4


def test_only_images_whose_goal_is_not_met_are_searched() -> None:
    labels = WRONG.clone()
    labels[:2] = 1 - labels[:2]
    found = Noise(Linf(0.05))(model, IMAGES, labels)
    assert found[:2].equal(IMAGES[:2])
    assert (found[2:] != IMAGES[2:]).all()
    assert ((found - IMAGES).abs() <= 0.05).all()


def test_targets_are_those_of_the_images_that_are_searched() -> None:
    targets = WRONG.clone()
    targets[1::2] = 1 - targets[1::2]
    found = Noise(Linf(0.05), goal=Targeted(targets))(model, IMAGES, WRONG)
    assert found[::2].equal(IMAGES[::2])
    assert (found[1::2] != IMAGES[1::2]).all()


def test_an_image_that_a_search_breaks_comes_back_clean() -> None:
    found = Noise(L2(0.1), broken=True)(model, IMAGES, WRONG)
    assert found[0].equal(IMAGES[0])
    assert (found[1:] != IMAGES[1:]).any()


def test_chance_is_the_generators_or_the_seeds() -> None:
    attack = Noise(Linf(0.05))
    first = attack(model, IMAGES, WRONG, generator=Generator().manual_seed(1))
    assert attack(model, IMAGES, WRONG, generator=Generator().manual_seed(1)).equal(first)
    assert not attack(model, IMAGES, WRONG, generator=Generator().manual_seed(2)).equal(first)
    assert attack(model, IMAGES, WRONG).equal(attack(model, IMAGES, WRONG))
    seeds = torch.arange(6)
    whole = attack(model, IMAGES, WRONG, seeds=seeds)
    assert attack(model, IMAGES[3:5], WRONG[3:5], seeds=seeds[3:5]).equal(whole[3:5])


def test_labels_and_images_of_other_types_are_taken() -> None:
    attack = Noise(Linf(0.05))
    expected = attack(model, IMAGES, WRONG)
    assert attack(model, IMAGES, WRONG.to(torch.uint8)).equal(expected)
    assert attack(model, IMAGES, WRONG.tolist()).equal(expected)
    assert attack(model, IMAGES.requires_grad_(), WRONG).equal(expected)
    assert not attack(model, IMAGES, WRONG).requires_grad
    IMAGES.requires_grad_(False)
    for type_ in (torch.bfloat16, torch.float16, torch.float64):
        images = IMAGES.to(type_)
        found = attack(model, images, images[:, 0].argmax(dim=1))
        assert found.dtype == type_
        assert ((found.double() - images.double()).abs() <= 0.05).all()
        assert (found != images).any()


def test_all_met_means_nothing_to_do() -> None:
    found = Noise(Linf(0.05), broken=True)(model, IMAGES, 1 - WRONG)
    assert found.equal(IMAGES)
    assert found.data_ptr() != IMAGES.data_ptr()


def test_an_attack_inside_a_victim_gives_the_same() -> None:
    attack, seeds = Noise(Linf(0.05)), torch.arange(6)
    with Victim(model) as victim:
        found = attack.run(victim, IMAGES, WRONG, Draws(seeds))
        assert attack.run(victim, IMAGES, WRONG, Draws(seeds), logits=model(IMAGES)).equal(found)
    assert attack(model, IMAGES, WRONG, seeds=seeds).equal(found)


def test_an_attack_of_no_kind_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Attack()


def test_goals_and_balls_are_part_of_the_value() -> None:
    assert Noise(Linf(0.05)) == Noise(ball=Linf(0.05), goal=Untargeted())
    assert Noise(Linf(0.05)) != Noise(L2(0.05))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (IMAGES * 0 - 2.1, r"these have min -2\.1: did you pass normalised images\?"),
        (IMAGES * 255, r"these have max 2\d\d\.?\d*: did you pass bytes\? Divide them by 255"),
        (IMAGES + 0.2, r"these have max 1\.\d+: clamp them"),
        (IMAGES * torch.nan, "these have min nan: leave images with NaN out"),
        ((IMAGES * 255).byte(), r"images are uint8.*images.float\(\) / 255"),
        (IMAGES.tolist(), "images are list"),
        (IMAGES[:, 0], "images are 6x2, where N x C x spatial is wanted"),
        (IMAGES[:0], "images are 0x1x2"),
    ],
)
def test_images_that_are_none_are_refused(images, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        Noise(Linf(0.05))(model, images, WRONG)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (WRONG + 1, "a label is 2, and the model has 2 classes, 0 to 1"),
        (WRONG - 1, "a label is -1, and the model has 2 classes"),
        (WRONG.float(), "labels are float32, where the whole numbers of classes are wanted"),
        (WRONG[:4], "labels are 4 for 6 images; give one for each"),
        (torch.tensor(0), "labels are one number for 6 images"),
    ],
)
def test_labels_that_are_none_are_refused(labels, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        Noise(Linf(0.05))(model, IMAGES, labels)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (lambda images: model(images).softmax(dim=1), "the model gives probabilities.*before the softmax"),
        (lambda images: model(images) * torch.nan, "logits for 6 of 6 clean images are NaN"),
        (lambda images: model(images)[:, :1], "the model has 1 class"),
        (nn.Sequential(nn.Flatten(), nn.Softmax(dim=1)), "the model gives probabilities"),
    ],
)
def test_models_that_give_no_logits_are_refused(answers, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        Noise(Linf(0.05))(answers, IMAGES, WRONG)


def test_targets_that_the_model_does_not_have_are_refused() -> None:
    with pytest.raises(AttackError, match="a target is 5, and the model has 2 classes, 0 to 1"):
        Noise(Linf(0.05), goal=Targeted(5))(model, IMAGES, WRONG)


@pytest.mark.parametrize("seeds", [torch.arange(5), torch.arange(6).float(), torch.tensor(1)])
def test_seeds_are_one_for_each_image(seeds) -> None:
    with pytest.raises(AttackError, match="6 int64 are wanted, one for each image"):
        Noise(Linf(0.05))(model, IMAGES, WRONG, seeds=seeds)


def test_seeds_and_a_generator_are_not_given_both() -> None:
    with pytest.raises(AttackError, match="a generator and seeds are both given"):
        Noise(Linf(0.05))(model, IMAGES, WRONG, seeds=torch.arange(6), generator=Generator())
