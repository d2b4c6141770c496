"""Gradients by images, computed by phases, are torch's own."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from striate.engine import input_gradients
from striate.engine.input_gradients import FastInputGradients


def both(images: Tensor, weight: Tensor, bias: Tensor | None, **options: object) -> tuple[Tensor, Tensor]:
    found = []
    for fast in (True, False):
        leaf = images.clone().requires_grad_()
        layer = nn.Conv2d(
            weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), bias=bias is not None, **options
        )
        layer = layer.to(images.dtype).requires_grad_(False)
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
        if fast:
            with FastInputGradients():
                output = layer(leaf)
        else:
            output = layer(leaf)
        (gradient,) = torch.autograd.grad(output.pow(3).sum(), leaf)
        found.append(gradient)
    return found[0], found[1]


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.tuples(st.integers(2, 7), st.integers(2, 7)),
    st.integers(2, 4),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.integers(7, 15), st.integers(7, 15)),
)
def test_gradients_are_those_of_torch(
    channels: int,
    out: int,
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    size: tuple[int, int],
) -> None:
    generator = torch.Generator().manual_seed(channels + 10 * out + sum(kernel))
    images = torch.randn(2, channels, *size, generator=generator, dtype=torch.float64)
    weight = torch.randn(out, channels, *kernel, generator=generator, dtype=torch.float64)
    bias = torch.randn(out, generator=generator, dtype=torch.float64)
    fast, plain = both(images, weight, bias, stride=stride, padding=padding)
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10)


def test_it_is_used_where_it_pays_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    own = input_gradients._phases
    monkeypatch.setattr(input_gradients, "_phases", lambda *args: calls.append(1) or own(*args))
    images = torch.rand(2, 3, 9, 9)
    weight = torch.rand(4, 3, 3, 3)
    for options, pays in (
        ({"stride": 2}, True),
        ({"stride": 2, "padding": 1}, True),
        ({"stride": 1}, False),
        ({"stride": (2, 1)}, False),
        ({"stride": 2, "dilation": 2}, False),
        ({"stride": 4}, False),
        ({"stride": 2, "padding": "valid"}, False),
        ({"stride": 2, "padding": 1, "padding_mode": "reflect"}, True),
    ):
        calls.clear()
        fast, plain = both(images, weight, None, **options)
        torch.testing.assert_close(fast, plain)
        assert bool(calls) == pays, options


def test_weights_that_learn_get_their_gradients() -> None:
    layer = nn.Conv2d(1, 2, 4, stride=2)
    with FastInputGradients():
        layer(torch.rand(1, 1, 8, 8, requires_grad=True)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_functions_with_keywords_and_single_images_pass() -> None:
    weight = torch.rand(2, 1, 2, 2)
    leaf = torch.rand(1, 4, 4, requires_grad=True)
    with FastInputGradients():
        single = F.conv2d(leaf, weight, stride=2)
        named = F.conv2d(input=leaf, weight=weight, stride=2)
    assert single.shape == named.shape == (2, 2, 2)


def test_second_derivatives_are_those_of_torch() -> None:
    layer = nn.Conv2d(1, 3, 4, stride=2, padding=1).double().requires_grad_(False)
    leaf = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)

    def twice() -> Tensor:
        (first,) = torch.autograd.grad(layer(leaf).pow(3).sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), leaf)
        return second

    with FastInputGradients():
        fast = twice()
    torch.testing.assert_close(fast, twice())


def test_under_autocast_the_gradient_is_of_the_images_type() -> None:
    layer = nn.Conv2d(1, 8, 4, stride=2, padding=1).requires_grad_(False)
    leaf = torch.rand(2, 1, 8, 8, requires_grad=True)
    found = []
    for block in (FastInputGradients(), nullcontext()):
        with block, torch.autocast("cpu", dtype=torch.bfloat16):
            output = layer(leaf)
        assert output.dtype == torch.bfloat16
        found.append(torch.autograd.grad(output.float().square().sum(), leaf)[0])
    assert found[0].dtype == torch.float32
    torch.testing.assert_close(*found, rtol=0.05, atol=0.05)


def test_a_bias_that_learns_gets_its_gradient() -> None:
    layer = nn.Conv2d(1, 2, 4, stride=2)
    layer.weight.requires_grad_(False)
    with FastInputGradients():
        layer(torch.rand(3, 1, 8, 8, requires_grad=True)).sum().backward()
    assert layer.bias is not None
    assert layer.bias.grad is not None
    assert layer.bias.grad.tolist() == [27.0, 27.0]
