"""What these tests share: comparing, central differences, drawn windows and what torch sees in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

STEP = 1e-5


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    """Compare ours with an oracle's, in double precision."""

    def compare(ours, theirs, tolerance=1e-9):
        if isinstance(theirs, torch.Tensor):
            theirs = theirs.detach().numpy()
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, strict=np.ndim(ours) > 0)

    return compare


@pytest.fixture(scope="session")
def slopes() -> Callable[..., list[np.ndarray]]:
    """Central differences of a function to numbers, by every element of every array that it takes."""

    def differences(function, *arrays):
        results = []
        for number, array in enumerate(arrays):
            slope = np.zeros(np.shape(array))
            for place in np.ndindex(*slope.shape):
                values = []
                for step in (STEP, -STEP):
                    moved = np.array(array, dtype=np.float64)
                    moved[place] += step
                    values.append(function(*arrays[:number], moved, *arrays[number + 1 :]))
                slope[place] = (values[0] - values[1]) / (2 * STEP)
            results.append(slope)
        return results

    return differences


@pytest.fixture(scope="session")
def poolings() -> Callable[..., st.SearchStrategy]:
    """Draw a pooling: images without two equal values, and the options of its windows."""

    @st.composite
    def drawn(draw, dims, *, dilated=False):
        each = st.tuples(*[st.integers(1, 3)] * dims)
        window, stride = draw(each), draw(st.none() | each)
        dilation = draw(each) if dilated else (1,) * dims
        reach = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
        padding = tuple(draw(st.integers(0, length // 2)) for length in window)
        most = 4 if dims < 3 else 2
        size = [
            max(1, length - 2 * padded) + draw(st.integers(0, most))
            for length, padded in zip(reach, padding, strict=True)
        ]
        shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)
        images = distinct(shape, draw(st.integers(0, 999)))
        options = {"stride": stride, "padding": padding, "ceil": draw(st.booleans())}
        return images, window, {**options, "dilation": dilation} if dilated else options

    return drawn


@pytest.fixture(scope="session")
def unfolded() -> Callable[..., torch.Tensor]:
    """Give every window's values on a last axis, NaN where it lies outside of the images."""

    def unfold(images, window, counts, *, stride, padding, **_):
        stride = window if stride is None else stride
        sides = []
        for axis in reversed(range(len(window))):
            end = (counts[axis] - 1) * stride[axis] + window[axis] - images.shape[2 + axis] - padding[axis]
            sides += [padding[axis], end]
        windows = F.pad(images, sides, value=float("nan"))
        for axis, (length, step) in enumerate(zip(window, stride, strict=True)):
            windows = windows.unfold(2 + axis, length, step)
        return windows.flatten(2 + len(window))

    return unfold


def distinct(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Values at least 0.1 from each other and 0.05 from 0, in any order."""
    count = int(np.prod(shape))
    order = np.random.default_rng(seed).permutation(count)
    return ((order - count // 2) * 0.1 + 0.05).reshape(shape)
