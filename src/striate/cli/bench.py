"""``striate bench``: train beside other libraries, on the same data and threads, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.errors import Interrupted
from striate.core.errors import RecipeError

if TYPE_CHECKING:
    from striate.studies import Benchmark


def bench(
    data: Annotated[
        str, typer.Argument(help="A named set, a folder, an archive, a .csv or an .npz, with a test part.")
    ] = "fashion-mnist",
    peers: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="all, none, or names with commas: pytorch-mnist, keras-mnist, fastai, fastai-resnet18, "
            "timm, ultralytics. Each is installed by pip, once, into an environment of its own in the cache.",
        ),
    ] = "all",
    seeds: Annotated[int, typer.Option(help="How many trainings of each side and budget.")] = 5,
    first_seed: Annotated[int, typer.Option(help="The first seed; the others follow it.")] = 400,
    budgets: Annotated[
        str | None,
        typer.Option(
            metavar="EPOCHS", help="Epochs of striate, with commas, such as 2,3.5 [default: fixed]."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Processors and threads of every side; by default: all.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder for bench.json and bench.md [default: runs/bench-NAME]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare striate with other libraries on a CPU: accuracy, times, throughput and memory."""
    epochs = None if budgets is None else _read_epochs(budgets)
    names = [name for each in peers.split(",") if (name := each.strip())]

    from striate.studies import run_benchmark

    with output.progress() as show:
        try:
            found = run_benchmark(
                data,
                peers=names,
                seeds=seeds,
                first_seed=first_seed,
                budgets=epochs,
                threads=threads,
                out=out,
                on_event=show,
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on with what was measured") from None
    if json:
        output.say_json(found.to_dict())
    else:
        _say_result(found)


def _read_epochs(text: str) -> list[float]:
    try:
        return [float(each) for each in text.split(",")]
    except ValueError as error:
        raise RecipeError(
            f"--budgets {text} names no epochs; give numbers with commas, such as 2,3.5"
        ) from error


def _say_result(found: Benchmark) -> None:
    output.say(found.conditions())
    output.say()
    rows = [summary.row() for summary in found.summaries()]
    output.say_table(found.COLUMNS, rows, numbers=range(1, len(found.COLUMNS)))
    output.say()
    for finding in found.findings():
        output.say(finding)
    for peer, why in found.skipped.items():
        output.say(f"left out: {peer}, {why}")
