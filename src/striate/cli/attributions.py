"""Photos explained by one method, as a picture with a row for each photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli import output
from striate.cli.explaining import Explained, in_unit_range, read_photos, read_series
from striate.core.errors import LayerError, RunError, unknown_name
from striate.core.events import OnEvent
from striate.engine.progress import printable

if TYPE_CHECKING:
    from torch import Tensor

    from striate.data.dataset import Pixels
    from striate.explain import Attribution

COLOURS = "orange is over 0, blue under it: for and against the class, where a map has signs;"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was found, for programs and for people.

    Args:
        result: for JSON.
        lines: to be printed after the table.
        titles: of the table; empty where there is none.
        rows: of the table.
    """

    result: dict[str, Any]
    lines: Sequence[str]
    titles: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Photos with what the network says of them.

    Args:
        explained: the network.
        photos: files.
        pixels: uint8 (C, H, W) of each, as the network takes them.
        images: the same in [0, 1], on its device.
        probabilities: (N, classes).
        targets: int64 (N), the classes to explain.
    """

    explained: Explained
    photos: Sequence[Path]
    pixels: Sequence[Pixels]
    images: Tensor
    probabilities: Tensor
    targets: Tensor

    def answer(self, place: int) -> dict[str, Any]:
        """Give what the network says of a photo, and which class is explained."""
        classes, row = self.explained.classes, self.probabilities[place]
        likeliest, target = int(row.argmax()), int(self.targets[place])
        return {
            "predicted": classes[likeliest],
            "probability": row[likeliest].item(),
            "target": classes[target],
            "target_probability": row[target].item(),
        }

    def lines(self, place: int) -> list[str]:
        """Say the same in a line or two."""
        said = self.answer(place)
        lines = [f"predicted {said['predicted']} ({output.percent(said['probability'], 1)})"]
        if said["target"] != said["predicted"]:
            lines.append(f"explained {said['target']} ({output.percent(said['target_probability'], 1)})")
        return lines


def ask(explained: Explained, photos: Sequence[Path], target: str | None) -> Answered:
    """Read photos and let a network answer.

    Args:
        explained: the network.
        photos: files, at least one.
        target: name or number of the class to explain; ``None``: the predicted one.

    Returns:
        The photos with the answers.

    Raises:
        DataError: where a photo cannot be read.
        LayerError: where there is no such class.
    """
    import torch

    from striate.engine.borrowing import borrowed
    from striate.explain.differentiating import plain_scores

    wanted = None if target is None else explained.target(target)
    if explained.of_series:
        photos, pixels = read_series(explained, photos)
    else:
        pixels = read_photos(explained, photos)
    images = in_unit_range(pixels, explained.device)
    with borrowed(explained.network):
        scores = plain_scores(explained.network, images)
    targets = scores.argmax(dim=1) if wanted is None else torch.full_like(scores[:, 0], wanted).long()
    calibrated = scores / explained.temperature
    probabilities = (calibrated.sigmoid() if explained.multi_label else calibrated.softmax(dim=1)).cpu()
    return Answered(
        explained=explained,
        photos=photos,
        pixels=pixels,
        images=images,
        probabilities=probabilities,
        targets=targets,
    )


def explain_photos(
    answered: Answered, name: str, out: Path, layer: str | None, sanity: bool, on_event: OnEvent
) -> Outcome:
    """Explain photos by one method, and draw it.

    Args:
        answered: the photos.
        name: of the method.
        out: the picture to be made or replaced.
        layer: where it looks, as `striate summary` names it; ``None``: it finds it.
        sanity: whether to check the method on these photos.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        LayerError: for an unknown method or layer, or where the method cannot explain the network.
        RunError: where the picture cannot be written.
    """
    from striate.explain import sanity as check
    from striate.explain.methods import METHODS
    from striate.plots import MapTile, SeriesTile, attribution_picture, series_attribution_picture

    if name not in METHODS:
        raise LayerError(unknown_name("method", name, METHODS))
    explained = answered.explained
    method = partial(METHODS[name], layer=None if layer is None else explained.path_of(layer))
    made = method(explained.network, answered.images, answered.targets, on_event=on_event)
    looked = name if made.layer is None else f"{name} at {explained.shown(made.layer)}"
    heat, gaps = made.heat().cpu().double().numpy(), gaps_of(made)
    tiles, photos, lines = [], [], []
    for place, photo in enumerate(answered.photos):
        values, gap = heat[place], gaps[place]
        said = answered.lines(place) + ([] if gap is None else [f"gap {gap:.2g}"])
        tiles.append((answered.pixels[place], values, photo.name, said))
        lines.append(f"{printable(str(photo))}  {'; '.join(said)}")
        figures = {"lowest": values.min(), "highest": values.max(), "sum": values.sum()}
        plain = {key: float(value) for key, value in figures.items()}
        photos.append({"photo": str(photo), **answered.answer(place), "gap": gap, **plain})
    note = f"{COLOURS} {made.note}".strip("; ")
    if explained.of_series:
        series = [SeriesTile(*tile) for tile in tiles]
        write_picture(partial(series_attribution_picture, series, title=looked, note=note), out)
    else:
        pictures = [MapTile(*tile) for tile in tiles]
        write_picture(partial(attribution_picture, pictures, title=looked, note=note), out)
    result: dict[str, Any] = {"method": name, **where(explained, made), "photos": photos, "out": str(out)}
    lines.append(f"{looked}: {made.note}" if made.note else looked)
    if sanity:
        checked = check(
            explained.network, answered.images, method, targets=answered.targets, on_event=on_event
        )
        result["sanity"] = checked.to_dict()
        lines.append(checked.finding)
    return Outcome(result=result, lines=[*lines, f"the picture is in {printable(output.command(str(out)))}"])


def where(explained: Explained, made: Attribution) -> dict[str, Any]:
    """Give where a method looked, and what is to be known of its map, for JSON."""
    return {"layer": None if made.layer is None else explained.shown(made.layer), "note": made.note}


def gaps_of(made: Attribution) -> list[float | None]:
    """Give the gap of each map; ``None`` where the method promises no sum."""
    return [None] * len(made.targets) if made.gap is None else list(made.gap.tolist())


def write_picture(draw: Callable[[Path], None], out: Path) -> None:
    """Draw a picture, and say where it cannot be written.

    Raises:
        RunError: where it cannot.
    """
    try:
        draw(out)
    except OSError as error:
        raise RunError(f"cannot write {out}: {error.strerror or error}") from error
