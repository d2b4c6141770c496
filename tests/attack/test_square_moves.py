"""The moves of Square: corners of the ball in a square, and bumps of a norm that is kept."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from striate.attack.balls import L1, L2, Linf
from striate.attack.draws import Draws
from striate.attack.square_moves import Corners, Masses

SIZES = [(9,), (8, 11), (4, 5, 6)]


def images_of(size: tuple[int, ...], count: int = 3, channels: int = 2) -> Tensor:
    return torch.rand(count, channels, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
@given(seed=st.integers(0, 2**31), side=st.integers(1, 4))
def test_a_square_goes_to_corners_and_all_else_stays(size, seed, side) -> None:
    images, ball = images_of(size), Linf(0.1)
    moves, draws = Corners(ball, images), Draws(torch.arange(3) + seed)
    first = moves.first(draws)
    sides = torch.tensor([side, 1, min(size)])
    found = moves.proposals(torch.arange(3), first, sides, draws.uniform("a", (moves.numbers,)))
    corners = [ball.project(images, images + step) for step in (-0.1, 0.1)]
    for row in range(3):
        outside = (first[row] != corners[0][row]) & (first[row] != corners[1][row])
        assert not outside.any()
        changed = (found[row] != first[row]).any(dim=0).nonzero()
        if len(changed):
            extent = changed.amax(dim=0) - changed.amin(dim=0) + 1
            assert (extent <= sides[row]).all()
        for channel in range(2):
            moved = found[row, channel] != first[row, channel]
            ends = [(found[row, channel] == corner[row, channel])[moved].all() for corner in corners]
            assert any(ends)


def test_stripes_run_along_all_axes_but_the_last() -> None:
    images = torch.full((1, 2, 6, 40), 0.5)
    first = Corners(Linf(0.25), images).first(Draws(torch.tensor([3])))
    assert set(first.unique().tolist()) == {0.25, 0.75}
    assert (first == first[:, :, :1]).all()
    assert first[0, :, 0].diff(dim=1).any()


def test_squares_lie_everywhere_as_often() -> None:
    images = torch.full((4000, 1, 5), 0.5)
    moves = Corners(Linf(0.5), images)
    draws = Draws(torch.arange(4000))
    found = moves.proposals(torch.arange(4000), images, torch.full((4000,), 3), draws.uniform("a", (2,)))
    often = (found != 0.5).float().mean(dim=(0, 1))
    assert often.tolist() == pytest.approx([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3], abs=0.03)
    assert abs((found[found != 0.5] == 1).float().mean() - 0.5) < 0.03


@pytest.mark.parametrize(("size", "expected"), [((100,), 40), ((10, 10), 6), ((5, 5, 5), 4)])
def test_a_square_covers_its_share(size, expected) -> None:
    moves = Corners(Linf(0.1), images_of(size))
    assert moves.sides(torch.tensor([0.4])).tolist() == [expected]
    assert moves.sides(torch.tensor([1e-6])).tolist() == [1]
    odd = Masses(L2(0.1), images_of(size)).sides(torch.tensor([0.4, 1e-6]))
    assert odd[1] == 3
    assert all(side % 2 == 1 or side == min(size) for side in odd.tolist())


def bump_by_loops(side: int, axis: int, axes: int, power: int) -> Tensor:
    """Lay rectangles onto each other, as the paper defines a bump."""
    exponent = {1: 4, 2: 2}[power]
    bump = torch.zeros(*[side] * axes, dtype=torch.float64)
    for start, stop, sign in ((0, side // 2, -1), (side // 2, side, 1)):
        lengths = [stop - start if number == axis else side for number in range(axes)]
        half = torch.zeros(*lengths, dtype=torch.float64)
        for counter in range(max(length // 2 + 1 for length in lengths)):
            box = tuple(slice(max(0, length // 2 - counter), length // 2 + counter + 1) for length in lengths)
            half[box] += 1 / (counter + 1) ** exponent
        where = tuple(slice(start, stop) if number == axis else slice(None) for number in range(axes))
        bump[where] = sign * half
    return bump / torch.linalg.vector_norm(bump, ord=power)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ball", [L2(0.5), L1(0.5)], ids=str)
@pytest.mark.parametrize("side", [1, 3, 4])
def test_a_bump_is_rectangles_laid_onto_each_other(size, ball, side) -> None:
    images = images_of(size, count=1).double()
    moves, axes = Masses(ball, images), len(size)
    for axis in range(axes):
        offsets = [torch.arange(each)[None] for each in size]
        found, inside = moves._bump(offsets, torch.tensor([side]), torch.tensor([axis]))
        where = (0, 0, *[slice(0, side)] * axes)
        assert found[where].allclose(bump_by_loops(side, axis, axes, 1 if isinstance(ball, L1) else 2))
        assert inside[where].all()
        assert inside.sum() == side**axes
        assert found.abs().sum() == pytest.approx(found[where].abs().sum())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ball", [L2(0.4), L1(0.4)], ids=str)
def test_the_radius_is_used_up_and_kept(size, ball) -> None:
    images = torch.full((20, 2, *size), 0.5)
    moves, draws = Masses(ball, images), Draws(torch.arange(20))
    points = moves.first(draws)
    rows = torch.arange(20)
    assert ball.norms(points - images).tolist() == pytest.approx([ball.eps] * 20, rel=1e-5)
    for number in range(30):
        numbers = draws.uniform(number, (moves.numbers,))
        points = moves.proposals(rows, points, torch.full((20,), 3), numbers)
        assert ball.norms(points - images).tolist() == pytest.approx([ball.eps] * 20, rel=1e-5)
    assert ((points != images).flatten(1).any(dim=1)).all()


def test_at_the_border_of_the_box_the_change_stays_in_it() -> None:
    images = torch.rand(20, 1, 8, 8).round()
    moves, draws = Masses(L2(1.5), images), Draws(torch.arange(20))
    points = moves.first(draws)
    for number in range(10):
        points = moves.proposals(torch.arange(20), points, torch.full((20,), 5), draws.uniform(number, (6,)))
        assert points.min() >= 0
        assert points.max() <= 1
        assert (L2(1).norms(points - images) <= 1.5 * (1 + 1e-6)).all()


def test_what_is_taken_out_of_one_square_comes_into_the_other() -> None:
    """By hand: all mass lies in a square that is emptied."""
    images = torch.full((1, 1, 12), 0.5, dtype=torch.float64)
    moves = Masses(L2(0.3), images)
    points = images.clone()
    points[0, 0, 8] += 0.3
    # Rooms are 12 - 3 + 1 = 10: the first square begins at 1, the second at 7.
    numbers = torch.tensor([[0.15, 0.75, 0.0, 0.9]], dtype=torch.float64)
    found = moves.proposals(torch.tensor([0]), points, torch.tensor([3]), numbers) - images
    assert found[0, 0, 7:10].abs().max() < 1e-12
    assert found.norm().item() == pytest.approx(0.3)
    assert found[0, 0, 1:4].norm().item() == pytest.approx(0.3)
    shape = bump_by_loops(3, 0, 1, 2)
    assert found[0, 0, 1:4].allclose(0.3 * shape)
