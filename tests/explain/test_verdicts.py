"""Verdicts follow the bounds, and the advice follows what the network has."""

from __future__ import annotations

import math

import pytest

from striate.explain import LayerFlow
from striate.explain.verdicts import LIMIT, judge


def layer(name: str = "conv", **figures) -> LayerFlow:
    chosen = {
        "name": name,
        "kind": "Conv2d",
        "output": (4, 8, 8),
        "weights": 36,
        "weight_gradient": 1.0,
        "weight_gradient_rms": 0.1,
        "relative": 0.5,
        "output_gradient": 1.0,
        "output_gradient_rms": 0.1,
        "before": None,
        "factor": None,
        "units": None,
        "dead": None,
        "saturated": None,
        "finite": True,
    }
    return LayerFlow(**{**chosen, **figures})


def activation(kind: str, **figures) -> LayerFlow:
    return layer(kind, kind=kind, weights=0, units=4, **{"dead": 0, **figures})


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        (1.01 / LIMIT, "healthy"),
        (0.99 / LIMIT, "vanishing"),
        (0.99 * LIMIT, "healthy"),
        (1.01 * LIMIT, "exploding"),
        (0.0, "vanishing"),
    ],
)
def test_the_bounds_are_a_thousandth_and_a_thousand(first, verdict) -> None:
    judgement = judge([layer("a", output_gradient=first), layer("b")], 1.0)
    assert judgement.verdict == verdict
    assert judgement.reach == first
    assert "a, the first layer" in judgement.finding


def test_activations_before_the_first_layer_with_weights_do_not_count() -> None:
    layers = [activation("relu", output_gradient=1e-9), layer("a"), layer("b"), activation("relu")]
    assert judge(layers, 1.0).verdict == "healthy"


@pytest.mark.parametrize(
    ("between", "advice"),
    [
        ([activation("sigmoid", saturated=0.1)], "replace sigmoid, whose slope is at most 0.25"),
        ([activation("tanh", saturated=0.1)], "replace tanh, whose slope is at most 1"),
        ([activation("relu", dead=4)], "bring relu back to life, of which all 4 units are dead"),
        ([activation("relu", dead=3)], "draw larger first weights"),
        ([layer("norm", kind="BatchNorm2d")], "add skip connections"),
        ([layer("norm", kind="LayerNorm")], "add skip connections"),
    ],
)
def test_advice_against_vanishing(between, advice) -> None:
    layers = [layer("a", output_gradient=1e-6), *between, layer("b")]
    assert judge(layers, 1.0).advice.startswith(advice)


@pytest.mark.parametrize(
    ("between", "advice"),
    [([], "draw smaller first weights"), ([layer("norm", kind="BatchNorm1d")], "add skip connections")],
)
def test_advice_against_exploding(between, advice) -> None:
    layers = [layer("a", output_gradient=1e6), *between, layer("b")]
    assert judge(layers, 1.0).advice.startswith(advice)


@pytest.mark.parametrize(
    ("layers", "loss", "finding"),
    [
        ([layer("a"), layer("b", finite=False), layer("c", finite=False)], 1.0, "the output of b"),
        ([layer("a"), layer("b")], math.inf, "the loss is inf"),
        (
            [layer("a", output_gradient=math.nan), layer("b", weight_gradient=math.inf), layer("c")],
            1.0,
            "at b",
        ),
    ],
)
def test_what_is_not_finite_is_named(layers, loss, finding) -> None:
    judgement = judge(layers, loss)
    assert judgement.verdict == "not finite"
    assert finding in judgement.finding
