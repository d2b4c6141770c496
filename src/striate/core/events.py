"""The events that long work emits; progress bars, CSV files and pages are their readers.

A function that takes long accepts ``on_event``, a callable that is given each `Event`. The kinds and
the keys of their data are:

=========== ==========================================================================================
``prepare`` ``what``, ``done``, ``total`` (``None`` where unknown), ``unit``: fetching, decoding, ...
``start``   what was decided before training: device, precision, network, budget
``step``    ``step``, ``loss``, ``share`` (of the budget), ``images_per_second``, ``seconds_left``; of a
            generator's training ``generator_loss`` and ``discriminator_loss`` in place of ``loss``
``epoch``   one row of ``results.csv``
``note``    ``message``: something decided or noticed that the user should know
``warning`` ``message``: something wrong that work goes on in spite of
``saved``   ``path``: a file that is now complete
``done``    the final figures
=========== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["prepare", "start", "step", "epoch", "note", "warning", "saved", "done"]


@dataclass(frozen=True)
class Event:
    """One thing that happened, with its figures.

    >>> Event("note", {"message": "flips are off"}).data["message"]
    'flips are off'
    """

    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)


OnEvent: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Take an event and do nothing: the reader for silent work."""
