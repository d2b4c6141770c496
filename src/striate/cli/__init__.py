"""The command line: one file per verb, each thin: resolve names and paths, call, print."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from striate.cli import errors
from striate.cli.attack import attack
from striate.cli.audit import audit
from striate.cli.bench import bench
from striate.cli.data import data
from striate.cli.explain import explain
from striate.cli.filter import filter
from striate.cli.gan import gan
from striate.cli.predict import predict
from striate.cli.search import search
from striate.cli.summary import summary
from striate.cli.train import train
from striate.cli.val import val
from striate.core.version import VERSION
from striate.engine.world import end

# Plain help and errors: typer's rich ones take longer to import than everything else here.
app = typer.Typer(name="striate", add_completion=False, rich_markup_mode=None)


def main() -> None:
    """Run the command line on this process's arguments, and exit with its status."""
    end(errors.run(typer.main.get_command(app), sys.argv[1:]))


@app.callback(invoke_without_command=True, epilog="Example: striate train fashion-mnist --minutes 2")
def striate(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[  # noqa: ARG001 (for the help: `errors.run` takes it out, wherever it stands)
        bool, typer.Option("--debug", help="Show the traceback of a defect; works after a verb too.")
    ] = False,
) -> None:
    """Train convolutional networks fast, see what they learned, know where they break."""
    if version:
        typer.echo(f"striate {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(epilog="Example: striate train photos/ --minutes 5 --out runs/photos")(train)
app.command(epilog="Example: striate val runs/photos --confusion confusion.png")(val)
app.command(epilog="Example: striate predict runs/photos new.jpg more/ --csv out.csv")(predict)
app.command(epilog="Example: striate audit photos/ --labels --html audit.html")(audit)
app.command(epilog="Example: striate explain runs/photos new.jpg --method gradcam --out why.png")(explain)
app.command(epilog="Example: striate attack runs/photos --eps 8/255 --minutes 2")(attack)
app.command(epilog="Example: striate search photos/ --minutes 20 --out runs/search-photos")(search)
app.command(epilog="Example: striate summary resnet18 --size 224 --svg net.svg")(summary)
app.command(epilog="Example: striate filter photo.jpg --kernel sobel-x --out edges.png")(filter)
app.command(epilog="Example: striate bench fashion-mnist --peers pytorch-mnist")(bench)
app.add_typer(gan)
app.add_typer(data)
