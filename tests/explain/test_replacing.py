"""Derivatives are replaced for calls of any form, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.explain.replacing import Call, Intercepted, name_of, operations_behind, replaced


def tenfold(call: Call) -> object:
    return replaced(call, lambda gradient: 10 * gradient) if call.differentiable else call.run()


@pytest.mark.parametrize(
    "function",
    [
        torch.tanh,
        torch.tanh_,
        Tensor.tanh,
        Tensor.tanh_,
        F.tanh,
        nn.Tanh(),
        lambda values: torch.tanh(input=values),
    ],
)
def test_a_call_of_any_form_has_the_derivative_and_the_value(function) -> None:
    leaf = torch.tensor([-1.0, 2.0], requires_grad=True)
    values = leaf.clone()
    with Intercepted({"tanh"}, tenfold):
        output = function(values)
    assert output.equal(leaf.detach().tanh())
    assert values.detach().equal(output.detach()) == (output is values)
    output.sum().backward()
    assert leaf.grad.tolist() == [10.0, 10.0]


def test_what_was_written_in_place_through_a_view_is_seen_by_the_whole() -> None:
    leaf = torch.tensor([[-1.0, 2.0], [-3.0, 4.0]], requires_grad=True)
    values = leaf.clone()
    with Intercepted({"relu"}, tenfold):
        values[0].relu_()
    assert values.tolist() == [[0.0, 2.0], [-3.0, 4.0]]
    values.sum().backward()
    assert leaf.grad.tolist() == [[10.0, 10.0], [1.0, 1.0]]


def test_of_several_outputs_the_first_has_the_derivative() -> None:
    leaf = torch.rand(1, 1, 4, requires_grad=True)
    with Intercepted(
        {"max", "max_pool1d_with_indices"},
        lambda call: replaced(call, lambda gradient: gradient.expand(1, 1, 4)),
    ):
        values, places = F.max_pool1d(leaf, 4, return_indices=True)
        largest = leaf.max(dim=2, keepdim=True)
    assert values.equal(leaf.detach().amax(dim=2, keepdim=True))
    assert places.equal(leaf.argmax(dim=2, keepdim=True))
    assert largest.indices.equal(places)
    largest.values.sum().backward()
    assert leaf.grad.tolist() == [[[1.0] * 4]]


def test_what_comes_after_may_write_over_the_output() -> None:
    leaf = torch.tensor([2.0], requires_grad=True)
    with Intercepted({"tanh"}, tenfold):
        output = torch.tanh(leaf)
        output += 1
        output.mul_(3)
    output.sum().backward()
    assert leaf.grad.item() == 30.0


def test_calls_that_need_no_derivative_or_are_of_other_values_are_left() -> None:
    seen: list[bool] = []

    def look(call: Call) -> object:
        seen.append(call.differentiable)
        return call.run()

    leaf = torch.tensor([1.0], requires_grad=True)
    with Intercepted({"tanh", "clamp", "abs"}, look):
        torch.tanh(torch.tensor([1.0]))
        with torch.no_grad():
            torch.tanh(leaf)
        torch.clamp(leaf, min=leaf - 1)
        torch.tanh(leaf)
        torch.abs(torch.tensor([1]))
        torch.sin(leaf)
    assert seen == [False, False, False, True]


def test_a_call_is_made_again_with_other_values_and_in_their_precision() -> None:
    weight = torch.tensor([0.25])
    call = Call("prelu", F.prelu, torch.zeros(1, 1), (weight,), {})
    wide = torch.tensor([[-2.0]], dtype=torch.float64)
    assert call.at(wide).equal(wide / 4)
    assert call.slopes(wide).equal(torch.full((1, 1), 0.25, dtype=torch.float64))
    in_place = Call("relu", F.relu, torch.zeros(1), (), {"inplace": True})
    assert in_place.at(wide).item() == 0
    assert wide.item() == -2


def test_a_mode_is_gone_after_a_crash() -> None:
    with pytest.raises(KeyError), Intercepted({"tanh"}, tenfold):
        raise KeyError
    leaf = torch.tensor([0.0], requires_grad=True)
    torch.tanh(leaf).backward()
    assert leaf.grad.item() == 1


def test_operations_behind_a_tensor_are_named_as_torch_names_them() -> None:
    leaf = torch.rand(1, 2, 5, 5, requires_grad=True)
    convolution = nn.Conv2d(2, 3, 3).requires_grad_(False)
    output = F.softmax(torch.relu(convolution(leaf)).flatten(1), dim=1)
    names = {name_of(node) for node in operations_behind(output)}
    assert {"Softmax", "Relu", "Convolution", "AccumulateGrad"} <= names
    assert operations_behind(output.detach()) == set()
