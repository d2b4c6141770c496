"""Images with several labels held out: shares of every label, beside chance; nothing lost; whole groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import DataError
from striate.data.splitting import hold_out

tables = st.integers(1, 6).flatmap(
    lambda classes: st.lists(
        st.lists(st.integers(0, 1), min_size=classes, max_size=classes), min_size=4, max_size=60
    )
)


def made(images=1000, classes=20, seed=0):
    """Labels of very different frequency that come together: half of them follow another one."""
    generator = np.random.default_rng(seed)
    frequencies = np.geomspace(0.5, 0.004, classes)
    table = generator.random((images, classes)) < frequencies
    follows = generator.random((images, classes)) < 0.5
    table[:, 1:] |= follows[:, 1:] & table[:, :-1]
    return table.astype(np.uint8)


@given(tables, st.floats(0.05, 0.5), st.integers(0, 2**63 - 1))
def test_it_is_disjoint_complete_deterministic_and_every_label_keeps_an_image(rows, share, seed):
    table = np.array(rows, np.uint8)
    if all((table.sum(axis=0)[row > 0] == 1).any() for row in table):
        with pytest.raises(DataError, match="only one of some label"):
            hold_out(table, share=share, seed=seed)
        return
    kept, held = hold_out(table, share=share, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(table)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert len(held)
    np.testing.assert_array_equal(held, hold_out(table, share=share, seed=seed)[1])
    there = table.any(axis=0)
    assert table[kept].any(axis=0)[there].all()


@pytest.mark.parametrize("share", [0.1, 0.15, 0.5])
def test_every_label_has_its_share_where_chance_misses_it(share):
    table = made()
    _, held = hold_out(table, share=share, seed=0)
    wanted = np.maximum(share * table.sum(axis=0), 1)
    assert abs(len(held) - share * len(table)) <= 0.02 * len(table)
    assert np.abs(table[held].sum(axis=0) - wanted).max() <= 3
    generator = np.random.default_rng(0)
    by_chance = [
        np.abs(table[generator.permutation(len(table))[: len(held)]].sum(axis=0) - wanted).mean()
        for _ in range(20)
    ]
    assert np.abs(table[held].sum(axis=0) - wanted).mean() < np.mean(by_chance) / 3


def test_other_seeds_hold_out_others():
    table = made(200, 5)
    first, second = (set(hold_out(table, share=0.2, seed=seed)[1].tolist()) for seed in (0, 1))
    assert first != second


def test_images_without_labels_are_divided_too():
    table = np.zeros((100, 2), np.uint8)
    table[:10, 0] = table[5:20, 1] = 1
    _, held = hold_out(table, share=0.2, seed=0)
    assert len(held) == 20
    assert 14 <= (table[held].sum(axis=1) == 0).sum() <= 18


def test_groups_are_never_divided_and_labels_have_their_shares():
    table = made(600, 8)
    groups = np.arange(600) // 4
    kept, held = hold_out(table, share=0.2, seed=0, groups=groups)
    assert not set(groups[kept]) & set(groups[held])
    assert abs(len(held) - 120) <= 12
    wanted = 0.2 * table.sum(axis=0)
    assert np.abs(table[held].sum(axis=0) - wanted).max() <= 0.25 * max(8, wanted.max())
    assert table[kept].any(axis=0).all()


def test_groups_of_one_class_are_divided_as_before():
    labels = np.arange(60) % 3
    table = np.eye(3, dtype=np.uint8)[labels]
    groups = np.arange(60) // 3
    for one, other in zip(
        hold_out(labels, share=0.2, seed=1, groups=groups),
        hold_out(table, share=0.2, seed=1, groups=groups),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
