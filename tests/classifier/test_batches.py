"""Batches hold what the caches of a processor hold, or what a GPU wants."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.classifier.batches import BATCH_BYTES, CPU_PLACES, LARGEST_BATCH, images_at_a_time
from striate.core.device import Policy

CPU = Policy("cpu", "float32", True, "as the test asks")
GPU = Policy("cuda", "bfloat16", True, "as the test asks")


@given(
    size=st.lists(st.integers(1, 600), min_size=1, max_size=3).map(tuple),
    channels=st.integers(1, 4),
    bytes_each=st.sampled_from([1, 4]),
)
def test_a_batch_is_as_large_as_its_bounds_let_it_be(size, channels, bytes_each) -> None:
    for policy, most in ((CPU, CPU_PLACES), (GPU, math.inf)):
        batch = images_at_a_time(policy, size, channels=channels, bytes_each=bytes_each)

        def fits(count: int, most: float = most) -> bool:
            places = count * math.prod(size)
            return count <= LARGEST_BATCH and places <= most and places * channels * bytes_each <= BATCH_BYTES

        assert batch == 1 or fits(batch)
        assert not fits(batch + 1)


@pytest.mark.parametrize(
    ("size", "on_cpu", "on_gpu"), [((28, 28), 256, 256), ((288, 288), 9, 256), ((65536,), 12, 256)]
)
def test_photos_go_in_small_batches_on_a_cpu_alone(size, on_cpu, on_gpu) -> None:
    assert images_at_a_time(CPU, size, channels=3) == on_cpu
    assert images_at_a_time(GPU, size, channels=3) == on_gpu
