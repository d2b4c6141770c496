"""A residual wrapper adds its input, in value and in gradient."""

from __future__ import annotations

import torch
from torch import nn

from striate.nn import Residual


def test_value_and_gradient_are_those_of_the_sum() -> None:
    body = nn.Linear(3, 3)
    images = torch.randn(2, 3, requires_grad=True)
    output = Residual(body)(images)
    assert output.equal(images + body(images))
    (gradient,) = torch.autograd.grad(output.sum(), images)
    assert torch.allclose(gradient, torch.ones(2, 3) + body.weight.sum(dim=0))
