"""``striate attack``: what accuracy attacks leave, what one does to a photo, and what answers withstand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.cli.options import with_options_of
from striate.core.errors import AttackError, RunError

if TYPE_CHECKING:
    from striate.cli.attributions import Outcome
    from striate.core.events import OnEvent

USUAL = {"linf": "8/255", "l2": "0.5"}
"""Radii that are meant where none is given."""

METHOD = "pgd"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is asked for besides the network and the photos."""

    eps: Annotated[
        str | None,
        typer.Option(
            metavar="RADIUS", help="How far images may be changed, of [0, 1] [default: 8/255; l2: 0.5]."
        ),
    ] = None
    norm: Annotated[str, typer.Option(help="How that is measured: linf, l2, l1 or l0 (pixels).")] = "linf"
    minutes: Annotated[
        float | None,
        typer.Option(help="How long all attacks together may take [default: 2].", show_default=False),
    ] = None
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD", help=f"The attack on photos, such as fgsm or apgd-t [default: {METHOD}]."
        ),
    ] = None
    target: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="The answer that photos are to get [default: any wrong one]."),
    ] = None
    invariance: Annotated[
        bool, typer.Option("--invariance", help="Shift, turn, blur ... images, and see which answers stay.")
    ] = False
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="Labelled images [default: what it was trained on].")
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
            ``photos``, ``invariance`` or ``accuracy``.

        Raises:
            typer.BadParameter: where options are given that have no meaning for it.
        """
        asked = "photos" if photos else "invariance" if self.invariance else "accuracy"
        if photos and self.invariance:
            raise typer.BadParameter("--invariance and a PHOTO are given; give one of them")
        unused: dict[str, dict[str, object]] = {
            "photos": {"--minutes": self.minutes, "--data": self.data},
            "invariance": {
                "--eps": self.eps,
                "--minutes": self.minutes,
                "--method": self.method,
                "--target": self.target,
            },
            "accuracy": {"--method": self.method, "--target": self.target},
        }
        useless = [option for option, value in unused[asked].items() if value is not None]
        if useless:
            why = {"photos": "a PHOTO has no use for it", "invariance": "--invariance has no use for it"}
            raise typer.BadParameter(f"{useless[0]} is given, and {why.get(asked, 'it is for a PHOTO')}")
        return asked

    @property
    def radius(self) -> str:
        """The ball as `striate.attack.parse_ball` reads it.

        Raises:
            AttackError: where the norm has no usual radius and none is given.
        """
        eps = self.eps or USUAL.get(self.norm)
        if eps is None:
            raise AttackError(
                f"--norm {self.norm} has no usual radius; give one with --eps, such as 12 for l1 or 5 for l0"
            )
        return f"{self.norm}:{eps}"


@with_options_of(Choices)
def attack(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run, a model file, or module:factory of your own code.")
    ],
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO...", help="Pictures that are attacked.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT", help="A folder for figures and pictures; with photos or --invariance a .png file."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    *,
    choices: Choices,
) -> None:
    """Measure the accuracy that attacks leave, and say how far to believe it; or attack a photo."""
    given = photos or []
    asked = choices.asked(given)
    if asked != "accuracy":
        usual = f"{given[0].stem}-adversarial.png" if given else "invariance.png"
        out = Path(usual) if out is None else out
        _check_picture(out, given)
    elif out is not None and out.exists() and not out.is_dir():
        raise RunError(f"cannot write into {out}: it is a file; name a folder with --out")
    with output.progress() as show:
        outcome = _outcome(model, given, asked, choices, out, show)
    if json:
        output.say_json({"model": model, **outcome.result})
        return
    if outcome.rows:
        output.say_table(outcome.titles, outcome.rows, numbers=range(2, len(outcome.titles)))
    for line in outcome.lines:
        output.say(line)


def _outcome(
    model: str, photos: list[Path], asked: str, choices: Choices, out: Path | None, on_event: OnEvent
) -> Outcome:
    from striate.attack import parse_ball
    from striate.cli.attacking import attack_photos, find_attacked, robust_accuracy
    from striate.cli.explaining import read_data
    from striate.cli.invariance import measure_invariance

    ball = None if asked == "invariance" else parse_ball(choices.radius)
    attacked = find_attacked(model, size=choices.size, device=choices.device)
    if ball is not None and photos and out is not None:
        return attack_photos(
            attacked, photos, ball, out, method=choices.method or METHOD, target=choices.target
        )
    source, split = read_data(attacked.explained, choices.data, on_event)
    if ball is not None:
        seconds = 60 * (2.0 if choices.minutes is None else choices.minutes)
        return robust_accuracy(attacked, source, split, ball, out, seconds=seconds, on_event=on_event)
    assert out is not None
    # In float32: under autocast the changes themselves would be rounded.
    return measure_invariance(attacked.explained, source, split, out, on_event)


def _check_picture(target: Path, photos: list[Path]) -> None:
    if target.suffix.lower() != ".png":
        raise RunError(
            f"cannot write {target}: this is written as .png; name a file such as {target.stem}.png"
        )
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: there is no folder {target.parent}")
    if any(target.exists() and photo.exists() and target.samefile(photo) for photo in photos):
        raise RunError(f"{target} is a photo itself, which would be lost; name another file with --out")
