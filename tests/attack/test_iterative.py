"""Single and repeated steps: by hand on linear models, and what their fields change."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Generator, Tensor

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.goals import Targeted, Untargeted
from striate.attack.iterative import BIM, FGSM, MIFGSM
from striate.attack.losses import cross_entropy
from striate.attack.quantising import Quantised
from striate.core.errors import AttackError

WEIGHTS = torch.tensor([[2.0, -1.0, 0.5, 0.25], [-2.0, 1.0, -0.5, -0.25]])


def linear(images: Tensor) -> Tensor:
    """Give logits z and -z: the score falls fastest against the weights."""
    return (images.flatten(1) - 0.5) @ WEIGHTS.T.to(images.dtype)


IMAGE = torch.tensor([[[0.8, 0.3, 0.5, 0.6]]])
LABEL = torch.tensor([0])


@pytest.mark.parametrize("attack", [FGSM, BIM, MIFGSM])
def test_linf_on_a_linear_model_is_known(attack) -> None:
    found = attack(Linf(0.1))(linear, IMAGE, LABEL)
    assert torch.allclose(found, IMAGE + 0.1 * torch.tensor([-1.0, 1.0, -1.0, -1.0]), atol=1e-6)
    target = attack(Linf(0.1), goal=Targeted(1))(linear, IMAGE, LABEL)
    assert torch.allclose(target, found, atol=1e-6)


@pytest.mark.parametrize("attack", [FGSM, BIM, MIFGSM])
def test_l2_on_a_linear_model_is_known(attack) -> None:
    found = attack(L2(0.1))(linear, IMAGE, LABEL)
    assert torch.allclose(found, IMAGE - 0.1 * WEIGHTS[0] / WEIGHTS[0].norm(), atol=1e-6)


def test_l1_on_a_linear_model_moves_the_largest_weight() -> None:
    found = FGSM(L1(0.1))(linear, IMAGE, LABEL)
    assert torch.allclose(found, torch.tensor([[[0.7, 0.3, 0.5, 0.6]]]), atol=1e-6)


def test_l0_on_a_linear_model_changes_the_best_pixel() -> None:
    found = BIM(L0(1))(linear, IMAGE, LABEL)
    assert (found != IMAGE).sum() == 1
    assert linear(found).argmax(dim=1) != LABEL


def test_an_image_that_falls_makes_no_more_steps() -> None:
    near = torch.tensor([[[0.51, 0.5, 0.5, 0.5]], [[0.9, 0.5, 0.5, 0.5]]])
    found = BIM(Linf(0.05), steps=10, relative_step=0.1)(linear, near, torch.tensor([0, 0]))
    moved = (found - near).abs().amax(dim=(1, 2))
    assert moved.tolist() == pytest.approx([0.01, 0.05], abs=1e-6)
    # 0.01 of each value lowers the logit by 0.0375, from 0.02.
    assert (linear(found).argmax(dim=1) != 0).tolist() == [True, False]


def test_the_least_likely_class_is_drawn_to() -> None:
    def model(images: Tensor) -> Tensor:
        x, y = images.flatten(1).unbind(dim=1)
        return torch.stack([torch.full_like(x, 0.9), 3 * x - 1.0, 3 * y - 1.2], dim=1)

    image = torch.tensor([[[0.5, 0.5]]])
    away = BIM(Linf(0.02))(model, image, LABEL)
    drawn = BIM(Linf(0.02), least_likely=True)(model, image, LABEL)
    assert (away - image).sign().tolist() == [[[1.0, 1.0]]]
    assert (drawn - image).sign().tolist() == [[[-1.0, 1.0]]]
    # Any wrong class ends it: the second is nearer.
    reached = BIM(Linf(0.3), least_likely=True)(model, image, LABEL)
    assert model(reached).argmax(dim=1) != 0


def test_the_least_likely_class_is_no_goal_beside_a_target() -> None:
    with pytest.raises(AttackError, match="the least likely class is the target, and another is named"):
        BIM(Linf(0.1), least_likely=True, goal=Targeted(2))


@pytest.mark.parametrize("ball", [Linf(8 / 255), L2(0.1)], ids=str)
def test_quantised_pixels_survive_being_stored_as_bytes(ball) -> None:
    images = torch.randint(0, 256, (5, 1, 4), generator=Generator().manual_seed(0)).float() / 255
    labels = linear(images).argmax(dim=1)
    found = BIM(ball, quantised=True)(linear, images, labels)
    levels = found.double() * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    stored = (found * 255).round() / 255
    assert (stored - found).abs().max() < 1e-5
    assert linear(stored).argmax(dim=1).equal(linear(found).argmax(dim=1))
    assert (ball.norms(found.double() - images.double()) <= ball.eps * (1 + 1e-6)).all()
    if ball.name == "linf":
        far = (linear(found).argmax(dim=1) == labels).nonzero().squeeze(1)
        assert len(far) > 1
        inner = ((images > 8 / 255) & (images < 1 - 8 / 255))[far]
        assert ((found - images)[far].abs() * 255)[inner].round().eq(8).all()


def test_pixels_between_levels_are_kept_where_no_level_is_near() -> None:
    images = torch.tensor([[[0.5 / 255, 100.5 / 255, 7 / 255]]])
    region = Quantised(Linf(0.4 / 255).region(images), images)
    assert region.project(torch.zeros(1, 1, 3)).equal(images)
    wider = Quantised(Linf(0.6 / 255).region(images), images)
    assert (wider.project(torch.ones(1, 1, 3)) * 255).flatten().tolist() == pytest.approx(
        [1, 101, 7], abs=1e-4
    )


def test_momentum_carries_on_where_the_gradient_turns() -> None:
    def model(images: Tensor) -> Tensor:
        x = images.flatten(1)[:, 0]
        hill = x - 2 * (x - 0.5).clamp(0.0, 0.1)  # which falls from 0.5 to 0.6
        return torch.stack([7 - 10 * hill, torch.zeros_like(x)], dim=1)

    image = torch.tensor([[[0.05]]])
    plain = BIM(Linf(0.9), steps=40, relative_step=1 / 40)(model, image, LABEL)
    carried = MIFGSM(Linf(0.9), steps=40)(model, image, LABEL)
    assert model(plain).argmax() == 0
    assert model(carried).argmax() == 1


def test_the_best_point_is_kept_where_steps_overshoot() -> None:
    def model(images: Tensor) -> Tensor:
        x = images.flatten(1)[:, 0]
        return torch.stack([1 + (x - 0.53).abs(), torch.zeros_like(x)], dim=1)

    found = BIM(Linf(0.4), steps=9, relative_step=0.25)(model, torch.tensor([[[0.5]]]), LABEL)
    assert found.item() == pytest.approx(0.5)


def test_an_infinite_radius_is_refused() -> None:
    for attack in (FGSM, BIM, MIFGSM):
        with pytest.raises(AttackError, match="needs a radius that is finite"):
            attack(Linf(math.inf))(linear, IMAGE, LABEL)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: BIM(Linf(0.1), steps=0), "an attack of 0 steps cannot be"),
        (lambda: BIM(Linf(0.1), relative_step=0.0), "a step of 0.0 times the radius leads nowhere"),
        (lambda: BIM(Linf(0.1), relative_step=math.nan), "leads nowhere"),
        (lambda: MIFGSM(Linf(0.1), steps=-1), "an attack of -1 steps cannot be"),
        (lambda: MIFGSM(Linf(0.1), momentum=1.5), "a momentum of 1.5 is not from 0 to 1"),
    ],
)
def test_fields_out_of_range_are_refused(make, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        make()


def test_the_single_step_is_made_to_the_end() -> None:
    found = FGSM(Linf(0.4))(linear, IMAGE, LABEL)
    assert Untargeted().is_met(linear(found), LABEL).all()
    assert (found - IMAGE).abs().amax().item() == pytest.approx(0.4, abs=1e-6)
    assert cross_entropy(linear(found), LABEL) > cross_entropy(linear(IMAGE), LABEL)
