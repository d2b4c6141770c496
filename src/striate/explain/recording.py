"""Record the layers that a forward pass goes through: weights, output, gradient, slopes of activations.

Layers with weights are found as modules, and activations as the calls of functions that they are, so that
``nn.ReLU`` and ``F.relu`` are seen alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from striate.explain.activations import ACTIVATIONS, dead_units, saturated_share, slopes_at


@dataclass(eq=False)
class Record:
    """One layer of a forward pass; its gradient is known once a backward pass has come by.

    Args:
        name: the module's path, or that of the module in which the function was called.
        kind: the module's class, or the function's name.
        shape: of the output, without the batch.
        elements: of the output, batch included.
        finite: whether all of these are finite numbers.
        owner: the module that was running.
        weights: its parameters other than biases.
        units: channels of an activation.
        dead: how many of them had a slope of exactly 0 everywhere.
        saturated: share of elements with a small slope; ``None`` for activations that do not saturate.
        edge: where in the graph of derivatives the output is; ``None`` where it has no derivative.
        gradient: Euclidean norm of the gradient at the output.
        before: the layer recorded last among those that the output is computed from without another between.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    elements: int
    finite: bool
    owner: nn.Module
    weights: tuple[Tensor, ...] = ()
    units: int | None = None
    dead: int | None = None
    saturated: float | None = None
    edge: GradientEdge | None = None
    gradient: float | None = None
    before: Record | None = None

    def take(self, gradient: Tensor) -> None:
        """Measure the gradient at the output when the backward pass brings it.

        Args:
            gradient: of the output's shape.
        """
        self.gradient = norm(gradient)


@contextmanager
def recorded(network: nn.Module) -> Iterator[list[Record]]:
    """Record every layer that the network goes through inside the block, in the order in which they end.

    Args:
        network: any module.

    Yields:
        The list that grows. At the end of the block every hook is gone, also after a crash.

    >>> with recorded(nn.Sequential(nn.Linear(2, 3), nn.ReLU())) as records:
    ...     pass
    >>> records
    []
    """
    recorder = _Recorder()
    handles: list[RemovableHandle] = []
    try:
        for path, module in network.named_modules():
            if ".parametrizations." in f".{path}.":
                continue  # what computes a weight is a part of the layer that has the weight
            weights = weights_of(module)
            handles.append(module.register_forward_pre_hook(partial(recorder.enter, path)))
            leave = partial(recorder.leave, path, weights)
            handles.append(module.register_forward_hook(leave, always_call=True))
        with recorder:
            yield recorder.records
    finally:
        for handle in handles:
            handle.remove()
    link(recorder.records)


def weights_of(module: nn.Module) -> tuple[Tensor, ...]:
    """Give the weights that a module itself holds: its parameters other than biases.

    Args:
        module: its children's parameters are not its own, except where they parametrize its weights.

    Returns:
        The parameters; none for a module that only holds others.
    """
    own = list(module.named_parameters(recurse=False))
    parametrizations = getattr(module, "parametrizations", None)
    if isinstance(parametrizations, nn.Module):
        own.extend(parametrizations.named_parameters())
    return tuple(parameter for name, parameter in own if "bias" not in name)


def norm(values: Tensor) -> float:
    """Compute a Euclidean norm that neither overflows nor underflows on its way.

    Args:
        values: of any shape and floating type.

    Returns:
        The norm; inf or NaN where there is such a value.

    >>> norm(torch.tensor([3e-30, 4e-30])) > 0
    True
    """
    if values.numel() == 0:
        return 0.0
    wide = values.detach()
    wide = wide.float() if wide.element_size() < 4 else wide
    largest = wide.abs().max()
    scale = largest.item()
    if scale == 0 or not math.isfinite(scale):
        return scale
    return float(scale * torch.linalg.vector_norm(wide / largest).item())


def link(records: Sequence[Record]) -> None:
    """Find for each record which one its output is computed from, along the graph of derivatives.

    Args:
        records: of one forward pass, in order; `Record.before` is set.
    """
    places = {record.edge[:2]: place for place, record in enumerate(records) if record.edge is not None}
    for record in records:
        if record.edge is None:
            continue
        waiting = list(record.edge.node.next_functions)
        seen, found = set(waiting), []
        while waiting:
            edge = waiting.pop()
            if edge in places:
                found.append(places[edge])
            elif edge[0] is not None:
                further = [each for each in edge[0].next_functions if each not in seen]
                seen.update(further)
                waiting.extend(further)
        if found:
            record.before = records[max(found)]


class _Recorder(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self._running: list[tuple[str, nn.Module]] = []
        self._calls: Counter[str] = Counter()

    def enter(self, path: str, module: nn.Module, inputs: object) -> None:
        del inputs
        self._running.append((path, module))

    def leave(
        self, path: str, weights: tuple[Tensor, ...], module: nn.Module, inputs: object, output: Any
    ) -> None:
        del inputs
        self._running.pop()
        tensor = _first_tensor(output)
        if not weights or tensor is None:
            return
        kind, last = type(module).__name__, self.records[-1] if self.records else None
        if last is not None and last.owner is module and _same(last.edge, _edge(tensor)):
            # The module ended with an activation of its own, as nn.PReLU does: that is one layer.
            last.name, last.kind, last.weights = self._named(path or kind), kind, weights
            return
        self._add(path or kind, kind, tensor, module).weights = weights

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        del types
        named = dict(kwargs or {})
        kind = getattr(func, "__name__", "").strip("_")
        if kind not in ACTIVATIONS or not self._running:
            return func(*args, **named)
        values, more = (args[0], args[1:]) if args else (named.pop("input"), ())
        if not (isinstance(values, Tensor) and values.is_floating_point()):
            return func(values, *more, **named)
        slopes = slopes_at(values, func, more, named)
        before = next((record.owner for record in self.records[::-1] if record.weights), None)
        output = func(values, *more, **named)
        path, module = self._running[-1]
        bare = not weights_of(module) and next(module.children(), None) is None
        record = self._add(path if bare and path else f"{path}.{kind}".lstrip("."), kind, output, module)
        record.units, record.dead = dead_units(slopes, before=before)
        record.saturated = saturated_share(slopes, kind)
        return output

    def _add(self, name: str, kind: str, output: Tensor, owner: nn.Module) -> Record:
        record = Record(
            name=self._named(name),
            kind=kind,
            shape=tuple(output.shape[1:]),
            elements=output.numel(),
            finite=bool(torch.isfinite(output.detach()).all()),
            owner=owner,
            edge=_edge(output),
        )
        if record.edge is not None:
            # A hook, since a later step may write over the output; it is given the gradient at what is
            # there now.
            output.register_hook(record.take)  # type: ignore[no-untyped-call]
        self.records.append(record)
        return record

    def _named(self, name: str) -> str:
        self._calls[name] += 1
        return name if self._calls[name] == 1 else f"{name} ({self._calls[name]})"


def _edge(tensor: Tensor) -> GradientEdge | None:
    return get_gradient_edge(tensor) if tensor.requires_grad else None


def _same(one: GradientEdge | None, other: GradientEdge | None) -> bool:
    # The third part of an edge is only there to keep the graph alive.
    return one is not None and other is not None and one[:2] == other[:2]


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    inside = output.values() if isinstance(output, Mapping) else output
    if isinstance(output, list | tuple | Mapping):
        return next((found for each in inside if (found := _first_tensor(each)) is not None), None)
    return None
