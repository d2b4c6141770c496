"""Matrices made orthogonal together are what each is by itself, however they are stacked."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.engine import orthogonal_stacks
from striate.engine.optimizers import orthogonal
from striate.engine.orthogonal_stacks import orthogonal_each

SHAPES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6)


def _matrices(shapes, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@given(shapes=SHAPES, seed=st.integers(0, 99))
def test_a_padded_stack_gives_what_each_gives_alone(shapes, seed) -> None:
    matrices = _matrices(shapes, seed)
    for matrix, found in zip(matrices, orthogonal_each(matrices), strict=True):
        torch.testing.assert_close(found, orthogonal(matrix), rtol=1e-4, atol=1e-4)


def test_large_matrices_are_stacked_by_shape(monkeypatch) -> None:
    monkeypatch.setattr(orthogonal_stacks, "SMALL_STACK", 0)
    matrices = _matrices([(4, 9), (9, 4), (5, 5), (4, 9)])
    stacked = []
    product = orthogonal_stacks._newton_schulz
    monkeypatch.setattr(
        orthogonal_stacks,
        "_newton_schulz",
        lambda stack, steps: stacked.append(tuple(stack.shape)) or product(stack, steps),
    )
    for matrix, found in zip(matrices, orthogonal_each(matrices), strict=True):
        torch.testing.assert_close(found, orthogonal(matrix), rtol=1e-4, atol=1e-4)
    assert stacked == [(3, 4, 9), (1, 5, 5)]


def test_fewer_steps_are_taken_where_asked() -> None:
    matrices = _matrices([(4, 6)])
    for steps in (0, 1, 3):
        (found,) = orthogonal_each(matrices, steps=steps)
        torch.testing.assert_close(found, orthogonal(matrices[0], steps=steps), rtol=1e-4, atol=1e-4)


def test_zeros_stay_zeros_and_no_matrix_is_none() -> None:
    assert orthogonal_each([torch.zeros(3, 4)])[0].equal(torch.zeros(3, 4))
    assert orthogonal_each([]) == []


@pytest.mark.parametrize("shape", [(3, 8), (8, 3)])
def test_bfloat16_stays_bfloat16(shape) -> None:
    (found,) = orthogonal_each([_matrices([shape])[0].bfloat16()])
    assert found.dtype == torch.bfloat16
    assert found.shape == shape
