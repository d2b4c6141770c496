"""``striate explain``: what a network looked at in a photo, and what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.options import with_options_of
from striate.core.errors import LayerError, RunError
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.cli.attributions import Outcome
    from striate.cli.explaining import Explained
    from striate.core.events import OnEvent

METHODS = (
    "deeplift, gradcam, gradcam++, gradient-x-input, guided-backprop, integrated-gradients, layercam, "
    "occlusion, rise, saliency, scorecam, smoothgrad"
)
DEFAULT = "gradcam"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is asked for besides the network and the photos."""

    method: Annotated[
        str | None, typer.Option(metavar="METHOD", help=f"How to explain: {METHODS} [default: {DEFAULT}].")
    ] = None
    all: Annotated[bool, typer.Option("--all", help="Draw all methods side by side, with their checks.")] = (
        False
    )
    sanity: Annotated[
        bool, typer.Option("--sanity", help="Say too whether the maps depend on the weights.")
    ] = False
    target: Annotated[
        str | None, typer.Option(metavar="CLASS", help="The class to explain [default: the predicted one].")
    ] = None
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where CAMs look [default: the last layer with places]."),
    ] = None
    units: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Make a page of what excites each channel of a layer.")
    ] = None
    dissect: Annotated[
        bool, typer.Option("--dissect", help="Say which channels detect which concepts, layer by layer.")
    ] = False
    visualise: Annotated[
        str | None,
        typer.Option(metavar="LAYER[:CHANNEL]", help="Draw pictures that excite the channels of a layer."),
    ] = None
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="What --units, --dissect and --visualise look at [default: what it was trained on].",
        ),
    ] = None
    size: Annotated[
        str | None, typer.Option(help="Pixels that your own code takes, such as 32 or 224x192.")
    ] = None
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None

    def asked(self, photos: list[Path]) -> str:
        """Say what is asked for.

        Returns:
            ``units``, ``dissect``, ``visualise``, ``all`` or ``photos``.

        Raises:
            typer.BadParameter: where that is nothing, or several things at once.
        """
        named = {"--units": self.units, "--dissect": self.dissect, "--visualise": self.visualise}
        wanted = [f"{option}" for option, value in named.items() if value]
        if photos:
            wanted.append("a PHOTO")
        if len(wanted) != 1:
            raise typer.BadParameter(
                f"{' and '.join(wanted)} are given; give one of them"
                if wanted
                else "give a PHOTO to explain, or --units LAYER, --dissect or --visualise LAYER"
            )
        if not photos:
            alone = {
                "--method": self.method,
                "--all": self.all,
                "--sanity": self.sanity,
                "--target": self.target,
            }
            useless = [option for option, value in alone.items() if value]
            if useless:
                raise typer.BadParameter(f"{useless[0]} is for photos, and {wanted[0]} takes none")
            return wanted[0].removeprefix("--")
        if self.data is not None:
            raise typer.BadParameter(
                "--data is for --units, --dissect and --visualise; photos are explained alone"
            )
        if self.all and self.method is not None:
            raise typer.BadParameter("--all draws all methods and --method names one; give one of the two")
        if self.all and len(photos) > 1:
            raise typer.BadParameter(f"--all draws a sheet of one photo, and {len(photos)} are given")
        return "all" if self.all else "photos"


@with_options_of(Choices)
def explain(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run, a model file, or module:factory of your own code.")
    ],
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO...", help="Pictures whose answer is explained.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="The file to make: .png, and .html for --units."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    *,
    choices: Choices,
) -> None:
    """Show what a network looked at in photos, what excites its channels, and which concepts they detect."""
    given = photos or []
    asked = choices.asked(given)
    target = _target(asked, choices, given) if out is None else out
    _check_target(target, ".html" if asked == "units" else ".png", given)
    with output.progress() as show:
        outcome = _outcome(model, given, asked, choices, target, show)
    if json:
        output.say_json({"model": model, **outcome.result})
        return
    if outcome.rows:
        output.say_table(outcome.titles, outcome.rows)
    for line in outcome.lines:
        output.say(line)


def _outcome(
    model: str, photos: list[Path], asked: str, choices: Choices, out: Path, on_event: OnEvent
) -> Outcome:
    from striate.cli.attributions import ask, explain_photos
    from striate.cli.explaining import find_explained, read_data
    from striate.cli.features import dissect_images, visualise_units
    from striate.cli.method_sheet import explain_by_all

    explained = find_explained(model, size=choices.size, device=choices.device)
    if explained.of_series and asked != "photos":
        raise LayerError(
            f"{model} takes series, which are explained by one method at a time; name files of series, and "
            "perhaps a --method"
        )
    if asked == "units":
        return _units(explained, str(choices.units), choices.data, out, on_event)
    if asked == "dissect":
        source, split = read_data(explained, choices.data, on_event)
        return dissect_images(explained, source, split.images, out, on_event)
    if asked == "visualise":
        known = choices.data is not None or explained.source is not None
        images = read_data(explained, choices.data, on_event)[1].images if known else None
        return visualise_units(explained, str(choices.visualise), images, out, on_event)
    if choices.sanity and explained.multi_label:
        raise LayerError(
            f"--sanity measures by how much one class wins over the others, and {model} says any number of "
            "labels an image; leave it out"
        )
    answered = ask(explained, photos, choices.target)
    looks = choices.layer, choices.sanity
    if asked == "all":
        return explain_by_all(answered, out, *looks, on_event)
    return explain_photos(answered, choices.method or DEFAULT, out, *looks, on_event)


def _units(explained: Explained, layer: str, data: str | None, out: Path, on_event: OnEvent) -> Outcome:
    from striate.cli.attributions import Outcome, write_picture
    from striate.cli.explaining import read_data
    from striate.explain.units_page import units_page

    source, split = read_data(explained, data, on_event)
    network, path = explained.network, explained.path_of(layer)
    found = []

    def write(to: Path) -> None:
        page = units_page(
            network,
            split.images,
            path,
            to,
            labels=None if split.labels.ndim == 2 else split.labels,
            classes=explained.classes,
            on_event=on_event,
        )
        found.append(page)

    write_picture(write, out)
    result = {"data": source, **found[0].to_dict(), "out": str(out)}
    channels, total = found[0].field.channels, found[0].total
    said = f"what excites the {channels} channels of {layer} most in {total:,} images of {source}"
    return Outcome(result=result, lines=[f"{printable(said)} is in {printable(output.command(str(out)))}"])


def _target(asked: str, choices: Choices, photos: list[Path]) -> Path:
    if asked in ("photos", "all"):
        return Path(f"{photos[0].stem}-{'methods' if asked == 'all' else choices.method or DEFAULT}.png")
    named = {"units": choices.units, "visualise": choices.visualise, "dissect": "dissection"}[asked]
    plain = "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in str(named))
    return Path(f"units-{plain}.html" if asked == "units" else f"{plain}.png")


def _check_target(target: Path, suffix: str, photos: list[Path]) -> None:
    if target.suffix.lower() != suffix:
        raise RunError(
            f"cannot write {target}: this is written as {suffix}; name a file such as {target.stem}{suffix}"
        )
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: there is no folder {target.parent}")
    if any(target.exists() and photo.exists() and target.samefile(photo) for photo in photos):
        raise RunError(f"{target} is a photo itself, which would be lost; name another file with --out")
