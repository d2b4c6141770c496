"""Warps equal what torch's own padding and slicing give, for every offset."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from striate.nn import gather_warped, mirror, shift


@given(
    radius=st.integers(0, 3),
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    channels=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_shift_is_a_window_of_the_reflected_image(radius, height, width, channels, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (3, channels, height, width), generator=generator, dtype=torch.uint8)
    offsets = torch.randint(-radius, radius + 1, (3, 2), generator=generator)
    shifted = shift(images, offsets, radius=radius)
    padded = F.pad(images.float(), (radius,) * 4, mode="reflect").to(torch.uint8)
    for image, (down, right), moved in zip(padded, offsets.tolist(), shifted, strict=True):
        top, left = radius - down, radius - right
        assert moved.equal(image[:, top : top + height, left : left + width])


def test_mirroring_twice_is_the_identity_and_once_is_a_flip() -> None:
    images = torch.rand(4, 2, 5, 6)
    chosen = torch.tensor([True, False, True, False])
    once = mirror(images, chosen)
    assert once[0].equal(torch.flip(images[0], dims=(2,)))
    assert once[1].equal(images[1])
    assert mirror(once, chosen).equal(images)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_types_and_layouts_are_kept(dtype) -> None:
    images = (torch.rand(2, 3, 6, 6) * 255).to(dtype).contiguous(memory_format=torch.channels_last)
    offsets = torch.tensor([[1, -1], [0, 2]])
    assert shift(images, offsets, radius=2).dtype == dtype
    assert shift(images, offsets, radius=2).equal(shift(images.contiguous(), offsets, radius=2))


@given(
    radius=st.integers(0, 3),
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    channels=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_gathering_is_mirroring_and_then_shifting(radius, height, width, channels, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (6, channels, height, width), generator=generator, dtype=torch.uint8)
    chosen = torch.randint(0, 6, (4,), generator=generator)
    mirrored = torch.rand(4, generator=generator) < 0.5
    offsets = torch.randint(-radius, radius + 1, (4, 2), generator=generator)
    wanted = shift(mirror(images[chosen], mirrored), offsets, radius=radius)
    found = gather_warped(images, chosen, mirrored, offsets.to(torch.int8))
    assert found.equal(wanted)
    assert found.is_contiguous(memory_format=torch.channels_last)
