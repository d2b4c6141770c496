"""What ``striate attack`` does: evaluate a classifier as it is deployed, or attack photos."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli import output
from striate.cli.attributions import Outcome, write_picture
from striate.cli.explaining import Explained, find_explained, in_unit_range, read_photos
from striate.core.device import Policy
from striate.core.errors import AttackError, RunError, unknown_name
from striate.core.events import OnEvent
from striate.core.files import write_text
from striate.engine.progress import printable

if TYPE_CHECKING:
    from torch import Tensor

    from striate.attack import Attack, Ball, Evaluation
    from striate.data import Split
    from striate.plots import AdversarialTile

SHOWN = 4
"""So many fallen images are drawn."""


@dataclass(frozen=True)
class Attacked:
    """A network as it is deployed.

    Args:
        explained: the network, and how pictures become what it takes.
        policy: how it computes when it is deployed; ``None``: in float32.
    """

    explained: Explained
    policy: Policy | None

    def deployed(self) -> AbstractContextManager[object]:
        """Give the context in which it computes as it is deployed; gradients are of float32 there too."""
        return nullcontext() if self.policy is None else self.policy.autocast()


def find_attacked(word: str, *, size: str | None, device: str | None) -> Attacked:
    """Find what is to be attacked: a run or model file as it answers `striate predict`, or the user's code.

    Args:
        word: a run, a model file, or ``module:factory``.
        size: pixels of the images, for the user's code alone.
        device: where to compute; ``None`` chooses.

    Returns:
        The network.

    Raises:
        StriateError: as `striate.cli.explaining.find_explained`.
    """
    explained = find_explained(word, size=size, device=device)
    if explained.of_series:
        raise AttackError(
            f"{word} takes series, and pictures are attacked here; striate.attack in Python attacks what "
            "has numbers in [0, 1]"
        )
    if explained.multi_label:
        raise AttackError(
            f"{word} says any number of labels an image, and attacks turn one class into another; a network "
            "that says one class can be attacked"
        )
    if not explained.inside:
        return Attacked(explained, None)
    from striate.classifier import load

    classifier = load(word, device=device)
    return Attacked(replace(explained, network=classifier), classifier.policy)


def robust_accuracy(
    attacked: Attacked,
    source: str,
    split: Split,
    ball: Ball,
    out: Path | None,
    *,
    seconds: float,
    on_event: OnEvent,
) -> Outcome:
    """Measure the accuracy that attacks leave, within a time.

    Args:
        attacked: the network.
        source: where the images are from.
        split: the images, as the network takes them, and their labels.
        ball: in which they may be changed.
        out: a folder for figures and pictures; ``None``: none are written.
        seconds: how long all may take.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        AttackError: where the images, the radius or the time are not what an evaluation takes.
        RunError: where a file cannot be written.
    """
    import torch

    from striate.attack import evaluate
    from striate.attack.evaluation import MOST
    from striate.attack.sampling import stratified
    from striate.data.batches import as_tensor

    labels = torch.as_tensor(split.labels).long()
    # Chosen here too, so that of images on the disk only these are read.
    rows = stratified(labels, MOST, generator=torch.Generator().manual_seed(0)).sort().values
    images = as_tensor(split.images[rows.numpy()])
    with attacked.deployed():
        found = evaluate(
            attacked.explained.network, images, labels[rows], ball=ball, seconds=seconds, on_event=on_event
        )
    found = replace(found, rows=rows[found.rows])
    result: dict[str, Any] = {"data": source, **found.to_dict()}
    written: list[Path] = []
    if out is not None:
        written = _write(attacked, source, split, found, out)
        result["out"] = [str(path) for path in written]
    return Outcome(
        result=result,
        lines=[*_lines(found), *(f"written: {printable(str(path))}" for path in written)],
        titles=("attack", "strength", "attacked", "fell", "seconds"),
        rows=[
            (
                each.name,
                each.how,
                f"{each.attacked:,} of {each.standing:,}",
                f"{each.fell:,}",
                f"{each.seconds:.1f}",
            )
            for each in found.attacks
        ],
    )


def _lines(found: Evaluation) -> list[str]:
    from striate.attack.radii import at_radius, radius_text

    curve = ", ".join(
        f"{radius_text(at_radius(found.ball, point.eps)) if point.eps else 'clean'} "
        f"{output.percent(point.accuracy.value, 1)}"
        for point in found.curve
    )
    lines = [found.finding, f"by radius: {curve}"]
    if found.masking is not None:
        lines.append(found.masking.finding)
        for sign in found.masking.signs:
            if sign.suspected:
                lines += [f"  {sign.name}: {sign.finding}", f"    what to do: {sign.action}"]
            elif sign.suspected is None:
                lines.append(f"  {sign.name}: {sign.finding}")
    return [printable(line) for line in [*lines, *found.notes]]


def _write(attacked: Attacked, source: str, split: Split, found: Evaluation, out: Path) -> list[Path]:
    from striate.attack.radii import radius_text
    from striate.plots import adversarial_picture, robust_curve

    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "evaluation.json", json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise RunError(f"cannot write into {out}: {error.strerror or error}") from error
    said = f"{radius_text(found.ball)}, {found.images:,} images of {Path(source).name}"
    draw = partial(
        robust_curve,
        [point.eps for point in found.curve],
        [point.accuracy.value for point in found.curve],
        [(point.accuracy.low, point.accuracy.high) for point in found.curve],
        title=f"accuracy under attack: {said}",
        axis=f"{found.ball.name} radius",
        chance=1 / len(attacked.explained.classes),
    )
    write_picture(draw, out / "curve.png")
    written = [out / "evaluation.json", out / "curve.png"]
    places = found.fallen.nonzero().squeeze(1)[:SHOWN]
    if len(places):
        rows = found.rows[places].numpy()
        clean = in_unit_range(list(split.images[rows]), "cpu")
        names = [f"image {row}" for row in rows.tolist()]
        lines = [[f"felled by {found.strongest[place]}"] for place in places.tolist()]
        tiles = _tiles(attacked, clean, found.changed[places], names, lines)
        draw_tiles = partial(adversarial_picture, tiles, title=f"what attacks did: {said}")
        write_picture(draw_tiles, out / "adversarial.png")
        written.append(out / "adversarial.png")
    return written


def attack_photos(
    attacked: Attacked, photos: Sequence[Path], ball: Ball, out: Path, *, method: str, target: str | None
) -> Outcome:
    """Attack photos, and draw each before, what was added, and after.

    Args:
        attacked: the network.
        photos: files, at least one.
        ball: in which they may be changed.
        out: the picture to be made or replaced.
        method: a name of `striate.attack.ATTACKS`.
        target: name or number of the class that is to be answered; ``None``: any but the present answer.

    Returns:
        What was found.

    Raises:
        DataError: where a photo cannot be read.
        AttackError: where there is no such attack, it has no form for the ball, or a photo is answered so
            already.
        LayerError: where there is no such class.
        RunError: where the picture cannot be written.
    """
    from striate.attack import BallAttack
    from striate.attack.radii import radius_text
    from striate.plots import adversarial_picture

    explained = attacked.explained
    images = in_unit_range(read_photos(explained, photos), explained.device)
    before = _probabilities(attacked, images)
    labels = before.argmax(dim=1)
    wanted = None if target is None else explained.target(target)
    if wanted is not None and bool((labels == wanted).any()):
        name = photos[int((labels == wanted).nonzero()[0])]
        raise AttackError(
            f"{name} is answered {explained.classes[wanted]} already; name another class with --target"
        )
    made = _attack(method, ball, wanted)
    with attacked.deployed():
        changed = made(explained.network, images, labels)
    after = _probabilities(attacked, changed)
    answers = after.argmax(dim=1)
    fell = (answers != labels) if wanted is None else (answers == wanted)
    said = f"{method} within {radius_text(ball)}" if isinstance(made, BallAttack) else method
    names = [photo.name for photo in photos]
    lines = [[said if one else f"{said}: withstood"] for one in fell.tolist()]
    tiles = _tiles(attacked, images.cpu(), changed.cpu(), names, lines)
    note = "what is added, drawn as large as can be; its scale is beside it"
    write_picture(partial(adversarial_picture, tiles, title=said, note=note), out)
    norms = ball.norms((changed.double() - images.double()).cpu()).tolist()
    results, told = [], []
    for place, photo in enumerate(photos):
        (was, sure), (now, certain) = tiles[place].before, tiles[place].after
        figures = {"predicted": was, "probability": sure, "after": now, "after_probability": certain}
        results.append({"photo": str(photo), **figures, "fell": bool(fell[place]), ball.name: norms[place]})
        told.append(
            f"{printable(str(photo))}  {was} ({output.percent(sure, 1)}) -> {now} "
            f"({output.percent(certain, 1)}), {ball.name} {norms[place]:.3g}"
            f"{'' if fell[place] else '; it withstood'}"
        )
    result = {
        "method": method,
        "norm": ball.name,
        "eps": ball.eps if math.isfinite(ball.eps) else None,
        "photos": results,
        "out": str(out),
    }
    return Outcome(result=result, lines=[*told, f"the picture is in {printable(output.command(str(out)))}"])


def _attack(method: str, ball: Ball, wanted: int | None) -> Attack:
    from striate.attack import ATTACKS, Targeted

    if method not in ATTACKS:
        raise AttackError(unknown_name("attack", method, ATTACKS))
    made = ATTACKS[method](ball)
    return made if wanted is None else replace(made, goal=Targeted(wanted))


def _probabilities(attacked: Attacked, images: Tensor) -> Tensor:
    from striate.attack import Victim

    with attacked.deployed(), Victim(attacked.explained.network) as victim:
        where = victim.device or images.device
        logits = victim.logits(images.to(where))
    return (logits / attacked.explained.temperature).softmax(dim=1).to(images.device)


def _tiles(
    attacked: Attacked, clean: Tensor, changed: Tensor, names: Sequence[str], lines: Sequence[Sequence[str]]
) -> list[AdversarialTile]:
    from striate.plots import AdversarialTile

    answers = [
        [
            (attacked.explained.classes[int(row.argmax())], row.max().item())
            for row in _probabilities(attacked, images)
        ]
        for images in (clean, changed)
    ]
    return [
        AdversarialTile(
            clean[place].double().numpy(),
            changed[place].double().numpy(),
            name,
            answers[0][place],
            answers[1][place],
            lines[place],
        )
        for place, name in enumerate(names)
    ]
