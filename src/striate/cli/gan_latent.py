"""Latents that are named on the command line: a generator, and the latents and classes that are meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.attributions import Outcome
from striate.core.errors import LayerError, RunError, unknown_name
from striate.core.events import OnEvent

if TYPE_CHECKING:
    from torch import Tensor

    from striate.gan import TrainedGenerator


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Which latents are meant."""

    seed: Annotated[int, typer.Option(help="Of the latents: the same seed gives the same images.")] = 0
    truncation: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            help="Cut the normal of the latents off at T, such as 1: less odd, and less varied.",
            show_default=False,
        ),
    ] = None
    latents: Annotated[
        Path | None,
        typer.Option(metavar="FILE.safetensors", help="Latents that --keep wrote, in place of drawn ones."),
    ] = None
    of_class: Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="What to make images of, by a generator of classes."),
    ] = None
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Taken:
    """A generator and some latents.

    Args:
        generator: that makes their images.
        latents: N x latent_size.
        labels: (N), their classes; ``None`` for a generator without classes.
        told: where they are from, in a few words.
    """

    generator: TrainedGenerator
    latents: Tensor
    labels: Tensor | None
    told: str

    def rows(self, rows: Sequence[int]) -> Tensor:
        """Give latents by their numbers.

        Raises:
            LayerError: where there is none of a number.
        """
        from striate.gan.latent import chosen

        return chosen(self.latents, rows)

    def images(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Make the images of other latents, all of the class of the first one where none are named."""
        if labels is None and self.labels is not None:
            labels = self.labels[:1].expand(len(latents))
        return self.generator.images(latents, labels)

    def caption(self, row: int) -> str:
        """Give the number of a latent, with its class."""
        return f"{row} {self.class_name(row)}".rstrip()

    def class_name(self, row: int = 0) -> str:
        """Name the class of a latent; empty for a generator without classes."""
        return "" if self.labels is None else self.generator.class_names[int(self.labels[row])]


def take(word: str, choices: Choices, count: int = 0, *, rows: Sequence[int] = ()) -> Taken:
    """Read a generator, and draw or read latents for it.

    Args:
        word: a run or the file of a generator.
        choices: which latents.
        count: how many are drawn, where they are not read; of ``rows`` as many as it takes.
        rows: numbers of the latents that are wanted, all of the class of the first one; none: all are, and
            their classes take turns where none is named.

    Returns:
        Both.

    Raises:
        typer.BadParameter: where latents are read and drawn at once.
        StriateError: where either cannot be.
    """
    from striate.gan import load_generator
    from striate.gan.latent import chosen, cycled_labels, draw_latents
    from striate.gan.latent_file import read_latents

    if choices.latents is not None and choices.truncation is not None:
        raise typer.BadParameter("--latents are taken as they are, and --truncation is for drawn ones")
    generator = load_generator(word, device=choices.device)
    only = class_number(generator, choices.of_class)
    if choices.latents is None:
        size, count = generator.latent_size, max([count, *(row + 1 for row in rows)])
        latents = draw_latents(count, size, seed=choices.seed, truncation=choices.truncation)
        labels = cycled_labels(count, generator.classes, only)
        told = f"seed {choices.seed}"
        told += "" if choices.truncation is None else f", truncated at {choices.truncation:g}"
    else:
        latents, labels = read_latents(choices.latents, generator.network)
        labels = labels if only is None else cycled_labels(len(latents), generator.classes, only)
        told = choices.latents.name
    if rows and labels is not None:
        labels = chosen(labels, rows)[:1].expand(len(labels))
    return Taken(generator=generator, latents=latents, labels=labels, told=told)


def class_number(generator: TrainedGenerator, name: str | None) -> int | None:
    """Give the number of a class that is named, or given by its number.

    Args:
        generator: that makes it.
        name: of the class; ``None``: none is asked for.

    Returns:
        The number; ``None`` where none is asked for.

    Raises:
        LayerError: where there is no such class, or the generator knows none.
    """
    if name is None:
        return None
    if generator.classes is None:
        raise LayerError(f"this generator was trained without classes, and cannot be told to make '{name}'")
    if name in generator.class_names:
        return generator.class_names.index(name)
    if name.isdecimal() and int(name) < generator.classes:
        return int(name)
    raise LayerError(unknown_name("class", name, generator.class_names))


def of_class(taken: Taken) -> str:
    """Say for a title of which class images are.

    Args:
        taken: the generator and the latents.

    Returns:
        The end of the title; empty for a generator without classes.
    """
    return "" if taken.labels is None else f", class {taken.class_name()}"


def read_rows(text: str, option: str) -> tuple[int, ...]:
    """Read the numbers of latents.

    Args:
        text: whole numbers with commas in between.
        option: which it was given to, for the error.

    Returns:
        The numbers.

    Raises:
        typer.BadParameter: where it is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 8 for part in parts):
        raise typer.BadParameter(f"{option} {text} are no numbers of latents; 0,3,17 are")
    return tuple(map(int, parts))


def check_out(out: Path, *suffixes: str) -> None:
    """Refuse a file that cannot be made.

    Args:
        out: the file.
        suffixes: of what can be written.

    Raises:
        RunError: where it is of another kind, or there is no folder for it.
    """
    if out.suffix not in suffixes:
        raise RunError(
            f"cannot write {out}: this is written as {' or '.join(suffixes)}; name a file such as "
            f"{out.stem}{suffixes[0]}"
        )
    if not out.parent.is_dir():
        raise RunError(f"cannot write {out}: there is no folder {out.parent}")


Doing = Callable[[OnEvent], Outcome]
"""Does what a verb is asked for, telling its progress."""


def say_outcome(model: str, doing: Doing, *, json: bool) -> None:
    """Do what a verb is asked for, and print what came of it.

    Args:
        model: the run or file, as it was named.
        doing: what is to be done.
        json: whether a program reads it.
    """
    with output.progress() as show:
        outcome = doing(show)
    if json:
        output.say_json({"model": model, **outcome.result})
        return
    if outcome.rows:
        output.say_table(outcome.titles, outcome.rows, numbers=range(1, len(outcome.titles)))
    for line in outcome.lines:
        output.say(line)
