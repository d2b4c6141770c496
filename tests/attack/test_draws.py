"""What an image is given by chance depends on its seed and the key alone, and is distributed as promised."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from striate.attack.draws import Draws, _mixed

MANY = Draws(torch.arange(50, dtype=torch.int64))
KINDS = {
    "uniform": lambda draws: draws.uniform("a", (3, 2)),
    "normal": lambda draws: draws.normal("a", (3, 2)),
    "signs": lambda draws: draws.signs("a", (3, 2)),
    "integers": lambda draws: draws.integers("a", (3, 2), 1000),
    "derived": lambda draws: draws.derived(("b", 1)).uniform("a", (3, 2)),
}


def splitmix64(state: int) -> int:
    """Give the first number of the published generator from a state, in whole numbers of Python."""
    wide = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & wide
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & wide
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & wide
    return z ^ (z >> 31)


@given(st.integers(0, 2**64 - 1))
def test_bits_are_those_of_splitmix64(state) -> None:
    moved = (state + 0x9E3779B97F4A7C15) % 2**64
    signed = moved - 2**64 if moved >= 2**63 else moved
    found = _mixed(torch.tensor([signed])).item() % 2**64
    assert found == splitmix64(state)


def test_the_published_first_number_is_right() -> None:
    assert splitmix64(1234567) == 6457827717110365317


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_draws_the_same_alone_and_in_a_part(kind) -> None:
    draw = KINDS[kind]
    whole = draw(MANY)
    assert draw(MANY).equal(whole)
    assert draw(Draws(MANY.seeds[7:8])).equal(whole[7:8])
    mask = torch.arange(50) % 3 == 0
    assert draw(MANY.rows(mask)).equal(whole[mask])
    assert draw(MANY.rows(torch.tensor([9, 2]))).equal(whole[[9, 2]])


@pytest.mark.parametrize("kind", KINDS)
def test_images_draw_differently(kind) -> None:
    rows = KINDS[kind](MANY).flatten(1)
    assert len({tuple(row.tolist()) for row in rows}) == (50 if kind != "signs" else len(rows.unique(dim=0)))
    assert len(rows.unique(dim=0)) > 30


def test_keys_and_derived_draws_are_independent() -> None:
    draws = Draws(torch.arange(2000))
    columns = [
        draws.uniform("a", ()),
        draws.uniform("b", ()),
        draws.uniform(("a", 1), ()),
        draws.uniform(1, ()),
        draws.derived("a").uniform("a", ()),
        draws.derived("a").derived("a").uniform("a", ()),
        *draws.uniform("many", (3,)).unbind(dim=1),
    ]
    correlations = torch.corrcoef(torch.stack(columns)) - torch.eye(len(columns))
    assert correlations.abs().max() < 5 / math.sqrt(2000)


def test_numbers_are_distributed_as_promised() -> None:
    draws, count = Draws(torch.arange(200)), 200 * 500
    uniform = draws.uniform("u", (500,)).flatten().double()
    assert 0 <= uniform.min() < 1e-3
    assert 1 - 1e-3 < uniform.max() < 1
    counts = torch.histc(uniform, 20, 0, 1)
    assert ((counts - count / 20) ** 2 / (count / 20)).sum() < 45  # chi squared with 19 degrees, p = 0.0007
    normal = draws.normal("n", (500,)).flatten().double()
    assert normal.mean().abs() < 5 / math.sqrt(count)
    assert (normal.std() - 1).abs() < 5 / math.sqrt(2 * count)
    assert ((normal**4).mean() - 3).abs() < 5 * math.sqrt(96 / count)
    assert normal.isfinite().all()
    signs = draws.signs("s", (500,))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert signs.mean().abs() < 5 / math.sqrt(count)
    whole = draws.integers("i", (500,), 7).flatten()
    assert (whole.bincount(minlength=7) - count / 7).abs().max() < 5 * math.sqrt(count / 7)
    assert whole.max() == 6


def test_whole_numbers_have_a_bound_for_each_image() -> None:
    high = torch.arange(1, 51)
    found = MANY.integers("i", (100,), high[:, None])
    assert (found < high[:, None]).all()
    assert (found >= 0).all()
    assert (found[40:].amax(dim=1) > 30).all()
    assert MANY.integers("i", (4,), 2**31).max() < 2**31


def test_seeds_come_from_the_generator() -> None:
    one = Draws.of(Generator().manual_seed(3), 5).seeds
    assert one.equal(Draws.of(Generator().manual_seed(3), 5).seeds)
    assert not one.equal(Draws.of(Generator().manual_seed(4), 5).seeds)
    assert Draws.of(None, 5).seeds.equal(Draws.of(None, 5).seeds)
    assert len(Draws.of(None, 5)) == 5


def test_the_generators_of_torch_are_left_alone() -> None:
    before = torch.get_rng_state()
    Draws.of(None, 5).normal("a", (3,))
    assert torch.get_rng_state().equal(before)
