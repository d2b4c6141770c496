"""The layers of a network as they come to light while it is traced, and what they are at the end."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from striate.geometry.dependences import Dependence, Source, field_of
from striate.geometry.fields import ReceptiveField
from striate.geometry.traced import Fields, TracedLayer

COUNTED_BEFORE = "its parameters are counted where they are first used"


class Step:
    """A layer that is being computed.

    Args:
        name: path of the module, or of the module that calls the function.
        kind: name of the class or function.
        functional: whether it is the call of a function.
    """

    def __init__(self, name: str, kind: str, *, functional: bool) -> None:
        self.name = name
        self.kind = kind
        self.functional = functional
        self.is_shown = not functional  # of a function only what computes is a layer
        self.multiply_adds = 0
        self.parameters = 0
        self.windows = 0
        self.notes: list[str] = []
        self.reads: set[Step | int] = set()
        self.shape: tuple[int, ...] = ()
        self.activation_bytes = 0
        self.dependence: Dependence = {}
        self.part_of: Step | None = None

    @property
    def whole(self) -> Step:
        """The layer that this one was found to be part of; itself where it is of none."""
        return self if self.part_of is None else self.part_of.whole

    def close(self, output: Tensor | None, dependence: Dependence, *, is_new: bool) -> None:
        """Keep what is known at the end of the layer; later ones may write over its output.

        Args:
            output: the tensor that came out.
            dependence: what it depends on.
            is_new: whether it has memory of its own.
        """
        self.dependence = dependence
        if output is not None:
            self.shape = tuple(output.shape)
            self.activation_bytes = output.numel() * output.element_size() if is_new else 0

    def take_in(self, parts: Sequence[Step]) -> None:
        """Become the layer of which others are parts.

        Args:
            parts: which from now on are this layer.
        """
        for part in parts:
            part.part_of = self
            self.multiply_adds += part.multiply_adds
            self.parameters += part.parameters
            self.notes += [note for note in part.notes if note not in self.notes]
            self.reads |= part.reads
        self.reads -= set(parts)


def traced_layers(steps: Sequence[Step], inputs: Sequence[Sequence[int]]) -> tuple[TracedLayer, ...]:
    """Bring the layers to their final form.

    Args:
        steps: those that are shown, in their order.
        inputs: shapes of the network's inputs.

    Returns:
        One layer for each.
    """
    numbers: dict[Step | int, int] = {step: number for number, step in enumerate(steps)}
    return tuple(_traced(step, numbers, inputs) for step in steps)


def _traced(step: Step, numbers: dict[Step | int, int], inputs: Sequence[Sequence[int]]) -> TracedLayer:
    read = {each if isinstance(each, int) else numbers.get(each.whole) for each in step.reads}
    told = {source: field_of(step.dependence, source, step.shape) for source in step.dependence}
    fields = tuple(_fields(told, number, len(shape)) for number, shape in enumerate(inputs))
    reasons = dict.fromkeys(
        f"its receptive field is unknown: {why}" for field, why in told.values() if not field
    )
    notes = [*step.notes, *reasons]
    if not step.dependence:
        notes.append("it does not depend on the input")
    return TracedLayer(
        name=step.name,
        kind=step.kind,
        functional=step.functional,
        output=step.shape[1:] if step.shape[:1] == (1,) else step.shape,
        parameters=step.parameters,
        multiply_adds=step.multiply_adds,
        activation_bytes=step.activation_bytes,
        reads=tuple(sorted(each for each in read if each is not None and each != numbers[step])),
        fields_by_input=fields,
        note="; ".join(notes),
    )


def _fields(told: dict[Source, tuple[ReceptiveField | None, str]], number: int, dims: int) -> Fields | None:
    seen = {source.axis: field for source, (field, _) in told.items() if source.input == number}
    if not seen:
        return None
    return tuple(seen.get(axis) for axis in range(dims - 1))
