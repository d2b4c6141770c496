"""Groups are held out whole: nobody on both sides, sizes near what was asked, classes in proportion."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from striate.core.errors import DataError
from striate.data.grouped_splitting import divide_groups, hold_out_groups

images_in_groups = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 14)), min_size=2, max_size=150)


def off(labels, held, share):
    """How far the counts of each class and of all are from what was asked: what is made small."""
    total = np.append(np.bincount(labels), len(labels))
    now = np.append(np.bincount(labels[held], minlength=len(total) - 1), len(held))
    wanted = np.maximum(share * total, 1)
    return float(((now - wanted) ** 2 / wanted).sum())


@given(images_in_groups, st.floats(0.01, 0.5), st.integers(0, 2**63 - 1))
def test_no_group_is_on_both_sides_and_every_class_keeps_an_image(images, share, seed):
    labels, groups = (np.array(column) for column in zip(*images, strict=True))
    wanted = max(1, round(share * len(labels)))
    try:
        kept, held = hold_out_groups(labels, groups, wanted=wanted, seed=seed)
    except DataError:
        # Only where no single group can go without taking a class along, or there is one group.
        left = [np.unique(labels[groups != group]) for group in np.unique(groups)]
        assert all(len(classes) < len(np.unique(labels)) for classes in left)
        return
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))
    assert len(held) > 0
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()
    assert not set(groups[kept].tolist()) & set(groups[held].tolist())
    assert set(labels[kept].tolist()) == set(labels.tolist())
    np.testing.assert_array_equal(held, hold_out_groups(labels, groups, wanted=wanted, seed=seed)[1])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=4, max_size=60), st.floats(0.05, 0.5)
)
def test_with_groups_of_one_class_every_class_of_two_groups_is_on_both_sides(sizes, share):
    labels = np.repeat([label for label, _ in sizes], [size for _, size in sizes])
    groups = np.repeat(np.arange(len(sizes)), [size for _, size in sizes])
    several = {label for label in np.unique(labels) if len(np.unique(groups[labels == label])) > 1}
    if not several:
        return
    wanted = max(1, round(share * len(labels)))
    _, held = hold_out_groups(labels, groups, wanted=wanted, seed=1)
    assert set(labels[held].tolist()) == several
    # A class is off by at most its largest group, or holds one group where that is more than was wanted.
    for label in several:
        own = groups[labels == label]
        largest = np.bincount(own).max()
        assert abs((labels[held] == label).sum() - share * len(own)) <= largest + 1


def test_small_cases_come_near_the_best_choice_there_is():
    near = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        sizes = random.integers(1, 9, 9)
        groups = np.repeat(np.arange(9), sizes)
        labels = random.integers(0, 3, len(groups))
        wanted = max(1, round(0.25 * len(labels)))
        _kept, held = hold_out_groups(labels, groups, wanted=wanted, seed=seed)
        costs = []
        for chosen in itertools.product([False, True], repeat=9):
            inside = np.array(chosen)[groups]
            if inside.sum() > 0 and set(labels[~inside]) == set(labels):
                costs.append(off(labels, np.flatnonzero(inside), wanted / len(labels)))
        near += off(labels, held, wanted / len(labels)) <= 1.5 * min(costs) + 0.5
    assert near >= 36


def test_it_is_no_worse_stratified_than_sklearn_does_it():
    ours, theirs = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), random.geometric(0.15, 60))
        labels = (groups % 4 + (random.random(len(groups)) < 0.3)).astype(int) % 4
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        expected = next(folds.split(labels, labels, groups))[1]
        _, held = hold_out_groups(labels, groups, wanted=round(0.2 * len(labels)), seed=seed)
        ours.append(off(labels, held, 0.2))
        theirs.append(off(labels, expected, 0.2))
    assert np.mean(ours) <= np.mean(theirs)


def test_large_sets_take_no_time_and_hit_the_size():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(8000), random.integers(1, 6, 8000))
    labels = groups % 10
    _, held = hold_out_groups(labels, groups, wanted=3000, seed=0)
    assert abs(len(held) - 3000) <= 10
    assert np.abs(np.bincount(labels[held]) - 3000 * np.bincount(labels) / len(labels)).max() <= 5


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [([0, 0, 0, 0], "of one group"), ([0, 0, 1, 1], "each of the 2 groups holds all images of a class")],
)
def test_what_cannot_be_divided_is_said(groups, sentence):
    with pytest.raises(DataError, match=sentence):
        hold_out_groups(np.array([0, 0, 1, 1]), np.array(groups), wanted=1, seed=0)


@given(images_in_groups, st.integers(2, 5))
def test_folds_are_complete_and_divide_no_group(images, folds):
    labels, groups = (np.array(column) for column in zip(*images, strict=True))
    numbers = divide_groups(labels, groups, folds=folds, seed=0)
    assert set(numbers.tolist()) <= set(range(folds))
    for group in np.unique(groups):
        assert len(np.unique(numbers[groups == group])) == 1


def test_folds_of_many_groups_are_alike():
    labels = np.arange(1000) % 4
    numbers = divide_groups(labels, np.arange(1000), folds=5, seed=0)
    table = np.array([np.bincount(labels[numbers == fold], minlength=4) for fold in range(5)])
    assert np.abs(table - 50).max() <= 2
