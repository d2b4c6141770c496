"""Calls of torch's functions while a network is traced: each is a layer, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from striate.core.errors import TraceError
from striate.geometry.calls import tensors_in
from striate.geometry.dependences import Dependence, joined
from striate.geometry.mixing import mixed_along
from striate.geometry.recording import READS_VALUE, Recorder
from striate.geometry.resampling import shifted_by_padding
from striate.geometry.reshaping import renumbered
from striate.geometry.steps import Step

RECURRENT = frozenset({"gru", "lstm", "rnn_relu", "rnn_tanh"})
"""Functions that step through a sequence; step by step they would be thousands of operations."""

READING = frozenset({"array", "numpy", "tolist"})
"""Methods that hand out the values of a tensor without an operation; ``array`` is ``__array__``."""

_NAMES = {"iadd": "add", "imul": "mul", "isub": "sub", "itruediv": "div", "radd": "add", "rmul": "mul"}


class FunctionCalls(TorchFunctionMode):
    """Tells a recorder where the call of a torch function begins and ends.

    Args:
        recorder: sees the operations in between.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        options = kwargs or {}
        recorder, name = self._recorder, function_name(func)
        outer, step = recorder.call, Step(self._recorder.path, name, functional=True)
        recorder.call, recorder.failed_in = step, ""
        finished = False
        args = self._same_device(func, args, options)
        try:
            if name in READING and (args[0].is_meta or recorder.depends(args[0])):
                raise TraceError(READS_VALUE)
            special = _special_rule(func, name, args, options)
            if special is None:
                result = func(*args, **options)
            else:
                result = _run_as_one(recorder, lambda: func(*args, **options), special, args)
            if step.is_shown:
                recorder.close(step, first_tensor(args if result is None else result))
            finished = True
        finally:
            recorder.call = outer
            if not finished:
                recorder.failed_in = name
        return result

    def _same_device(self, function: Any, args: Sequence[Any], options: Mapping[str, Any]) -> Sequence[Any]:
        """Let constants that have values meet tensors that have none, which some functions refuse."""
        tensors = tensors_in(args)
        if all(tensor.is_meta for tensor in tensors) or not any(tensor.is_meta for tensor in tensors):
            return args
        # What is written must be the tensor itself, and operators take both kinds anyway.
        name = str(getattr(function, "__name__", "_"))
        if name.endswith("_") or "out" in options or options.get("inplace"):
            return args
        return [self._recorder.without_memory(value) for value in args]


def function_name(function: Any) -> str:
    """Give the name of a function as a reader knows it.

    Args:
        function: of torch, or a method of a tensor.

    Returns:
        Such as ``add`` for ``Tensor.__iadd__`` and for ``Tensor.add_``.

    >>> function_name(Tensor.add_), function_name(Tensor.__radd__)
    ('add', 'add')
    """
    name = str(getattr(function, "__name__", "function")).strip("_")
    return _NAMES.get(name, name)


def first_tensor(value: Any) -> Tensor | None:
    """Find the first tensor in what a function or module gives.

    Args:
        value: a tensor, or tuples, lists and mappings that hold some.

    Returns:
        The tensor; ``None`` where there is none.
    """
    if isinstance(value, Tensor):
        found: Tensor = value
        while torch._C._functorch.is_functorch_wrapped_tensor(found):  # as within vmap
            found = torch._C._functorch.get_unwrapped(found)
        return found
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return next((tensor for each in value if (tensor := first_tensor(each)) is not None), None)
    return None


Special = Callable[[Recorder, Sequence[Any], list[Tensor]], list[Dependence]]


def _special_rule(
    function: Any, name: str, args: Sequence[Any], options: Mapping[str, Any]
) -> Special | None:
    if function is F.pad and options.get("mode") == "circular":
        amounts = list(options["pad"] if "pad" in options else args[1])

        def circular(recorder: Recorder, args: Sequence[Any], results: list[Tensor]) -> list[Dependence]:
            recorder.borders[id(results[0])] = tuple(amounts[1::2])
            return [shifted_by_padding(recorder.depends(args[0]), tuple(args[0].shape), amounts)]

        return circular
    return _recurrent if name in RECURRENT else None


def _recurrent(recorder: Recorder, args: Sequence[Any], results: list[Tensor]) -> list[Dependence]:
    """Let every step of a sequence depend on every other, which is true of both directions together."""
    sequence = args[0]
    # Packed sequences have two axes, of which the first holds steps and batch in one.
    time = 1 if sequence.ndim == 3 and args[-1] is True else 0
    given = recorder.depends(sequence)
    begun = joined(_steady(recorder.depends(tensor), tensor.ndim) for tensor in tensors_in(args[1:]))
    last = _steady(given, sequence.ndim)
    out = mixed_along(given, {time, sequence.ndim - 1})
    return [joined([found, begun]) for found in (out, *[last] * (len(results) - 1))]


def _steady(dependence: Dependence, dims: int) -> Dependence:
    return renumbered(mixed_along(dependence, range(dims)), {})


def _run_as_one(recorder: Recorder, run: Callable[[], Any], rule: Special, args: Sequence[Any]) -> Any:
    """Run a function whose operations are counted but not followed, and say what comes out of it."""
    step = recorder.step("")
    before = recorder.makers_of(tensors_in(args))
    recorder.muted += 1
    try:
        result = run()
    finally:
        recorder.muted -= 1
    results = tensors_in([result] if isinstance(result, Tensor) else result)
    found = rule(recorder, args, results)
    if any(found):
        step.reads |= before - {step}
        step.is_shown = True
        for tensor, dependence in zip(results, found, strict=True):
            recorder.own(step, tensor)
            recorder.give(tensor, dependence, frozenset({step}))
    return result
