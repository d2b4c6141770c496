"""``striate gan sample`` and its kin: look at the latent space of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from striate.cli.attributions import Outcome
from striate.cli.gan_latent import Choices, check_out, class_number, read_rows, say_outcome, take
from striate.cli.options import with_options_of
from striate.core.errors import RunError
from striate.core.events import OnEvent

Run = Annotated[str, typer.Argument(metavar="RUN_OR_FILE", help="A run, or the file of a generator.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Keep = Annotated[
    Path | None, typer.Option(metavar="FILE.safetensors", help="Write the latents too, for --latents.")
]

_PATH = "How to walk: spherical or linear."


@with_options_of(Choices)
def sample(
    run: Run,
    n: Annotated[int, typer.Option("--n", min=1, help="How many.")] = 64,
    out: Annotated[Path, typer.Option(metavar="OUT", help="A .png sheet, or an .npz of all images.")] = Path(
        "samples.png"
    ),
    keep: Keep = None,
    json: Json = False,
    *,
    choices: Choices,
) -> None:
    """Make images: on a sheet where each has its number, which other verbs take, or as a file of arrays."""
    from striate.cli.gan_sheets import sample_images

    check_out(out, ".png", ".npz")

    def doing(on_event: OnEvent) -> Outcome:
        return sample_images(take(run, choices, n), out, keep, on_event)

    say_outcome(run, doing, json=json)


@with_options_of(Choices)
def interpolate(
    run: Run,
    rows: Annotated[
        str, typer.Option(metavar="N,N,...", help="Numbers of the latents, as on the sheet of samples.")
    ] = "0,1,2,3",
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of each leg [default: 9; of a film 24].", show_default=False),
    ] = None,
    path: Annotated[str, typer.Option(help="How to walk: spherical, linear or both.")] = "spherical",
    out: Annotated[Path, typer.Option(metavar="OUT", help="A .png strip, or a .gif film.")] = Path(
        "walk.png"
    ),
    json: Json = False,
    *,
    choices: Choices,
) -> None:
    """Walk from latent to latent, on great circles or straight lines, as a strip or a film."""
    from striate.cli.gan_sheets import interpolate_latents

    check_out(out, ".png", ".gif")
    wanted = read_rows(rows, "--rows")
    if len(wanted) == 1:
        raise typer.BadParameter(f"--rows {rows} is one latent, and a way leads through at least 2 latents")

    def doing(on_event: OnEvent) -> Outcome:
        del on_event
        taken = take(run, choices, rows=wanted)
        return interpolate_latents(taken, wanted, steps=steps, path=path, out=out)

    say_outcome(run, doing, json=json)


@with_options_of(Choices)
def plane(
    run: Run,
    rows: Annotated[
        str, typer.Option(metavar="N,N,N", help="Numbers of the latents above left, above right, below left.")
    ] = "0,1,2",
    side: Annotated[int, typer.Option(help="Images along each side.")] = 9,
    path: Annotated[str, typer.Option(help=_PATH)] = "spherical",
    out: Annotated[Path, typer.Option(metavar="OUT.png", help="The picture to make.")] = Path("plane.png"),
    json: Json = False,
    *,
    choices: Choices,
) -> None:
    """Draw the plane through three latents, whose fourth corner is what they add up to."""
    from striate.cli.gan_sheets import draw_plane

    check_out(out, ".png")
    wanted = read_rows(rows, "--rows")
    if len(wanted) != 3:
        raise typer.BadParameter(f"--rows {rows} are {len(wanted)} latents, and a plane goes through 3")
    if not 2 <= side <= 20:
        raise typer.BadParameter(f"--side {side} cannot be drawn; 2 to 20 can")

    def doing(on_event: OnEvent) -> Outcome:
        del on_event
        taken = take(run, choices, rows=wanted)
        return draw_plane(taken, wanted, side=side, path=path, out=out)

    say_outcome(run, doing, json=json)


@with_options_of(Choices)
def arithmetic(
    run: Run,
    base: Annotated[str, typer.Option(metavar="N,N,...", help="Latents whose mean is the start.")],
    minus: Annotated[str, typer.Option(metavar="N,N,...", help="Latents whose mean is taken away.")],
    plus: Annotated[str, typer.Option(metavar="N,N,...", help="Latents whose mean is added.")],
    out: Annotated[Path, typer.Option(metavar="OUT.png", help="The picture to make.")] = Path("sum.png"),
    keep: Keep = None,
    json: Json = False,
    *,
    choices: Choices,
) -> None:
    """Add up groups of latents: what base has, without what minus has, and with what plus has."""
    from striate.cli.gan_sheets import add_up

    check_out(out, ".png")
    given = {"base": base, "minus": minus, "plus": plus}
    groups = {name: read_rows(text, f"--{name}") for name, text in given.items()}

    def doing(on_event: OnEvent) -> Outcome:
        del on_event
        wanted = [row for rows in groups.values() for row in rows]
        return add_up(take(run, choices, rows=wanted), groups, out=out, keep=keep)

    say_outcome(run, doing, json=json)


@dataclass(frozen=True, kw_only=True)
class Searched:
    """How latents are looked for."""

    data: Annotated[
        str | None,
        typer.Option(help="Draw images from here, where there is no PHOTO [default: what it learnt from]."),
    ] = None
    n: Annotated[int, typer.Option("--n", min=1, help="How many are drawn.")] = 8
    starts: Annotated[int, typer.Option(help="Descents of each picture.")] = 8
    steps: Annotated[int, typer.Option(help="Of each descent.")] = 200
    seed: Annotated[int, typer.Option(help="Of the latents from which descents start.")] = 0
    of_class: Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="Look among images of one class alone."),
    ] = None
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None


@with_options_of(Searched)
def project(
    run: Run,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO...", help="Pictures to find latents of.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="OUT.png", help="The picture to make.")] = Path(
        "projection.png"
    ),
    keep: Keep = None,
    json: Json = False,
    *,
    choices: Searched,
) -> None:
    """Find the latents whose images are nearest to pictures, and say how near they are."""
    if photos and choices.data is not None:
        raise typer.BadParameter("--data and a PHOTO are given; give one of them")
    check_out(out, ".png")
    if any(out.exists() and photo.exists() and out.samefile(photo) for photo in photos or []):
        raise RunError(f"{out} is a photo itself, which would be lost; name another file with --out")

    def doing(on_event: OnEvent) -> Outcome:
        from striate.cli.gan_projecting import draw_given, project_images, read_photos
        from striate.gan import load_generator
        from striate.gan.projection import Descent

        descent = Descent(starts=choices.starts, steps=choices.steps)
        generator = load_generator(run, device=choices.device)
        if photos:
            given = read_photos(generator, photos)
        else:
            given = draw_given(generator, run, choices.data, choices.n, seed=choices.seed, on_event=on_event)
        return project_images(
            generator,
            given,
            out,
            label=class_number(generator, choices.of_class),
            descent=descent,
            seed=choices.seed,
            keep=keep,
            on_event=on_event,
        )

    say_outcome(run, doing, json=json)


@with_options_of(Choices)
def directions(
    run: Run,
    n: Annotated[int, typer.Option("--n", min=1, help="How many directions.")] = 6,
    rows: Annotated[
        str, typer.Option(metavar="N,N,...", help="Numbers of the latents that are moved.")
    ] = "0,1",
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose output is taken apart [default: the first].")
    ] = None,
    strength: Annotated[float, typer.Option(help="How far latents are moved, standard deviations.")] = 3.0,
    out: Annotated[Path, typer.Option(metavar="OUT.png", help="The picture to make.")] = Path(
        "directions.png"
    ),
    json: Json = False,
    *,
    choices: Choices,
) -> None:
    """Find the directions in which a layer's output varies most, and draw latents moved along them."""
    from striate.cli.gan_projecting import draw_directions

    check_out(out, ".png")
    wanted = read_rows(rows, "--rows")

    def doing(on_event: OnEvent) -> Outcome:
        del on_event
        taken = take(run, choices, rows=wanted)
        return draw_directions(taken, wanted, count=n, layer=layer, strength=strength, out=out)

    say_outcome(run, doing, json=json)
