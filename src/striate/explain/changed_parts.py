"""Feature maps that differ from known ones inside a rectangle: what lies outside is not computed again.

A window that covers a part of an image changes, in the first layers, only what lies near it. Functions that
look at places one by one, or at neighbourhoods, are computed where the change reaches; all others on whole
maps, so that any network may be given such maps.

Source: Nakandala, Kumar and Papakonstantinou, Incremental and Approximate Inference for Faster
Occlusion-based Deep CNN Explanations (2019), section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from striate.engine.following import ABOUT_TENSORS, function_name
from striate.explain.window_reach import WINDOWS, Box, Span, Window

PLACE_BY_PLACE = frozenset(
    {
        *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "prelu"),
        *("hardsigmoid", "hardtanh", "sigmoid", "tanh", "softplus", "softsign", "logsigmoid", "clamp"),
        *("abs", "exp", "neg", "sqrt", "square", "dropout", "dropout2d", "feature_dropout", "batch_norm"),
        *("to", "float", "bfloat16", "half", "double", "detach", "clone", "contiguous"),
    }
)
"""Functions of one tensor of maps that look at each place alone, where the norm does not learn."""

ARITHMETIC: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "truediv": torch.div,
}
"""Functions of two tensors that do so."""


class DivergedError(Exception):
    """A network called other functions for a changed image than for the one before."""


class Ledger:
    """What a network's functions gave for unchanged images, by the order of the calls."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, Tensor]] = {}
        self._calls = 0

    @property
    def bytes(self) -> int:
        """How much memory it holds."""
        return sum(tensor.numel() * tensor.element_size() for _, tensor in self._known.values())

    def begin(self) -> None:
        """Begin a pass through the network."""
        self._calls = 0

    def count(self) -> int:
        """Count a call, and give its number."""
        self._calls += 1
        return self._calls - 1

    def known(self, number: int, kind: str, compute: Callable[[], Tensor]) -> Tensor:
        """Give what a call gave for unchanged images.

        Args:
            number: of the call.
            kind: the name of the function.
            compute: computes it, where it is not known yet.

        Returns:
            The tensor, which nobody writes.

        Raises:
            DivergedError: where the call with this number was one of another function.
        """
        if number not in self._known:
            self._known[number] = kind, compute()
        before, tensor = self._known[number]
        if before != kind:
            raise DivergedError(f"call {number} was {before} and is {kind}")
        return tensor


@dataclass
class _State:
    """What a changed tensor holds.

    Args:
        inside: the values in the box; all values where nothing is known.
        known: of unchanged images; ``None``: all places changed.
        box: where the values lie.
        ledger: with what is known.
    """

    inside: Tensor
    known: Tensor | None
    box: Box
    ledger: Ledger


class Changed(Tensor):
    """A tensor that differs from a known one inside a box, N x C x h x w, or everywhere.

    >>> known = torch.zeros(1, 1, 4, 4)
    >>> changed = Changed.of(known, torch.ones(1, 1, 2, 2), ((1, 3), (1, 3)), Ledger())
    >>> F.max_pool2d(changed, 2).values_everywhere().tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """

    _state: _State

    @staticmethod
    def of(known: Tensor | None, inside: Tensor, box: Box, ledger: Ledger) -> Changed:
        """Make a changed tensor.

        Args:
            known: N x C x H x W, of unchanged images; ``None``: all changed.
            inside: N x C x h x w, or of any shape where all changed.
            box: the rows and columns that it lies at.
            ledger: what is known of the network's functions.

        Returns:
            The tensor.
        """
        if known is not None and known.shape == inside.shape:
            known = None
        shape = inside.shape if known is None else known.shape
        made: Changed = torch.Tensor._make_wrapper_subclass(
            Changed, shape, dtype=inside.dtype, device=inside.device
        )
        made._state = _State(inside, known, box, ledger)
        return made

    def values_everywhere(self) -> Tensor:
        """Give a plain tensor, of all places; where all places changed it is the one that is held."""
        state = self._state
        if state.known is None:
            return state.inside
        whole = state.known.clone()
        _at(whole, state.box).copy_(state.inside)
        return whole

    def values_at(self, box: Box, fill: float = 0.0) -> Tensor:
        """Give a plain tensor of the places of a box, which may reach beyond the borders.

        Args:
            box: rows and columns; those of the change may lie outside.
            fill: the value beyond the borders.

        Returns:
            N x C x h x w, not to be written where it is what is held.
        """
        state = self._state
        assert state.known is not None
        if box == state.box:
            return state.inside
        sides = state.known.shape[2:]
        within = tuple((max(0, a), min(side, b)) for (a, b), side in zip(box, sides, strict=True))
        part = _at(state.known, within)
        beyond = [(w[0] - b[0], b[1] - w[1]) for b, w in zip(box, within, strict=True)]
        found = F.pad(part, (*beyond[1], *beyond[0]), value=fill) if any(map(any, beyond)) else part.clone()
        # Paste what changed, as far as it lies in this box.
        spans = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(state.box, box, strict=True)]
        target = tuple((a - c, b - c) for (a, b), (c, _) in zip(spans, box, strict=True))
        source = tuple((a - c, b - c) for (a, b), (c, _) in zip(spans, state.box, strict=True))
        if all(a < b for a, b in spans):
            _at(found, target).copy_(_at(state.inside, source))
        return found

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute a function where the change reaches, if it is known how, and else everywhere."""
        kind, named = function_name(func), dict(kwargs or {})
        if kind in ABOUT_TENSORS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **named)
        changed = [each for each in tree_leaves((args, named)) if isinstance(each, Changed)]
        ledger = changed[0]._state.ledger
        call = _Call(func, kind, args, named, number=ledger.count(), ledger=ledger)
        partly = all(each._state.known is not None for each in changed)
        found = call.where_changed() if partly else None
        return call.everywhere() if found is None else found

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Refuse what was not called as a function of torch, such as what compiled programs call.

        Raises:
            DivergedError: always.
        """
        raise DivergedError(f"{func} was called on a tensor of which only a part is there")


