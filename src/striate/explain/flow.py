"""What gradients do in a network, layer by layer, as frozen values: figures, rows of a table, JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

Verdict: TypeAlias = Literal["exploding", "healthy", "not finite", "vanishing"]


@dataclass(frozen=True, kw_only=True)
class LayerFlow:
    """What arrives at one layer, going forwards and backwards.

    Args:
        name: the module's path in the network; for a function called by name, that of the module that
            calls it and the function's name; a second call of the same has ``(2)`` behind it.
        kind: the module's class, or the function's name.
        output: shape of the output, without the batch.
        weights: how many weights it has, biases not counted; 0 for activations.
        weight_gradient: Euclidean norm of the gradient of the weights; ``None`` where there are none that
            are trained.
        weight_gradient_rms: the same an element: divided by the root of their number.
        relative: norm of the gradient of the weights over norm of the weights: at the learning rate r, the
            first step of plain gradient descent changes them by r times this share; ``None`` where there
            are none that are trained, or all are 0.
        output_gradient: Euclidean norm of the gradient at the output, over the whole batch; ``None`` where
            none arrives.
        output_gradient_rms: the same an element of the output.
        before: name of the layer from which the output is computed without another between them; where
            there are several, the one that ran last; ``None`` for the first.
        factor: by how much the norm of the gradient is multiplied on its way from this layer's output to
            that of the layer before; ``None`` where there is none before, or no gradient.
        units: channels of an activation: along the second axis of the output, or along the last one behind a
            layer that has them there (linear, recurrent, attention); ``None`` for layers with weights.
        dead: how many of them have a slope of exactly 0 for every image, at every place, so that these
            images cannot change what lies before them.
        saturated: share of the output's elements that are saturated: their slope is under 1 - 0.95^2 of the
            steepest one, which for sigmoid and tanh is an output beyond 0.95 of the way from the middle to
            either bound; ``None`` for functions without two bounds.
        finite: whether every element of the output is a finite number.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    weights: int
    weight_gradient: float | None
    weight_gradient_rms: float | None
    relative: float | None
    output_gradient: float | None
    output_gradient_rms: float | None
    before: str | None
    factor: float | None
    units: int | None
    dead: int | None
    saturated: float | None
    finite: bool


@dataclass(frozen=True, kw_only=True)
class GradientFlow:
    """What gradients do on their way through a network, on given images.

    Args:
        layers: in the order in which the forward pass ends them.
        images: how many images it was measured on.
        loss: on these images.
        verdict: ``vanishing``, ``exploding``, ``healthy``, or ``not finite``.
        reach: norm of the gradient at the output of the first layer with weights over that at the last.
        finding: what was found, in one sentence.
        advice: what to do about it, in one sentence.
    """

    layers: tuple[LayerFlow, ...]
    images: int
    loss: float
    verdict: Verdict
    reach: float
    finding: str
    advice: str

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "layer",
        "kind",
        "output",
        "weight gradient",
        "relative",
        "output gradient",
        "an element",
        "factor",
        "dead",
        "saturated",
    )
    """The titles of what `rows` gives."""

    def rows(self) -> list[tuple[str, ...]]:
        """Give a row of texts for each layer, under the titles in `COLUMNS`.

        Returns:
            The rows; what a layer does not have is empty.
        """
        return [
            (
                layer.name,
                layer.kind,
                "x".join(map(str, layer.output)),
                _figure(layer.weight_gradient),
                _figure(layer.relative),
                _figure(layer.output_gradient),
                _figure(layer.output_gradient_rms),
                _figure(layer.factor),
                "" if layer.units is None else f"{layer.dead} of {layer.units}",
                "" if layer.saturated is None else f"{layer.saturated:.1%}".replace("%", " %"),
            )
            for layer in self.layers
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values; a figure that is no finite number is ``None``.
        """
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
