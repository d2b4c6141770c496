"""Lines, great circles, planes and sums of latents are what their formulas say."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given

from striate.core.errors import LayerError, ShapeError
from striate.gan import arithmetic, draw_latents, lerp, plane, route, slerp

SEEDS = st.integers(0, 1000)
SIZES = st.integers(2, 40)
SHARES = torch.linspace(0, 1, 9, dtype=torch.float64)


def pair(size: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = draw_latents(2, size, seed=seed).double()
    cosine = torch.cosine_similarity(first, second, dim=0)
    assume(abs(float(cosine)) < 0.999)
    return first, second


@given(SIZES, SEEDS)
def test_a_great_circle_has_even_angles_and_one_length(size, seed):
    start, end = pair(size, seed)
    end = end * start.norm() / end.norm()
    walked = slerp(start, end, SHARES)
    assert torch.allclose(walked.norm(dim=1), start.norm().expand(9))
    angle = torch.arccos(torch.cosine_similarity(start, end, dim=0))
    steps = torch.arccos(torch.cosine_similarity(walked[:-1], walked[1:], dim=1).clamp(max=1))
    assert torch.allclose(steps, (angle / 8).expand(8), atol=1e-6)


@given(SIZES, SEEDS)
def test_a_great_circle_is_that_of_the_formula_both_ways_and_stays_in_its_plane(size, seed):
    start, end = pair(size, seed)
    angle = math.acos(float(torch.cosine_similarity(start, end, dim=0)))
    wanted = [
        (math.sin((1 - share) * angle) * start + math.sin(share * angle) * end) / math.sin(angle)
        for share in SHARES.tolist()
    ]
    walked = slerp(start, end, SHARES)
    assert torch.allclose(walked, torch.stack(wanted), atol=1e-6)
    assert torch.equal(walked[0], start)
    assert torch.equal(walked[-1], end)
    assert torch.allclose(slerp(end, start, SHARES.flip(0)), walked)
    assert torch.linalg.matrix_rank(walked, tol=1e-6) <= 2


@given(SIZES, SEEDS, st.floats(1e-12, 1e-5))
def test_next_to_each_other_a_great_circle_is_a_line(size, seed, apart):
    start, other = pair(size, seed)
    end = start + apart * other
    assert torch.allclose(slerp(start, end, SHARES), lerp(start, end, SHARES), rtol=0, atol=1e-9)


def test_latents_along_one_line_and_of_nothing_are_walked_straight():
    start = draw_latents(1, 5)[0].double()
    for end in (start, 3 * start, 0 * start):
        assert torch.allclose(slerp(start, end, SHARES), lerp(start, end, SHARES))


def test_opposite_latents_have_no_great_circle_of_their_own():
    start = draw_latents(1, 5)[0]
    with pytest.raises(LayerError, match="opposite directions"):
        slerp(start, -2 * start, SHARES)


def test_the_type_of_the_latents_stays():
    start, end = draw_latents(2, 4)
    assert slerp(start, end, SHARES).dtype == lerp(start, end, SHARES).dtype == torch.float32


@given(st.integers(2, 5), st.integers(2, 6), st.sampled_from(["linear", "spherical"]))
def test_a_route_passes_each_latent_in_its_turn(count, steps, path):
    latents = draw_latents(count, 8)
    walked = route(latents, steps, path=path)
    assert len(walked) == (count - 1) * (steps - 1) + 1
    assert torch.allclose(walked[:: steps - 1], latents, atol=1e-6)
    closed = route(latents, steps, path=path, closed=True)
    assert len(closed) == count * (steps - 1)
    assert torch.allclose(closed[: len(walked) - 1], walked[:-1])
    assert torch.allclose(closed[len(walked) - 1], latents[-1])


def test_half_way_a_line_is_shorter_than_a_great_circle():
    ends = draw_latents(2, 512, seed=3)
    straight, round_about = (route(ends, 3, path=path)[1].norm() for path in ("linear", "spherical"))
    assert straight / ends.norm(dim=1).mean() == pytest.approx(math.sqrt(0.5), abs=0.05)
    assert round_about / ends.norm(dim=1).mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("latents", "options", "error", "sentence"),
    [
        (torch.ones(1, 3), {}, ShapeError, "at least 2 latents"),
        (torch.ones(3), {}, ShapeError, "at least 2 latents"),
        (torch.eye(2), {"steps": 1}, LayerError, "1 steps are no way"),
        (torch.eye(2), {"path": "circle"}, LayerError, "no path 'circle'"),
    ],
)
def test_routes_that_are_none_are_refused(latents, options, error, sentence):
    with pytest.raises(error, match=sentence):
        route(latents, **{"steps": 4, **options})


def test_a_plane_has_its_corners_and_is_even():
    corners = draw_latents(3, 10).double()
    flat = plane(corners, 5, path="linear")
    assert torch.allclose(flat[0, 0], corners[0])
    assert torch.allclose(flat[0, -1], corners[1])
    assert torch.allclose(flat[-1, 0], corners[2])
    assert torch.allclose(flat[-1, -1], corners[1] + corners[2] - corners[0])
    assert torch.allclose(flat.diff(n=2, dim=0), torch.zeros(()).double(), atol=1e-12)
    assert torch.allclose(flat.diff(n=2, dim=1), torch.zeros(()).double(), atol=1e-12)


def test_a_spherical_plane_is_as_long_everywhere_as_draws_are():
    units = torch.eye(3, dtype=torch.float64)  # as good as orthogonal, as long latents are
    lengths = plane(units, 7).norm(dim=2)
    assert torch.allclose(lengths, torch.ones(7, 7).double())
    corners = draw_latents(3, 10)
    assert torch.allclose(plane(corners, 4)[0, 0], corners[0])
    assert torch.allclose(plane(corners, 4)[-1, 0], corners[2])


@pytest.mark.parametrize(
    ("corners", "count", "error", "sentence"),
    [
        (torch.eye(2), 3, ShapeError, "3 latents"),
        (torch.eye(3), 1, LayerError, "no corners"),
        (torch.eye(3)[[0, 1, 0]], 3, LayerError, "the same"),
    ],
)
def test_planes_that_are_none_are_refused(corners, count, error, sentence):
    with pytest.raises(error, match=sentence):
        plane(corners, count)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), SEEDS)
def test_a_sum_is_that_of_the_means_over_the_length_of_its_weights(base, minus, plus, seed):
    latents = draw_latents(base + minus + plus, 6, seed=seed).double()
    groups = latents.split([base, minus, plus])
    means = [group.mean(dim=0) for group in groups]
    wanted = (means[0] - means[1] + means[2]) / math.sqrt(1 / base + 1 / minus + 1 / plus)
    assert torch.allclose(arithmetic(*groups), wanted)


def test_three_groups_of_three_are_only_added_up():
    groups = draw_latents(9, 4).double().split(3)
    wanted = groups[0].mean(dim=0) - groups[1].mean(dim=0) + groups[2].mean(dim=0)
    assert torch.allclose(arithmetic(*groups), wanted)


def test_a_latent_in_two_groups_counts_with_both_weights():
    same, other = draw_latents(4, 5).double().split(2)
    assert torch.allclose(arithmetic(same, same, other), other.mean(dim=0) * math.sqrt(2))


def test_groups_that_cannot_be_added_are_refused():
    with pytest.raises(ShapeError, match="2x5, 0x5, 2x5"):
        arithmetic(torch.ones(2, 5), torch.ones(0, 5), torch.ones(2, 5))
    with pytest.raises(ShapeError, match="of one D"):
        arithmetic(torch.ones(2, 5), torch.ones(2, 4), torch.ones(2, 5))
