"""Everything that happens while a network runs without values: operations, function calls, modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from striate.core.errors import TraceError
from striate.geometry.calls import Call, base_name, tensors_in
from striate.geometry.dependences import Dependence, joined, unknown
from striate.geometry.operations import (
    PADDINGS,
    PRODUCTS,
    READS_VALUES,
    VIEWS,
    WINDOWS,
    Rule,
    multiply_adds,
    rule_of,
)
from striate.geometry.results import quick_result
from striate.geometry.steps import COUNTED_BEFORE, Step
from striate.geometry.writing import seen_through

READS_VALUE = (
    "it reads the value of a tensor (by .item(), int(), a mask or an if), and a network is followed by its "
    "shapes alone; write it with torch.where, or trace the parts before and after it"
)


@dataclass(frozen=True)
class Known:
    """What is known of an operation, found out once."""

    name: str
    rule: Rule | None
    is_view: bool
    is_composite: bool
    written: tuple[str, ...]


@dataclass
class Frame:
    """A module that is being called."""

    path: str
    module: nn.Module
    step: Step | None
    is_own: bool
    is_hidden: bool
    first: int
    has_parts: bool = False


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every tensor operation, runs it without values, and notes what its output depends on.

    Args:
        strict: whether a stride that leaves elements over is an error.
    """

    def __init__(self, *, strict: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.strict = strict
        self.steps: list[Step] = []
        self.frames: list[Frame] = []
        self.call: Step | None = None
        self.failed_in = ""
        self.failed_at: Frame | None = None
        self.muted = 0
        self.hidden = 0
        self.borders: dict[int, tuple[int, ...]] = {}
        self._known: dict[int, tuple[Tensor, Dependence]] = {}
        self._makers: dict[int, frozenset[Step | int]] = {}
        self._owners: dict[int, Step] = {}
        self._sharing: dict[int, list[Tensor]] = {}
        self._writes: dict[int, list[tuple[Tensor, Dependence]]] = {}
        self._stand_ins: dict[int, tuple[Tensor, Tensor]] = {}
        self._used: set[int] = set()
        self._pending = 0
        self._uses_again = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operation imports torch's compiler, which takes longer than any network.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        options = dict(kwargs or {})
        tensors = tensors_in([*args, *options.values()])
        if not any(tensor.is_meta for tensor in tensors) and not any(map(self.depends, tensors)):
            return func(*args, **options)  # values that no input has part in
        known = _known_of(func)
        masked = known.name == "index" and any(tensor.dtype == torch.bool for tensor in tensors[1:])
        if masked or known.name in READS_VALUES:
            raise TraceError(READS_VALUE)
        if known.rule is None and known.is_composite:
            with self:
                return func.decompose(*args, **options)
        for tensor in tensors:
            if isinstance(tensor, nn.Parameter):
                self._use(tensor)
        arguments = [self.without_memory(value) for value in args]
        options = {name: self.without_memory(value) for name, value in options.items()}
        if "device" in options:
            options["device"] = torch.device("meta")
        call = Call(func, arguments, options, depends=self.depends, borders=self.borders, strict=self.strict)
        call.result = quick_result(call, written=known.written)
        if call.result is None:
            call.result = func(*arguments, **options)
        self._note(known, call, tensors_in([*arguments, *options.values()]))
        return call.result

    def depends(self, tensor: Tensor) -> Dependence:
        """Give what a tensor depends on; nothing where no input has part in it."""
        found = self._known.get(id(tensor))
        if found is not None:
            return found[1]
        if not tensor.is_meta:
            return self.depends(self.without_memory(tensor)) if _memory(tensor) in self._stand_ins else {}
        writes = self._writes.get(_memory(tensor), []) if self._writes else []
        return joined(seen_through(written, tensor, dependence) for written, dependence in writes)

    def give(self, tensor: Tensor, dependence: Dependence, makers: frozenset[Step | int]) -> None:
        """Note what a tensor depends on, and which layers it comes from."""
        self._known[id(tensor)] = (tensor, dependence)
        self._makers[id(tensor)] = makers
        self._sharing.setdefault(_memory(tensor), []).append(tensor)

    def makers_of(self, tensors: Sequence[Tensor]) -> frozenset[Step | int]:
        """Give the layers, and inputs of the network by negative numbers, that tensors come from."""
        return frozenset().union(*(self._makers.get(id(tensor), frozenset()) for tensor in tensors))

    def step(self, name: str) -> Step:
        """Give the layer that is being computed; one by the name of the operation where none is."""
        if self.frames and self.frames[-1].step is not None:
            return self.frames[-1].step
        return self.call or Step(self.path, name, functional=True)

    @property
    def path(self) -> str:
        """Path of the module that is being called."""
        return self.frames[-1].path if self.frames else ""

    def close(self, step: Step, output: Tensor | None) -> None:
        """End a layer, and keep it where it is one to be shown."""
        if not step.is_shown:
            return
        owner = None if output is None else self._owners.get(_memory(output))
        is_new = owner is not None and owner.whole is step
        step.close(output, {} if output is None else self.depends(output), is_new=is_new)
        step.parameters += self._pending
        if self._uses_again and not step.parameters:
            step.notes.append(COUNTED_BEFORE)
        self._pending, self._uses_again = 0, False
        self.steps.append(step)

    def own(self, step: Step, tensor: Tensor) -> None:
        """Note that a layer made the memory of a tensor, unless another did before."""
        self._owners.setdefault(_memory(tensor), step)

    def _note(self, known: Known, call: Call, tensors: list[Tensor]) -> None:
        if self.hidden:
            return
        cost = multiply_adds(call) if known.name in PRODUCTS or known.name == "convolution" else 0
        live = [found for tensor in tensors if (found := self.depends(tensor))]
        if not cost and (self.muted or not live):
            return
        step = self.step(known.name)
        step.multiply_adds += cost
        step.is_shown = step.is_shown or cost > 0
        step.windows += known.name in WINDOWS or cost > 0
        step.notes += [note for note in call.notes if note not in step.notes]
        if live and not self.muted:
            self._record(known, call, step, tensors)
        if step.functional and step is not self.call:  # no function or module that would end it
            self.close(step, next(iter(tensors_in([call.result])), None))

    def _record(
        self,
        known: Known,
        call: Call,
        step: Step,
        tensors: list[Tensor],
    ) -> None:
        found: Dependence | list[Dependence]
        if known.rule is None:
            every_input = joined(map(self.depends, tensors))
            found = unknown(every_input, f"what {known.name} reads is not known")
        else:
            found = known.rule(call)
        if known.name in PADDINGS:
            self.borders[id(call.output)] = tuple(call["padding" if call.get("pad") is None else "pad"][1::2])
        results = tensors_in(call.result if isinstance(call.result, (list, tuple)) else [call.result])
        every = found if isinstance(found, list) else [found] * len(results)
        before = self.makers_of(tensors)
        step.reads |= before - {step}
        step.is_shown = step.is_shown or (not known.is_view and any(every))
        makers = frozenset({step}) if step.is_shown else before
        for result, dependence in zip(results, every, strict=True):
            if known.written:
                self._write(result, dependence)
            elif not known.is_view:
                self.own(step, result)
            self.give(result, dependence, makers if dependence else frozenset())

    def _write(self, tensor: Tensor, dependence: Dependence) -> None:
        """Note that memory was written, which other tensors may look at in another way."""
        memory = _memory(tensor)
        for other in self._sharing.get(memory, []):
            if other is not tensor and (found := seen_through(tensor, other, dependence)):
                self._known[id(other)] = (other, joined([self.depends(other), found]))
        self._writes.setdefault(memory, []).append((tensor, dependence))

    def _use(self, parameter: nn.Parameter) -> None:
        if id(parameter) in self._used:
            self._uses_again = True
        else:
            self._used.add(id(parameter))
            self._pending += parameter.numel()

    def without_memory(self, value: Any) -> Any:
        """Replace a tensor that has values, since it can meet one that has none, by one without.

        All tensors that look at the same memory are replaced by such as look at the same one without values,
        so that what is written through one of them is found through the others.
        """
        if isinstance(value, (list, tuple)):
            return [self.without_memory(each) for each in value]
        if not isinstance(value, Tensor) or value.is_meta:
            return value
        memory = _memory(value)
        if memory not in self._stand_ins:
            count = value.untyped_storage().nbytes() // value.element_size()
            self._stand_ins[memory] = (value, torch.empty(count, dtype=value.dtype, device="meta"))
        stand_in = self._stand_ins[memory][1]
        with torch._C._DisableTorchDispatch():  # the network does not do this
            return stand_in.as_strided(value.shape, value.stride(), value.storage_offset())


@cache
def _known_of(operation: Any) -> Known:
    schema = operation._schema
    name = base_name(operation)
    return Known(
        name=name,
        rule=rule_of(operation),
        is_view=name in VIEWS,
        is_composite=torch._C._dispatch_has_kernel_for_dispatch_key(
            operation.name(), "CompositeImplicitAutograd"
        ),
        written=tuple(each.name for each in schema.arguments if each.alias_info and each.alias_info.is_write),
    )


def _memory(tensor: Tensor) -> int:
    """Tell apart the memory that tensors look at."""
    memory: int = tensor.untyped_storage()._cdata
    return memory
