"""What a traced network is: its layers in the order in which they compute, each with its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from striate.geometry.fields import ReceptiveField

Fields = tuple[ReceptiveField | None, ...]
"""One receptive field for each spatial axis of an input; ``None`` where it is unknown."""


@dataclass(frozen=True, kw_only=True)
class TracedLayer:
    """One layer of a traced network: a module without parts of its own, or one call of a function.

    Args:
        name: path of the module; of a function: of the module that calls it, empty for the network itself.
        kind: name of the module's class or of the function.
        functional: whether it is the call of a function.
        output: shape of what comes out, without the batch.
        parameters: how many it uses that no layer before it used.
        multiply_adds: products of a weight (or matrix entry) with a value, for one image.
        activation_bytes: what its output takes in memory, for one image; 0 where it overwrites its input.
        reads: the layers whose output it takes, by their number; input ``k`` of the network is ``-1 - k``.
        fields_by_input: for each input of the network what this layer sees of it; ``None`` where nothing.
        note: what is to be said of it: elements left over by a stride, why a field is unknown.
    """

    name: str
    kind: str
    functional: bool
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    reads: tuple[int, ...]
    fields_by_input: tuple[Fields | None, ...]
    note: str = ""

    @property
    def input(self) -> int | None:
        """Number of the first input that this layer sees anything of; ``None`` where it sees none."""
        seen = (number for number, fields in enumerate(self.fields_by_input) if fields is not None)
        return next(seen, None)

    @property
    def fields(self) -> Fields | None:
        """What it sees of that input, one field an axis."""
        return None if self.input is None else self.fields_by_input[self.input]

    @property
    def is_map(self) -> bool:
        """Whether its elements have places in the input: every field is known, and moves with the element."""
        return bool(self.fields) and all(field is not None and field.jump != 0 for field in self.fields or ())

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            The figures by name; ``fields`` has one entry for each input.
        """
        return {
            "name": self.name,
            "kind": self.kind,
            "functional": self.functional,
            "output": list(self.output),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "activation_bytes": self.activation_bytes,
            "reads": list(self.reads),
            "fields": [
                None if fields is None else [None if field is None else field.to_dict() for field in fields]
                for fields in self.fields_by_input
            ],
            "note": self.note,
        }


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A network followed from its inputs to its outputs.

    Args:
        layers: in the order in which they compute.
        inputs: shapes of the inputs, without the batch.
        parameters: of the network, those that no layer uses included; shared ones count once.
        kinds: path of every module -> name of its class, the network itself under the empty path.
    """

    layers: tuple[TracedLayer, ...]
    inputs: tuple[tuple[int, ...], ...]
    parameters: int
    kinds: Mapping[str, str]

    @property
    def multiply_adds(self) -> int:
        """Products of a weight with a value, each with its addition, for one image."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Memory of all outputs together, for one image, as training keeps them."""
        return sum(layer.activation_bytes for layer in self.layers)

    @property
    def unused_parameters(self) -> int:
        """Parameters that no layer used, such as those of a part that only trains."""
        return self.parameters - sum(layer.parameters for layer in self.layers)

    @property
    def final_field(self) -> Fields | None:
        """The receptive field of the last layer whose elements have places in the input, one an axis."""
        return next((layer.fields for layer in reversed(self.layers) if layer.is_map), None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the layers, each thing once, under the first layer of which it is true."""
        layers: dict[str, list[str]] = {}
        for layer in self.layers:
            if layer.note:
                layers.setdefault(layer.note, []).append(layer.name or layer.kind)
        more = {
            note: f" (and of {len(names) - 1} more)" if names[1:] else "" for note, names in layers.items()
        }
        return tuple(f"{names[0]}: {note}{more[note]}" for note, names in layers.items())

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON can hold it.

        Returns:
            Inputs, totals, the final field and the layers.
        """
        final = self.final_field
        return {
            "inputs": [list(shape) for shape in self.inputs],
            "parameters": self.parameters,
            "unused_parameters": self.unused_parameters,
            "multiply_adds": self.multiply_adds,
            "activation_bytes": self.activation_bytes,
            "final_field": None if final is None else [field and field.to_dict() for field in final],
            "layers": [layer.to_dict() for layer in self.layers],
        }
