"""The layers of a trace as few enough rows to be read: together by module, and repeated ones once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from striate.core.errors import LayerError
from striate.geometry.traced import Fields, Trace, TracedLayer

MOST_ROWS = 32
"""How many rows are read well; the depth is chosen so that there are no more."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Layers that are shown together: one layer, a module with all of its layers, or a run of equal modules.

    Args:
        name: path of the module, or of the first and the last of a run, such as ``layer3.1 to layer3.35``.
        kind: name of its class, or of the function.
        times: how many equal modules follow each other.
        layers: numbers of the layers in the trace.
        output: shape of what comes out of the last one, without the batch.
        parameters: of all layers.
        multiply_adds: of all layers, for one image.
        activation_bytes: of all layers, for one image.
        fields: of the last layer, one an axis; ``None`` where it sees no input.
        joins: whether a sum or concatenation within brings several paths together.
        is_module: whether it is a module with its layers, rather than a layer and what directly follows it.
    """

    name: str
    kind: str
    times: int
    layers: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    fields: Fields | None
    joins: bool
    is_module: bool

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            The figures by name.
        """
        return {
            "name": self.name,
            "kind": self.kind,
            "times": self.times,
            "layers": list(self.layers),
            "output": list(self.output),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "activation_bytes": self.activation_bytes,
        }


def grouped(trace: Trace, *, depth: int | None = None) -> tuple[Group, ...]:
    """Bring the layers of a network to rows.

    Layers within the same module ``depth`` levels below the network are one row, and equal modules that
    follow each other are one row too. Where the depth is not given and that makes rows few enough, a layer is
    in one row with the norms and activations behind it.

    Args:
        trace: of the network.
        depth: how many levels of modules are shown, at least 1; 0 shows every layer; ``None`` chooses the
            most levels that give no more rows than are read well.

    Returns:
        The rows in the order of the layers, every layer in one of them.

    Raises:
        LayerError: for a negative depth.
    """
    if depth is not None and depth < 0:
        raise LayerError(
            f"depth {depth} cannot be: 0 shows every layer, 1 the parts of the network, and so on"
        )
    if depth is not None:
        return _rows(trace, depth) if depth else _every_layer(trace)
    deepest = max((len(_parts(layer)) for layer in trace.layers), default=0)
    for levels in range(deepest + 1, 1, -1):
        rows = _rows(trace, levels)
        for found in (rows, _condensed(trace, rows)):
            if len(found) <= MOST_ROWS:
                return found
    return _rows(trace, 1)


def _every_layer(trace: Trace) -> tuple[Group, ...]:
    return tuple(_group(trace, [number], layer.name, layer.kind) for number, layer in enumerate(trace.layers))


def _rows(trace: Trace, depth: int) -> tuple[Group, ...]:
    rows: list[Group] = []
    numbers: list[int] = []
    for number, layer in enumerate(trace.layers):
        if numbers and _module(layer, depth) != _module(trace.layers[numbers[0]], depth):
            rows.append(_together(trace, numbers, depth))
            numbers = []
        numbers.append(number)
        if _module(layer, depth) is None:
            rows.append(_together(trace, numbers, depth))
            numbers = []
    if numbers:
        rows.append(_together(trace, numbers, depth))
    return tuple(_folded(rows))


def _condensed(trace: Trace, rows: Sequence[Group]) -> tuple[Group, ...]:
    """Put norms, activations and the like into the row of the layer whose output they change."""
    found: list[Group] = []
    for row in rows:
        layer = trace.layers[row.layers[0]]
        before = found[-1] if found else None
        if (
            before is not None
            and not (before.is_module or row.is_module or row.multiply_adds)
            and row.output == before.output
            and layer.reads == before.layers[-1:]
        ):
            numbers = [*before.layers, *row.layers]
            found[-1] = _group(trace, numbers, before.name, f"{before.kind}, {row.kind}")
        else:
            found.append(row)
    return tuple(found)


def _module(layer: TracedLayer, depth: int) -> str | None:
    """Give the module that a layer is shown under; nothing where it is shown by itself."""
    parts = _parts(layer)
    inside = len(parts) > depth or (layer.functional and len(parts) == depth)
    return ".".join(parts[:depth]) if inside else None


def _parts(layer: TracedLayer) -> list[str]:
    return layer.name.split(".") if layer.name else []


def _together(trace: Trace, numbers: Sequence[int], depth: int) -> Group:
    layer = trace.layers[numbers[0]]
    module = _module(layer, depth)
    if module is None or len(numbers) == 1:
        return _group(trace, numbers, layer.name, layer.kind)
    return replace(_group(trace, numbers, module, trace.kinds.get(module, "")), is_module=True)


def _group(trace: Trace, numbers: Sequence[int], name: str, kind: str) -> Group:
    layers = [trace.layers[number] for number in numbers]
    return Group(
        name=name,
        kind=kind,
        times=1,
        layers=tuple(numbers),
        output=layers[-1].output,
        parameters=sum(layer.parameters for layer in layers),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        fields=layers[-1].fields,
        joins=any(len(layer.reads) > 1 for layer in layers),
        is_module=False,
    )


def _folded(rows: Sequence[Group]) -> list[Group]:
    """Make one row of equal modules that follow each other."""
    found: list[list[Group]] = []
    for row in rows:
        if found and _alike(found[-1][0], row):
            found[-1].append(row)
        else:
            found.append([row])
    return [run[0] if len(run) == 1 else _run_of(run) for run in found]


def _alike(one: Group, other: Group) -> bool:
    def figures(group: Group) -> tuple[Any, ...]:
        parent = group.name.rpartition(".")[0]
        figures = (group.output, group.parameters, group.multiply_adds, group.activation_bytes)
        return (parent, group.kind, len(group.layers), *figures)

    return one.is_module and figures(one) == figures(other)


def _run_of(run: Sequence[Group]) -> Group:
    return replace(
        run[-1],
        name=f"{run[0].name} to {run[-1].name}",
        times=len(run),
        layers=tuple(number for group in run for number in group.layers),
        parameters=sum(group.parameters for group in run),
        multiply_adds=sum(group.multiply_adds for group in run),
        activation_bytes=sum(group.activation_bytes for group in run),
    )
