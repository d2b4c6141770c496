"""The arithmetic of layers: sizes, padding, receptive fields and costs, and the tracer of any network.

What needs torch (`trace` and `effective_receptive_field`) is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from striate.geometry.connectivity import Connectivity, compare_connectivity
from striate.geometry.fields import ReceptiveField, receptive_field
from striate.geometry.grouping import Group, grouped
from striate.geometry.sizes import (
    Window,
    each_axis,
    left_over,
    misfit,
    output_size,
    same_padding,
    same_tf_padding,
    sizes_that_fit,
    transposed_output_size,
)
from striate.geometry.traced import Trace, TracedLayer
from striate.geometry.windowed import Windowed

if TYPE_CHECKING:
    from striate.geometry.effective import EffectiveField, effective_receptive_field
    from striate.geometry.tracing import trace

__all__ = [
    "Connectivity",
    "EffectiveField",
    "Group",
    "ReceptiveField",
    "Trace",
    "TracedLayer",
    "Window",
    "Windowed",
    "compare_connectivity",
    "each_axis",
    "effective_receptive_field",
    "grouped",
    "left_over",
    "misfit",
    "output_size",
    "receptive_field",
    "same_padding",
    "same_tf_padding",
    "sizes_that_fit",
    "trace",
    "transposed_output_size",
]

_HOMES = {
    "EffectiveField": "effective",
    "effective_receptive_field": "effective",
    "trace": "tracing",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate.geometry' has no attribute '{name}'")
    return getattr(import_module(f"striate.geometry.{home}"), name)
