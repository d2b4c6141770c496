"""Judge the gradients of a network: vanishing, exploding, healthy or not finite, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from striate.explain.activations import STEEPEST
from striate.explain.flow import LayerFlow, Verdict

LIMIT = 1000.0
"""By how much the gradients at the two ends of a network may differ; `judge` says why."""


@dataclass(frozen=True)
class Judgement:
    """What is to be thought of the gradients of a network.

    Args:
        verdict: in a word.
        reach: norm of the gradient at the first layer's output over that at the last.
        finding: what was found, in one sentence.
        advice: what to do, in one sentence.
    """

    verdict: Verdict
    reach: float
    finding: str
    advice: str


def judge(layers: Sequence[LayerFlow], loss: float) -> Judgement:
    """Judge the gradients of a network by how much of them reaches its beginning.

    The measure is ``reach = |g_first| / |g_last|``, the norms of the gradient at the outputs of the first
    and the last layer with weights. Norms and not root mean squares: a layer that neither stretches nor
    shrinks directions keeps the norm, while pooling k x k divides the root mean square by k for no other
    reason than that there are k^2 times as many elements. Outputs and not weights: with rectifiers and
    weights of scale c, the gradients at the outputs grow as ``c^(layers after)``, but the gradients of all
    weights are alike, since their inputs shrink as those grow.

    ``vanishing`` is a reach under 1/1000, ``exploding`` one over 1000, ``healthy`` what lies between. One
    learning rate serves all layers of a network, and those that serve it at all span about three powers of
    ten; where the two ends differ by more, each rate leaves one of them standing or throws the other about.
    The bounds are wide on purpose: global average pooling over 8 x 8 alone divides the norm by 8, and 20
    healthy layers may each lose or win a tenth. ``not finite`` is said where a number is inf or NaN.

    Args:
        layers: all layers, in order; at least one has weights and a gradient at its output.
        loss: the loss that was differentiated.

    Returns:
        The judgement.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks
    (2010), section 4.2, for norms of gradients by layer; the bounds are ours.
    """
    weighted = [layer for layer in layers if layer.weights and layer.output_gradient is not None]
    first, last = weighted[0], weighted[-1]
    at_first, at_last = first.output_gradient or 0.0, last.output_gradient or 0.0
    reach = at_first / at_last if at_last else math.nan
    broken = _not_finite(layers, loss)
    if broken is not None:
        return Judgement("not finite", reach, *broken)
    if not at_last:
        return Judgement(
            "vanishing",
            reach,
            f"vanishing: no gradient arrives even at {last.name}, the last layer, with a loss of {loss:.3g}",
            "measure on images that the network gets wrong: where each is fitted completely, or each unit of "
            "the last activation dead, there is nothing left to learn from",
        )
    what = (
        f"the gradient at {first.name}, the first layer, is {reach:.3g} times that at {last.name}, the last"
    )
    if reach < 1 / LIMIT:
        return Judgement("vanishing", reach, f"vanishing: {what}", _against_vanishing(layers))
    if reach > LIMIT:
        return Judgement("exploding", reach, f"exploding: {what}", _against_exploding(layers))
    advice = "nothing, since one learning rate can serve all layers"
    return Judgement("healthy", reach, f"healthy: {what}", advice)


def _not_finite(layers: Sequence[LayerFlow], loss: float) -> tuple[str, str] | None:
    for layer in layers:
        if not layer.finite:
            return (
                f"not finite: the output of {layer.name} holds inf or NaN",
                "make the weights before it smaller, and look there for a logarithm, a root or a division",
            )
    if not math.isfinite(loss):
        return (
            f"not finite: the loss is {loss}, though every layer's output is finite",
            "look in the loss for a logarithm, a root or a division, and compute it from logits",
        )
    for layer in reversed(layers):
        if not all(map(math.isfinite, (layer.output_gradient or 0.0, layer.weight_gradient or 0.0))):
            return (
                f"not finite: going backwards, the gradient first holds inf or NaN at {layer.name}",
                "make the weights after it smaller, and look there for a root or a norm of zeros, whose "
                "derivative is infinite",
            )
    return None


def _against_vanishing(layers: Sequence[LayerFlow]) -> str:
    for layer in layers:
        if layer.units and layer.dead == layer.units:
            return (
                f"bring {layer.name} back to life, of which all {layer.units} units are dead: start again "
                "with a lower learning rate, or put batch normalisation before it"
            )
    saturating = next((layer.kind for layer in layers if layer.kind in STEEPEST), None)
    if saturating is not None:
        steepest = STEEPEST[saturating]
        return (
            f"replace {saturating}, whose slope is at most {steepest:.3g}, by ReLU with weights drawn for it "
            "(He: variance 2/inputs), or put batch normalisation before it, or add skip connections"
        )
    if _normalises(layers):
        return "add skip connections around every two or three layers"
    return "draw larger first weights (He: variance 2/inputs), or add batch normalisation or skip connections"


def _against_exploding(layers: Sequence[LayerFlow]) -> str:
    if _normalises(layers):
        return (
            "add skip connections, since batch normalisation alone lets gradients grow with depth, or warm "
            "the learning rate up"
        )
    return (
        "draw smaller first weights (He: variance 2/inputs) or add batch normalisation; clipping the norm of "
        "the gradient helps until then"
    )


def _normalises(layers: Sequence[LayerFlow]) -> bool:
    return any("norm" in layer.kind.lower() for layer in layers)
