"""The smallest change onto a hyperplane is what linear and quadratic programming find."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.attack.balls import L0, L1, L2, Linf
from striate.attack.hyperplanes import change_to_plane
from striate.core.errors import AttackError

optimize = pytest.importorskip("scipy.optimize", reason="scipy, which comes with scikit-learn, is the oracle")


def smallest_norm(point, normal, gap, order) -> float:
    """Solve for the smallest norm by a linear program, or for L2 by a quadratic one."""
    count = len(point)
    if order == 2:
        found = optimize.minimize(
            lambda d: d @ d,
            np.zeros(count),
            jac=lambda d: 2 * d,
            bounds=list(zip(-point, 1 - point, strict=True)),
            constraints={"type": "eq", "fun": lambda d: normal @ d - gap, "jac": lambda _: normal},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        return math.sqrt(found.fun)
    if order == 1:  # the change is a difference of two that are not negative
        found = optimize.linprog(
            np.ones(2 * count),
            A_eq=np.concatenate([normal, -normal])[None],
            b_eq=[gap],
            bounds=[(0, room) for room in np.concatenate([1 - point, point])],
        )
        return found.fun
    limits = np.concatenate([np.eye(count), -np.eye(count)])
    found = optimize.linprog(
        np.concatenate([np.zeros(count), [1.0]]),
        A_ub=np.concatenate([limits, -np.ones((2 * count, 1))], axis=1),
        b_ub=np.zeros(2 * count),
        A_eq=np.concatenate([normal, [0.0]])[None],
        b_eq=[gap],
        bounds=[*zip(-point, 1 - point, strict=True), (0, None)],
    )
    return found.fun


@pytest.mark.parametrize(("ball", "order"), [(Linf(1), math.inf), (L2(1), 2), (L1(1), 1)], ids=str)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), share=st.floats(-0.98, 0.98))
def test_it_is_the_smallest_change(ball, order, seed, count, share) -> None:
    numbers = np.random.default_rng(seed)
    point, normal = numbers.random(count), numbers.normal(size=count)
    normal[numbers.random(count) < 0.2] = 0
    room = np.where(normal * share > 0, 1 - point, point)
    gap = share * float(np.abs(normal) @ room)
    found = change_to_plane(
        torch.tensor(point)[None], torch.tensor(normal)[None], torch.tensor([gap], dtype=torch.float64), ball
    )[0].numpy()
    assert normal @ found == pytest.approx(gap, abs=1e-5 * abs(gap) + 1e-12)
    assert (point + found >= -1e-12).all()
    assert (point + found <= 1 + 1e-12).all()
    norm = float(ball.norms(torch.tensor(found).view(1, 1, -1)))
    assert norm == pytest.approx(smallest_norm(point, normal, gap, order), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("ball", [Linf(1), L2(1), L1(1)], ids=str)
def test_what_cannot_be_reached_is_come_near_to(ball) -> None:
    points, normals = torch.tensor([[0.25, 0.5, 0.5]]), torch.tensor([[2.0, -1.0, 0.0]])
    found = change_to_plane(points, normals, torch.tensor([100.0]), ball)
    assert found.tolist() == [[0.75, -0.5, 0.0]]
    assert not change_to_plane(points, normals, torch.tensor([0.0]), ball).any()
    assert not change_to_plane(points, torch.zeros(1, 3), torch.tensor([1.0]), ball).any()


@pytest.mark.parametrize("ball", [Linf(1), L2(1), L1(1)], ids=str)
def test_slopes_whose_squares_are_0_are_no_obstacle(ball) -> None:
    points, normals = torch.full((1, 4), 0.5), torch.tensor([[1.0, -2.0, 3.0, 0.5]])
    plain = change_to_plane(points, normals, torch.tensor([0.5]), ball)
    small = change_to_plane(points, normals * 1e-30, torch.tensor([0.5e-30]), ball)
    assert small.allclose(plain, atol=1e-6)


def test_rows_do_not_know_each_other() -> None:
    points, normals, gaps = torch.rand(5, 40), torch.randn(5, 40), torch.randn(5)
    for ball in (Linf(1), L2(1), L1(1)):
        together = change_to_plane(points, normals, gaps, ball)
        for row in range(5):
            one = slice(row, row + 1)
            assert change_to_plane(points[one], normals[one], gaps[one], ball).allclose(
                together[one], atol=1e-6
            )


def test_a_norm_without_nearest_point_is_refused() -> None:
    with pytest.raises(AttackError, match="has no nearest point of a hyperplane"):
        change_to_plane(torch.rand(1, 3), torch.rand(1, 3), torch.rand(1), L0(1))
