"""Readers of events for people: a live bar where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from striate.core.events import Event

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 5.0
"""How often, at most, plain lines say how far a step or a preparation is."""

SECONDS_BETWEEN_FRAMES = 0.15
"""How often, at most, the live bar is drawn: drawing costs time that training could use."""


class Reader(ABC):
    """Takes events and shows them until it is closed; a context manager that gives itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def __call__(self, event: Event) -> None:
        """Show an event."""

    @abstractmethod
    def close(self) -> None:
        """Leave the terminal as it was found; what was said stays."""


def terminal_progress(stream: TextIO | None = None) -> Reader:
    """Give a reader of events for people.

    Args:
        stream: where to write; ``None``: standard error, which leaves standard output to results.

    Returns:
        A callable for ``on_event`` and a context manager: a live bar where the stream is a terminal,
        else plain lines.

    >>> with terminal_progress(sys.stdout) as on_event:
    ...     on_event(Event("note", {"message": "flips are off"}))
    note: flips are off
    """
    stream = sys.stderr if stream is None else stream
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveBar(stream)
    return PlainLines(stream)


class PlainLines(Reader):
    """Writes a line for each thing worth one, and one every few seconds for steps.

    Args:
        stream: where to write.
        seconds: how often, at most, steps and preparations get a line.
    """

    def __init__(self, stream: TextIO, *, seconds: float = SECONDS_BETWEEN_LINES) -> None:
        self._stream = stream
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        line = describe(event)
        if line is None and event.kind in ("step", "prepare"):
            now = time.monotonic()
            if now - self._last < self._seconds:
                return
            self._last = now
            line = _how_far(event)
        if line:
            self._stream.write(_encodable(line, self._stream) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Do nothing: each line was flushed when it was written."""


class LiveBar(Reader):
    """Draws one bar for what is going on, and keeps what was said above it.

    Args:
        stream: a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console, self._progress = _live(stream)
        self._tasks: dict[str, TaskID] = {}
        self._validation = ""
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        data = event.data
        if event.kind == "prepare":
            self._show(str(data["what"]), data["done"], data["total"], _amount(data))
            if data["done"] == data["total"]:
                self._forget(str(data["what"]))
        elif event.kind == "step":
            self._show("training", data["share"], 1.0, ", ".join(_step_figures(data, self._validation)))
        elif event.kind == "done":
            self.close()
        if event.kind == "epoch" and data.get("validation_accuracy") is not None:
            self._validation = _judged(data)
        line = describe(event)
        if line:
            self._print(line, "yellow" if event.kind == "warning" else "")

    def close(self) -> None:
        """Take the bar away; what was said above it stays."""
        for what in list(self._tasks):
            self._forget(what)
        self._progress.stop()

    def _show(self, what: str, done: float, total: float | None, figures: str) -> None:
        if what not in self._tasks:
            for other in list(self._tasks):
                self._forget(other)
            self._progress.start()
            self._tasks[what] = self._progress.add_task(printable(what), total=total, figures=figures)
            self._drawn = 0.0
        self._progress.update(self._tasks[what], completed=done, total=total, figures=figures)
        now = time.monotonic()
        if now - self._drawn >= SECONDS_BETWEEN_FRAMES:
            self._drawn = now
            self._progress.refresh()

    def _print(self, line: str, style: str) -> None:
        from rich.text import Text

        # A Text holds no markup to be read, and its style is its own, not the bar's; soft wrapping
        # leaves the line whole for copying.
        self._console.print(Text(_encodable(line, self._stream), style), soft_wrap=True)
        if self._tasks:
            self._progress.refresh()

    def _forget(self, what: str) -> None:
        self._progress.remove_task(self._tasks.pop(what))
        self._progress.refresh()


def describe(event: Event) -> str | None:
    """Say an event in one line.

    Args:
        event: what happened.

    Returns:
        The line; ``None`` for events that are no line of their own: steps, preparation, the end.

    >>> describe(Event("epoch", {"epoch": 2, "seconds": 8.25, "validation_accuracy": 0.912}))
    'epoch 2: 8.2 s, validation accuracy 91.20 %'
    """
    data = event.data
    if event.kind in ("note", "warning"):
        return f"{event.kind}: {printable(str(data['message']))}"
    if event.kind == "saved":
        return f"saved {printable(str(data['path']))}"
    if event.kind == "start":
        return _start_lines(data)
    if event.kind == "epoch":
        return _epoch_line(data)
    return None


def printable(text: str) -> str:
    """Replace what would move a cursor or break a line by its escape sequence.

    Args:
        text: anything, such as the name of a file that somebody else chose.

    Returns:
        The text, with each character that is not printable escaped.

    >>> printable("cats\\n\\x1b[2J")
    'cats\\\\n\\\\x1b[2J'
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _start_lines(data: Mapping[str, Any]) -> str:
    # A count of 0 says nothing, but a "no" does; False would pass for 0.
    worth = {name: value for name, value in data.items() if value is False or value not in (0, None)}
    said = {name.replace("_", " "): _said(value) for name, value in worth.items()}
    width = max(map(len, said), default=0)
    return "\n".join(f"{printable(name):>{width}}  {printable(text)}" for name, text in said.items())


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


_EPOCH_FIGURES = (
    ("seconds", "{:.1f} s"),
    ("train_loss", "loss {:.4f}"),
    ("train_accuracy", "training accuracy {:.2%}"),
    ("validation_loss", "validation loss {:.4f}"),
    ("validation_accuracy", "validation accuracy {:.2%}"),
    ("validation_mean_average_precision", "mean average precision {:.2%}"),
    ("robust_accuracy", "robust {:.2%}"),
    ("generator_loss", "generator loss {:.3f}"),
    ("discriminator_loss", "discriminator loss {:.3f}"),
    ("images_per_second", "{:,.0f} images/s"),
)


def _epoch_line(row: Mapping[str, Any]) -> str:
    figures = [form.format(row[key]) for key, form in _EPOCH_FIGURES if row.get(key) is not None]
    return f"epoch {row['epoch']:g}: {', '.join(figures)}".replace("%", " %")


def _judged(row: Mapping[str, Any]) -> str:
    if row.get("validation_mean_average_precision") is not None:
        return f"mean average precision {row['validation_mean_average_precision']:.1%}"
    return f"accuracy {row['validation_accuracy']:.1%}"


def _how_far(event: Event) -> str:
    data = event.data
    if event.kind == "step":
        return f"training {data['share']:.0%}: {', '.join(_step_figures(data, ''))}"
    return f"{printable(str(data['what']))}: {_amount(data)}"


def _step_figures(data: Mapping[str, Any], validation: str) -> list[str]:
    figures = [f"loss {data['loss']:.4f}"] if "loss" in data else []
    for name in ("generator_loss", "discriminator_loss"):
        if data.get(name) is not None:
            figures.append(f"{name.replace('_', ' ')} {data[name]:.3f}")
    if validation:
        figures.append(validation)
    if data.get("images_per_second") is not None:
        figures.append(f"{data['images_per_second']:,.0f} images/s")
    if data.get("seconds_left") is not None:
        figures.append(f"{_clock(data['seconds_left'])} left")
    return figures


def _amount(data: Mapping[str, Any]) -> str:
    done, total, unit = data["done"], data["total"], data["unit"]
    if unit == "bytes":
        of = "" if total is None else f" of {total / 1e6:,.1f}"
        return f"{done / 1e6:,.1f}{of} MB"
    of = "" if total is None else f" of {total:,}"
    return f"{done:,}{of} {unit}"


def _clock(seconds: float) -> str:
    whole = max(0, round(seconds))
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _live(stream: TextIO) -> tuple[Console, Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
    )
    return console, Progress(*columns, console=console, auto_refresh=False)
