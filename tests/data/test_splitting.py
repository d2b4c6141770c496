"""The hold-out: disjoint, complete, stratified and the same for the same seed."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

from striate.core.errors import DataError
from striate.data.splitting import hold_out

labels_of_images = st.lists(st.integers(0, 6), min_size=2, max_size=120).map(np.array)
shares = st.one_of(st.none(), st.floats(0.01, 0.5))


@given(labels_of_images, shares, st.integers(0, 2**63 - 1))
def test_it_is_disjoint_complete_deterministic_and_leaves_every_class_something(labels, share, seed):
    counts = np.bincount(labels)
    assume((counts > 1).any())
    kept, held = hold_out(labels, share=share, seed=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    again = hold_out(labels, share=share, seed=seed)
    np.testing.assert_array_equal(held, again[1])
    for label in np.unique(labels):
        assert (labels[kept] == label).any()
        assert (labels[held] == label).any() == (counts[label] > 1)


@given(st.lists(st.integers(20, 200), min_size=2, max_size=8), st.sampled_from([0.1, 0.25, 0.5]))
def test_each_class_gives_its_share_as_sklearn_gives_it(counts, share):
    labels = np.repeat(np.arange(len(counts)), counts)
    _, held = hold_out(labels, share=share, seed=0)
    oracle = StratifiedShuffleSplit(1, test_size=round(share * len(labels)), random_state=0)
    _, expected = next(oracle.split(labels, labels))
    assert len(held) == len(expected)
    assert np.abs(np.bincount(labels[held]) - np.bincount(labels[expected])).max() <= 1


def test_another_seed_holds_out_others_and_the_default_is_at_most_5000():
    labels = np.arange(60_000) % 10
    first = hold_out(labels, share=None, seed=0)[1]
    second = hold_out(labels, share=None, seed=1)[1]
    assert len(first) == len(second) == 5000
    assert set(np.bincount(labels[first])) == {500}
    assert len(np.intersect1d(first, second)) < 1000
    assert len(hold_out(labels[:100], share=None, seed=0)[1]) == 15


@pytest.mark.parametrize("share", [0, -0.1, 0.51, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(DataError, match=r"validation share of .* is not in \(0, 0.5\]"):
        hold_out(np.array([0, 0, 1, 1]), share=share, seed=0)


def test_with_one_image_a_class_nothing_can_be_held_out():
    with pytest.raises(DataError, match="no class has two images"):
        hold_out(np.array([0, 1, 2]), share=None, seed=0)
