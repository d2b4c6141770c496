"""Ranks of maps: ties are broken by chance, and the correlation is Spearman's."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from striate.explain.ranking import places_in_order, spearman


def test_places_come_from_the_hottest_on_and_ties_by_chance() -> None:
    heat = torch.tensor([[0.0, 3.0, 0.0, 0.0, 5.0], [9.0, 1.0, 2.0, 3.0, 4.0]])
    ranks = places_in_order(heat, Generator().manual_seed(0))
    assert ranks[:, 4].tolist() == [0, 1]
    assert ranks[0, 1] == 1
    assert ranks[1].tolist() == [0, 4, 3, 2, 1]
    assert sorted(ranks[0].tolist()) == list(range(5))
    orders = {
        tuple(places_in_order(torch.zeros(1, 4), Generator().manual_seed(seed))[0].tolist())
        for seed in range(40)
    }
    assert len(orders) > 10


@pytest.mark.parametrize("ties", [False, True])
def test_the_correlation_is_that_of_scipy(ties) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is the oracle")
    generator = Generator().manual_seed(3)
    one, other = torch.randn(4, 60, generator=generator), torch.randn(4, 60, generator=generator)
    other = other + one
    if ties:
        one, other = one.round(), other.relu()
    expected = [stats.spearmanr(a.numpy(), b.numpy()).statistic for a, b in zip(one, other, strict=True)]
    assert spearman(one, other).tolist() == pytest.approx([float(each) for each in expected])


def test_a_map_without_differences_is_like_none_but_its_own_kind() -> None:
    flat, other = torch.zeros(1, 5), torch.arange(5.0)[None]
    assert spearman(flat, other).tolist() == [0.0]
    assert spearman(other, flat).tolist() == [0.0]
    assert spearman(flat, flat + 2).tolist() == [1.0]
    assert spearman(other, other).item() == pytest.approx(1)
