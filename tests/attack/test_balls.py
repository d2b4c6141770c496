"""Balls hold what they promise in float64, whatever type images have, and project to the nearest."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate.attack.ball import added_inward
from striate.attack.balls import L0, L1, L2, Linf, parse_ball
from striate.attack.draws import Draws
from striate.core.errors import AttackError

TYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
BALLS = [Linf(8 / 255), Linf(0.3), L2(0.5), L2(3.0), L1(0.7), L1(9.0), L0(1), L0(7)]
SHAPES = [(3, 20), (1, 5, 6), (2, 3, 4, 3)]


def pixels(shape: tuple[int, ...], *, count: int = 4, seed: int = 0, type_=torch.float32) -> Tensor:
    """Give images of which some pixels are black and some white."""
    wide = torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (wide * 1.4 - 0.2).clamp(0, 1).to(type_)


def norms_by_numpy(name: str, change: Tensor) -> np.ndarray:
    values = change.double().flatten(1).numpy()
    if name == "l0":
        return (change.double().numpy() != 0).any(axis=1).reshape(len(change), -1).sum(axis=1)
    return np.linalg.norm(values, ord={"linf": np.inf, "l2": 2, "l1": 1}[name], axis=1)


def assert_inside(ball, images: Tensor, changed: Tensor) -> None:
    assert changed.dtype == images.dtype
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    bound = ball.eps * (1 + 1e-6) if ball.name in ("l2", "l1") else ball.eps
    assert (norms_by_numpy(ball.name, changed.double() - images.double()) <= bound).all()


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_what_is_projected_is_inside_and_stays(ball, shape, type_) -> None:
    images = pixels(shape, type_=type_)
    for size in (1e-3, 0.1, 1.0, 30.0):
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        changed = (images.double() + size * noise).to(torch.promote_types(type_, torch.float32))
        inside = ball.project(images, changed)
        assert_inside(ball, images, inside)
        assert ball.project(images, inside).equal(inside)
    assert ball.project(images, images).equal(images)


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("type_", TYPES)
def test_random_starts_are_inside_and_differ(ball, type_) -> None:
    images = pixels((2, 3, 4), type_=type_)
    start = ball.start(images, Draws(torch.arange(4)))
    assert_inside(ball, images, start)
    assert (ball.norms(start.double() - images.double()) > 0.2 * min(ball.eps, 1)).all()
    assert ball.start(images, Draws(torch.arange(4))).equal(start)
    assert not ball.start(images, Draws(torch.arange(4, 8))).equal(start)


@pytest.mark.parametrize("ball", [Linf(0.0), L2(0.0), L1(0.0), L0(0)], ids=str)
@pytest.mark.parametrize("type_", TYPES)
def test_a_radius_of_0_leaves_images_as_they_are(ball, type_) -> None:
    images = pixels((3, 20), type_=type_)
    assert ball.project(images, torch.rand(4, 3, 20)).equal(images)
    assert ball.start(images, Draws(torch.arange(4))).equal(images)


@pytest.mark.parametrize("kind", [Linf, L2, L1, L0])
def test_an_infinite_radius_is_bounded_by_0_and_1_alone(kind) -> None:
    images = pixels((3, 20))
    changed = images + 3 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    assert kind(math.inf).project(images, changed).equal(changed.clamp(0, 1))
    with pytest.raises(AttackError, match="a random start needs a radius that is finite"):
        kind(math.inf).start(images, Draws(torch.arange(4)))


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_norms_are_those_of_numpy(ball) -> None:
    change = torch.randn(4, 3, 5, 2, generator=torch.Generator().manual_seed(2))
    change[:, :, 1] = 0
    assert ball.norms(change).dtype == torch.float64
    assert ball.norms(change).numpy() == pytest.approx(norms_by_numpy(ball.name, change), rel=1e-12)


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_regions_of_some_images_project_as_all_do(ball) -> None:
    images, changed = pixels((3, 20)), pixels((3, 20), seed=5)
    whole = ball.region(images).project(changed)
    for index in (torch.tensor([2, 0]), torch.tensor([True, False, False, True])):
        assert ball.region(images).rows(index).project(changed[index]).equal(whole[index])


@given(st.floats(0, 1, width=32), st.floats(0, 1), st.sampled_from([torch.float32, torch.bfloat16]))
def test_bounds_are_the_last_numbers_inside(pixel, eps, type_) -> None:
    image = torch.tensor([[[pixel]]]).to(type_)
    ends = Linf(eps).project(image.expand(2, 1, 1), torch.tensor([[[-9.0]], [[9.0]]]))
    for end, way, wall in ((ends[0], -1, 0.0), (ends[1], 1, 1.0)):
        reached = end.double().item()
        assert abs(reached - image.item()) <= eps
        beyond = torch.nextafter(end, torch.tensor(way * 9.0).to(type_)).double().item()
        assert reached == wall or abs(beyond - image.item()) > eps


def test_l1_gives_the_nearest_point_of_ball_and_box() -> None:
    images, wanted = (
        pixels((1, 12), count=3, seed=3, type_=torch.float64),
        pixels((1, 12), count=3, seed=4) * 3,
    )
    ball = L1(1.5)
    found = ball.project(images, wanted)
    assert ball.norms(found - images).numpy() == pytest.approx(1.5, rel=1e-5)
    nearest = (found - wanted).flatten(1).norm(dim=1)
    for seed in range(300):  # no random point inside is nearer, also close by
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        other = ball.project(images, found + 0.01 * noise)
        other = images + (other - images) * (1 - 1e-6)
        assert ((other - wanted).flatten(1).norm(dim=1) >= nearest - 1e-5).all()


def test_l1_by_hand() -> None:
    images = torch.tensor([[[0.0, 0.9, 0.5]]], dtype=torch.float64)
    wanted = images + torch.tensor([[[0.5, 0.6, -0.2]]], dtype=torch.float64)
    # The second is stopped by 1 after 0.1; 0.5 - s and 0.2 - s share the other 0.4, so that s is 0.15.
    found = L1(0.5).project(images, wanted)
    assert (found - images).flatten().tolist() == pytest.approx([0.35, 0.1, -0.05], abs=1e-6)


def test_l0_keeps_the_pixels_that_changed_most_over_all_channels() -> None:
    images = torch.full((1, 2, 3), 0.5)
    changed = torch.tensor([[[0.9, 0.5, 0.75], [0.5, 0.6, 0.2]]])  # sizes 0.4, 0.1 and 0.39
    assert L0(1).project(images, changed).tolist() == [[[pytest.approx(0.9), 0.5, 0.5], [0.5, 0.5, 0.5]]]
    assert L0(3).project(images, changed).equal(changed)


@pytest.mark.parametrize("ball", [Linf(0.1), L2(0.5), L1(2.0)], ids=str)
def test_steps_have_unit_norm_and_ascend(ball) -> None:
    gradient = torch.randn(4, 3, 50, generator=torch.Generator().manual_seed(2))
    for scale in (1.0, 1e-30, 1e30):
        step = ball.step(gradient * scale)
        assert ball.norms(step).tolist() == pytest.approx([1.0] * 4, rel=1e-5)
        assert ((step * gradient).flatten(1).sum(dim=1) > 0).all()


def test_the_steps_of_l2_and_linf_are_the_steepest() -> None:
    gradient = torch.randn(1, 1, 30, generator=torch.Generator().manual_seed(2))
    for ball in (Linf(1.0), L2(1.0)):
        best = (ball.step(gradient) * gradient).sum()
        for seed in range(100):
            other = torch.randn(1, 1, 30, generator=torch.Generator().manual_seed(seed))
            other = other / ball.norms(other).float()
            assert (other * gradient).sum() <= best * (1 + 1e-6)


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_gradients_that_are_0_or_broken_do_not_spoil_a_step(ball) -> None:
    assert not ball.step(torch.zeros(2, 1, 4)).any()
    assert ball.step(torch.tensor([[[torch.nan, 1.0, -torch.inf]]])).isfinite().all()


@pytest.mark.parametrize("ball", [L2(0.5), L1(2.0), L0(2)], ids=str)
def test_ascents_spend_nothing_on_what_0_and_1_stop(ball) -> None:
    points = torch.tensor([[[0.0, 1.0, 0.5, 0.0]]])
    gradient = torch.tensor([[[-5.0, 5.0, 1.0, 0.5]]])
    direction = ball.ascent(points, gradient)
    assert direction[0, 0, :2].tolist() == [0.0, 0.0]
    assert direction[0, 0, 2] > 0
    assert Linf(0.1).ascent(points, gradient).tolist() == [[[-1.0, 1.0, 1.0, 1.0]]]


@pytest.mark.parametrize("type_", TYPES)
def test_what_is_added_is_never_larger(type_) -> None:
    images = pixels((1, 4000), type_=type_)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for size in (1e-9, 1e-3, 0.1):
        change = size * noise
        added = added_inward(images, change)
        assert ((added.double() - images.double()).abs() <= change.abs()).all()
        gap = 2.0 * torch.finfo(type_).eps
        assert ((added.double() - images.double() - change).abs() <= gap * (1 + change.abs())).all()


@pytest.mark.parametrize(
    ("text", "ball"),
    [
        ("linf:8/255", Linf(8 / 255)),
        ("LINF: 0.1", Linf(0.1)),
        ("l2:0.5", L2(0.5)),
        ("l1 : 12", L1(12.0)),
        ("l0:5", L0(5)),
        ("l2:inf", L2(math.inf)),
        ("linf:1e-2", Linf(0.01)),
    ],
)
def test_balls_are_read(text, ball) -> None:
    assert parse_ball(text) == ball


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "linf:8",
            r"an L-infinity radius of 8 reaches beyond all of \[0, 1\]: did you mean 8/255 \(0.0314\)\?",
        ),
        ("l3:1", "there is no norm 'l3'; did you mean 'l"),
        ("8/255", "'8/255' is no ball; write a norm and a radius"),
        ("linf:a", "the radius of 'linf:a' is no number"),
        ("linf:1/0", "is no number"),
        ("l2:-1", "a radius is a number from 0, and not -1"),
        ("l2:nan", "a radius is a number from 0, and not nan"),
        ("l0:2.5", "an L0 radius is a number of pixels, and 2.5 is not whole"),
        ("", "'' is no ball"),
    ],
)
def test_what_is_no_ball_is_refused(text, sentence) -> None:
    with pytest.raises(AttackError, match=sentence):
        parse_ball(text)


@pytest.mark.parametrize("eps", ["8/255", None, True, torch.tensor([0.1])])
def test_a_radius_is_a_number(eps) -> None:
    with pytest.raises(AttackError, match="a radius is a number, such as 8/255"):
        L2(eps)


def test_numbers_of_numpy_are_numbers() -> None:
    assert Linf(np.float32(0.25)).eps == 0.25
