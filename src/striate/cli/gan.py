"""``striate gan``: train generators, look at their latents, and measure what they make."""

from __future__ import annotations

import typer

from striate.cli.gan_eyes import eyes
from striate.cli.gan_sample import arithmetic, directions, interpolate, plane, project, sample
from striate.cli.gan_score import score
from striate.cli.gan_train import train

gan = typer.Typer(name="gan")


@gan.callback(invoke_without_command=True, epilog="Example: striate gan train fashion-mnist --minutes 10")
def group(context: typer.Context) -> None:
    """Train a generator on images, look at its latent space, and measure what it makes."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


gan.command(epilog="Example: striate gan train photos/ --minutes 10 --out runs/g")(train)
gan.command(epilog="Example: striate gan sample runs/g --n 64 --seed 1 --out sheet.png")(sample)
gan.command(epilog="Example: striate gan interpolate runs/g --rows 0,5 --out walk.gif")(interpolate)
gan.command(epilog="Example: striate gan plane runs/g --rows 0,5,9 --out plane.png")(plane)
gan.command(epilog="Example: striate gan arithmetic runs/g --base 0,1 --minus 2,3 --plus 4,5")(arithmetic)
gan.command(epilog="Example: striate gan project runs/g photo.png --out projected.png")(project)
gan.command(epilog="Example: striate gan directions runs/g --out directions.png")(directions)
gan.command(epilog="Example: striate gan eyes runs/g --data fashion-mnist --out eyes.html")(eyes)
gan.command(epilog="Example: striate gan score runs/g --data fashion-mnist")(score)
