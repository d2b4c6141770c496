"""A sample has the shares of the classes, and so has every beginning of it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator

from striate.attack.sampling import stratified
from striate.core.errors import AttackError


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(1, 90), st.integers(0, 2**31))
def test_every_class_has_its_share_of_every_beginning(labels: list[int], count: int, seed: int) -> None:
    classes = torch.tensor(labels)
    rows = stratified(classes, count, generator=Generator().manual_seed(seed))
    assert len(rows) == min(count, len(labels)) == len(set(rows.tolist()))
    sizes = classes.bincount(minlength=6).double()
    for end in range(1, len(rows) + 1):
        found = classes[rows[:end]].bincount(minlength=6)
        # Each class is within one of its share up to a key, and the key within one a class of the end.
        assert (
            (found - end * sizes / len(labels)).abs() <= 1 + (sizes > 0).sum() * sizes / len(labels)
        ).all()


def test_one_seed_gives_one_sample_and_all_images_have_the_same_chance() -> None:
    labels = torch.tensor([0] * 6 + [1] * 2)
    one, other = (stratified(labels, 4, generator=Generator().manual_seed(3)) for _ in range(2))
    assert one.equal(other)
    chosen = torch.stack(
        [
            torch.zeros(8).index_fill(0, stratified(labels, 4, generator=Generator().manual_seed(seed)), 1)
            for seed in range(1000)
        ]
    )
    assert (chosen.mean(dim=0) - 0.5).abs().max() < 0.08


@pytest.mark.parametrize(("labels", "count"), [([], 3), ([0, 1], 0)])
def test_nothing_is_no_sample(labels: list[int], count: int) -> None:
    with pytest.raises(AttackError, match=f"{count} of {len(labels)} images are no sample"):
        stratified(torch.tensor(labels), count, generator=Generator())
