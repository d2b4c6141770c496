"""``striate summary``: a network layer by layer, as a table, as JSON or as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.core.errors import RunError

if TYPE_CHECKING:
    from striate.geometry import Group, Trace


def summary(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A name, a run, a model file, or module:factory of your own code."
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(help="Pixels, such as 224 or 224x192; by default: what the network is made for."),
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Channels of the images.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Outputs of the network.")] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=0, help="Levels of modules shown, 0 for every layer; by default: what is read well."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse strides that leave pixels over.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="PICTURE.svg", help="Draw the network.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print every layer as JSON.")] = False,
) -> None:
    """Show a network: sizes, parameters, multiply-adds, memory and receptive fields of its layers."""
    from striate.cli.networks import Wanted, find_network, read_size

    if svg is not None and svg.is_dir():
        raise RunError(f"cannot write {svg}: it is a folder; name a file, such as {svg / 'net.svg'}")
    wanted = Wanted(read_size(size), channels, classes)

    from striate.geometry import grouped, trace
    from striate.geometry.wording import spelled_shape, spelled_totals

    found = find_network(model, wanted)
    traced = trace(found.network, found.shape, strict=strict)
    if svg is not None:
        _draw(traced, svg, title=f"{model}, input {spelled_shape(found.shape)}", depth=depth)
    if json:
        output.say_json({"model": model, **traced.to_dict()})
        return
    _say_rows(grouped(traced, depth=depth))
    output.say()
    output.say(f"for an input of {spelled_shape(found.shape)}:")
    for sentence in (*spelled_totals(traced), *(f"note: {note}" for note in traced.notes)):
        output.say(sentence)
    if svg is not None:
        output.say(f"the drawing is in {svg}")


def _say_rows(groups: tuple[Group, ...]) -> None:
    from striate.geometry.wording import (
        spelled_bytes,
        spelled_count,
        spelled_fields,
        spelled_jump,
        spelled_offset,
        spelled_shape,
        spelled_size,
    )

    rows = [
        (
            group.name,
            group.kind + (f" ({group.times} times)" if group.times > 1 else ""),
            spelled_shape(group.output),
            f"{group.parameters:,}" if group.parameters else "",
            spelled_count(group.multiply_adds) if group.multiply_adds else "",
            spelled_bytes(group.activation_bytes) if group.activation_bytes else "",
            *(
                spelled_fields(group.fields, figure)
                for figure in (spelled_size, spelled_jump, spelled_offset)
            ),
        )
        for group in groups
    ]
    titles = ("layer", "kind", "output", "parameters", "multiply-adds", "memory", "field", "jump", "offset")
    output.say_table(titles, rows, numbers=range(3, len(titles)))


def _draw(traced: Trace, path: Path, *, title: str, depth: int | None) -> None:
    from striate.plots.network import network_diagram

    try:
        network_diagram(traced, path, title=title, depth=depth)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