@dataclass(frozen=True)
class _Call:
    """One call of a function of torch that is given changed tensors."""

    function: Callable[..., Any]
    kind: str
    args: tuple[Any, ...]
    named: dict[str, Any]
    number: int
    ledger: Ledger

    def everywhere(self) -> Any:
        """Call the function with plain tensors; what it gives is taken to have changed everywhere."""
        plain: dict[int, Tensor] = {}

        def plainly(value: Any) -> Any:
            if not isinstance(value, Changed):
                return value
            return plain.setdefault(id(value), value.values_everywhere())

        args, named = tree_map(plainly, (self.args, self.named))
        versions = {key: tensor._version for key, tensor in plain.items()}
        result = self.function(*args, **named)
        written: dict[int, Changed] = {}
        for value in tree_leaves((self.args, self.named)):
            tensor = plain.get(id(value))
            if tensor is not None and tensor._version != versions[id(value)]:
                value._state = _State(tensor, None, ((0, 0), (0, 0)), self.ledger)
                written[id(tensor)] = value
        return tree_map(lambda value: self._as_changed(value, written), result)

    def _as_changed(self, value: Any, written: Mapping[int, Changed]) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, Changed):
            return value
        if id(value) in written:
            return written[id(value)]
        return Changed.of(None, value, ((0, 0), (0, 0)), self.ledger)

    def where_changed(self) -> Changed | None:
        """Call the function on the part that it changes; ``None``: it is not known how."""
        base = self.kind.strip("_")
        arithmetic = ARITHMETIC.get(base[1:] if self.kind.startswith(("__r", "__i")) else base)
        if arithmetic is not None:
            return self._of_two(arithmetic)
        values = self.args[0] if self.args else self.named.get("input")
        if not isinstance(values, Changed) or values.ndim != 4:
            return None
        given = self.args[1:], {name: each for name, each in self.named.items() if name != "input"}
        if any(isinstance(each, Changed) for each in tree_leaves(given)):
            return None
        if base in PLACE_BY_PLACE:
            return self._place_by_place(base, values, *given)
        window = WINDOWS[base](*given[0], **given[1]) if base in WINDOWS else None
        return self._by_windows(base, values, window) if window is not None else None

    def _place_by_place(
        self, base: str, values: Changed, more: tuple[Any, ...], named: dict[str, Any]
    ) -> Changed | None:
        writes = bool(named.pop("inplace", False)) or self.kind == base + "_"
        learns = base == "batch_norm" and (more[4] if len(more) > 4 else named.get("training"))
        if learns or (base.startswith(("dropout", "feature")) and named.get("training", True) is not False):
            return None
        function = getattr(torch, base, self.function) if self.kind == base + "_" else self.function
        state = values._state
        assert state.known is not None
        before = state.known
        known = self.ledger.known(self.number, base, lambda: function(before, *more, **named))
        return self._given(
            values if writes else None, known, function(state.inside, *more, **named), state.box
        )

    def _of_two(self, function: Callable[..., Tensor]) -> Changed | None:
        writes = self.kind.startswith("__i") or (self.kind.endswith("_") and not self.kind.endswith("__"))
        if len(self.args) != 2 or any(isinstance(each, Changed) for each in self.named.values()):
            return None
        if writes and not isinstance(self.args[0], Changed):
            return None
        tensors = [each for each in self.args if isinstance(each, Tensor) and each.ndim]
        changed = [each for each in tensors if isinstance(each, Changed)]
        sides = changed[0].shape[2:]
        plain = [each for each in tensors if not isinstance(each, Changed)]
        alike = all(each.ndim == 4 and each.shape[2:] == sides for each in changed)
        if not alike or any(each.ndim != 4 or each.shape[2:] not in (sides, (1, 1)) for each in plain):
            return None
        box = _around([each._state.box for each in changed])

        def part(value: Any) -> Any:
            if isinstance(value, Changed):
                return value.values_at(box)
            covers = isinstance(value, Tensor) and value.ndim and value.shape[2:] == sides
            return _at(value, box) if covers else value

        before = [each._state.known if isinstance(each, Changed) else each for each in self.args]
        order = -1 if self.kind.startswith("__r") else 1
        known = self.ledger.known(self.number, self.kind, lambda: function(*before[::order], **self.named))
        inside = function(*map(part, self.args[::order]), **self.named)
        return self._given(self.args[0] if writes else None, known, inside, box)

    def _by_windows(self, base: str, values: Changed, window: Window) -> Changed | None:
        state = values._state
        assert state.known is not None
        before = state.known
        known = self.ledger.known(self.number, base, lambda: window.on_whole(before))
        box = window.reached(state.box, known.shape[2:])
        inside = window.on_part(values.values_at(window.needed(box), window.fill))
        return self._given(None, known, inside, box)

    def _given(self, written: Changed | None, known: Tensor, inside: Tensor, box: Box) -> Changed:
        made = Changed.of(known, inside, box, self.ledger)
        if written is None:
            return made
        written._state = made._state
        return written


def _at(values: Tensor, box: Sequence[Span]) -> Tensor:
    (top, bottom), (left, right) = box
    return values[..., top:bottom, left:right]


def _around(boxes: Sequence[Box]) -> Box:
    """Give the smallest box that holds all."""
    rows, columns = zip(*boxes, strict=True)
    return (min(a for a, _ in rows), max(b for _, b in rows)), (
        min(a for a, _ in columns),
        max(b for _, b in columns),
    )
