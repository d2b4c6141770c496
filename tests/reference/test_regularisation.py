"""Dropout given its mask against torch, whose mask is read off what it gives."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import LayerError, ShapeError
from striate.reference import dropout, dropout_backward


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    rate=st.floats(0, 0.99),
    seed=st.integers(0, 999),
)
def test_it_equals_torch_under_torchs_mask(shape, rate, seed, agree):
    features = np.random.default_rng(seed).uniform(1, 2, size=shape)
    tensor = torch.tensor(features, requires_grad=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs = F.dropout(tensor, rate)
    mask = (theirs != 0).numpy()
    agree(dropout(features, mask, rate=rate), theirs)
    gradient = np.random.default_rng(0).normal(size=shape)
    theirs.backward(torch.tensor(gradient))
    agree(dropout_backward(gradient, mask, rate=rate), tensor.grad)


def test_gradients_are_the_central_differences(agree, slopes):
    generator = np.random.default_rng(0)
    features, probe = generator.normal(size=(2, 3, 4))
    mask = generator.integers(0, 2, size=(3, 4))
    (slope,) = slopes(lambda array: float((dropout(array, mask, rate=0.3) * probe).sum()), features)
    agree(dropout_backward(probe, mask, rate=0.3), slope, 1e-7)


def test_the_mean_stays():
    mask = np.random.default_rng(0).random(100_000) >= 0.3
    assert dropout(np.ones(100_000), mask, rate=0.3).mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(LayerError, match=f"a share of {rate} cannot be dropped"):
        dropout([1, 2], [1, 0], rate=rate)


def test_what_is_no_mask_is_refused():
    with pytest.raises(ShapeError, match="mask: the shape is 3 where 2 is needed"):
        dropout([1, 2], [1, 0, 1], rate=0.5)
    with pytest.raises(LayerError, match="something else than 0"):
        dropout_backward([1, 2], [1, 0.5], rate=0.5)
