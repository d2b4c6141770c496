"""``striate data``: look at augmentation, and at the cache of decoded images, and empty it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.cli.preview import changes, preview

if TYPE_CHECKING:
    from striate.data import CachedSet

data = typer.Typer(name="data")
data.command(epilog="Example: striate data preview photos/ --augment flip,crop=0.3,hue=0.1 --out sheet.png")(
    preview
)
data.command(epilog="Example: striate data changes")(changes)


@data.callback(invoke_without_command=True, epilog="Example: striate data list")
def group(context: typer.Context) -> None:
    """Look at what augmentation makes of images; look at the cache of decoded images, and empty it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@data.command("list", epilog="Example: striate data list --json")
def list_sets(
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List the decoded images that are kept on the disk, the least recently used first."""
    from striate.data import cached_sets

    found = cached_sets()
    total = sum(each.bytes for each in found)
    if json:
        output.say_json({"sets": [_plain(each) for each in found], "bytes": total})
        return
    if found:
        columns = ("source", "images", "channels x height x width", "MB", "last used")
        output.say_table(columns, [_row(each) for each in found], numbers=(1, 2, 3))
    output.say(f"{_counted(found)} of decoded images, {total / 1e6:,.1f} MB")


@data.command("clean", epilog="Example: striate data clean photos/")
def clean(
    source: Annotated[
        str | None,
        typer.Argument(help="A folder, archive or .csv; by default: all that was ever decoded."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Remove decoded images from the disk; they are decoded again when they are needed.

    Named sets, which were fetched, stay. So does what a process is writing or opening at the moment.
    """
    from striate.data import clean_cache

    removed, left = clean_cache(source)
    freed = sum(each.bytes for each in removed)
    if json:
        said = {"removed": [_plain(each) for each in removed], "left": [_plain(each) for each in left]}
        output.say_json({**said, "freed_bytes": freed})
        return
    output.say(f"removed {_counted(removed)} of decoded images, {freed / 1e6:,.1f} MB")
    if left:
        output.say(f"left {_counted(left)} that are in use or cannot be removed")


def _plain(each: CachedSet) -> dict[str, Any]:
    return {**asdict(each), "shape": list(each.shape)}


def _row(each: CachedSet) -> tuple[str, ...]:
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.used))
    shape = "x".join(map(str, each.shape))
    return each.source or "(unfinished)", f"{each.images:,}", shape, f"{each.bytes / 1e6:,.1f}", used


def _counted(sets: Sequence[CachedSet]) -> str:
    return "1 set" if len(sets) == 1 else f"{len(sets):,} sets"
