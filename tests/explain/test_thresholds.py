"""Thresholds equal those of all values sorted, however they come in batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.core.errors import ShapeError
from striate.explain import thresholds
from striate.explain.thresholds import TopShare, check_memory


@given(
    seed=st.integers(0, 999),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    share=st.sampled_from([0.005, 0.02, 0.1, 0.3]),
    even=st.booleans(),
)
@settings(max_examples=60)
def test_batches_give_what_sorting_gives(seed, sizes, share, even) -> None:
    total = sum(sizes)
    values = np.random.default_rng(seed).normal(size=(3, total)).astype(np.float32)
    if even:  # as rectified maps are: mostly 0
        values = np.maximum(values.round(), 0)
    top = TopShare(3, total=total, share=share)
    for part in torch.from_numpy(values).split(sizes, dim=1):
        top.add(part)
    expected = np.sort(values, axis=1)[:, ::-1][:, int(np.floor(share * total))]
    np.testing.assert_array_equal(top.thresholds().numpy(), expected)
    assert ((values > expected[:, None]).mean(axis=1) <= share).all()


def test_types_of_less_precision_are_taken() -> None:
    top = TopShare(1, total=4, share=0.25)
    top.add(torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16))
    top.add(torch.tensor([[4.0, 3.0]], dtype=torch.bfloat16))
    assert top.thresholds().tolist() == [3.0]


def test_what_would_not_fit_into_memory_is_refused_with_the_arithmetic(monkeypatch) -> None:
    monkeypatch.setattr(thresholds, "MOST_KEPT", 100)
    few, many = TopShare(2, total=100, share=0.1), TopShare(8, total=1000, share=0.02)
    check_memory({"a": few})
    with pytest.raises(ShapeError, match=r"largest 190 values.*'b', 8 units of 21"):
        check_memory({"a": few, "b": many})
