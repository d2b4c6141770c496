"""What `striate gan project` and `directions` do: find latents of images, and directions among latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli import output
from striate.cli.attributions import Outcome, write_picture
from striate.cli.gan_latent import Taken, of_class
from striate.cli.gan_real import drawn_rows, open_real, unseen
from striate.core.errors import DataError
from striate.core.events import OnEvent
from striate.engine.progress import printable

if TYPE_CHECKING:
    from torch import Tensor

    from striate.gan import TrainedGenerator
    from striate.gan.projection import Descent, Projection

OWN = 4
"""So many of the generator's own samples are projected too, to say what a distance means."""

_ACROSS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """Images that are to be projected.

    Args:
        images: N x C x S x S in [0, 1].
        names: of each.
    """

    images: Tensor
    names: tuple[str, ...]


def read_photos(generator: TrainedGenerator, photos: Sequence[Path]) -> Given:
    """Read photos as a generator's images are.

    Args:
        generator: says their size and channels, and how pictures of another shape were fitted for it.
        photos: files, at least one.

    Returns:
        The images.

    Raises:
        DataError: where one cannot be read, naming it.
    """
    from striate.cli.explaining import in_unit_range
    from striate.data import decode_image

    side, channels = generator.size, generator.channels
    found = []
    for photo in photos:
        try:
            found.append(
                decode_image(
                    photo,
                    size=(side, side),
                    channels=channels,
                    fit=fit_of(generator),
                    fill=(0,) * channels,
                )
            )
        except DataError as error:
            raise DataError(f"{photo}: {error}") from error
    return Given(images=in_unit_range(found, "cpu"), names=tuple(photo.name for photo in photos))


def draw_given(
    generator: TrainedGenerator, word: str, data: str | None, count: int, *, seed: int, on_event: OnEvent
) -> Given:
    """Draw images by chance that a generator has not learnt from.

    Args:
        generator: says how they are opened.
        word: the run or file that it is from.
        data: any source of images; ``None``: what it learnt from.
        count: how many.
        seed: of the choice.
        on_event: is given the progress.

    Returns:
        The images.

    Raises:
        DataError: where they cannot be used, or are too few.
        ShapeError: where they are not as the generator's.
    """
    from striate.cli.explaining import in_unit_range

    dataset = open_real(generator, data, word, on_event)
    part, split = unseen(dataset)
    rows = drawn_rows(split, dataset, count, only=None, seed=seed)
    names = tuple(f"{part} {row}" for row in rows.tolist())
    return Given(images=in_unit_range(list(split.images[rows]), "cpu"), names=names)


def fit_of(generator: TrainedGenerator) -> str:
    """Say how pictures of another shape were fitted when a generator was trained.

    Args:
        generator: whose file may tell its recipe.

    Returns:
        ``pad``, ``crop`` or ``stretch``; ``pad`` where nothing is known.
    """
    from striate.core.recipe import FITS

    recipe = generator.details.get("recipe")
    fit = recipe.get("fit") if isinstance(recipe, dict) else None
    return fit if isinstance(fit, str) and fit in FITS else "pad"


def project_images(
    generator: TrainedGenerator,
    given: Given,
    out: Path,
    *,
    label: int | None,
    descent: Descent,
    seed: int,
    keep: Path | None,
    on_event: OnEvent,
) -> Outcome:
    """Project images and some of the generator's own samples, and draw them beside what was found.

    Args:
        generator: that is to make them.
        given: the images.
        out: the .png file to be made or replaced.
        label: the class in which to look; ``None``: all.
        descent: how to look.
        seed: of the draws.
        keep: where to write the latents too; ``None``: nowhere.
        on_event: is given the progress.

    Returns:
        What was found.

    Raises:
        RunError: where a file cannot be written.
    """
    import torch

    from striate.core.seeds import derive
    from striate.gan.latent import cycled_labels
    from striate.gan.latent_file import write_latents
    from striate.gan.projection import project
    from striate.plots import generated_rows

    own = generator.latents(OWN, seed=derive(seed, "own samples"))
    samples = generator.images(own, cycled_labels(OWN, generator.classes, label))
    targets = torch.cat([given.images, samples])
    labels = None if label is None else cycled_labels(len(targets), generator.classes, label)
    found = project(generator.network, targets, labels=labels, descent=descent, seed=seed, on_event=on_event)
    count = len(given.images)
    rows = _pairs(given, found, generator)
    rows += [
        (["its own samples"], samples.numpy(), [""] * OWN),
        (["as found"], found.images[count:].numpy(), _distances(found, range(count, count + OWN))),
    ]
    title = f"Images and the nearest that the generator makes, {descent.starts} x {descent.steps} steps"
    note = "Below what was found: the root mean square difference of pixels in [0, 1]."
    write_picture(partial(generated_rows, rows, title=title, note=note), out)
    if keep is not None:
        write_latents(keep, found.latents[:count], None if found.labels is None else found.labels[:count])
    return _projected(generator, given, found, out, keep)


def _pairs(
    given: Given, found: Projection, generator: TrainedGenerator
) -> list[tuple[list[str], Any, list[str]]]:
    rows: list[tuple[list[str], Any, list[str]]] = []
    for start in range(0, len(given.images), _ACROSS):
        places = range(start, min(start + _ACROSS, len(given.images)))
        some = slice(places.start, places.stop)
        captions = _distances(found, places)
        if found.labels is not None:
            classes = [generator.class_names[int(label)] for label in found.labels[some]]
            captions = [f"{far} {name}" for far, name in zip(captions, classes, strict=True)]
        rows.append((["given"], given.images[some].numpy(), list(given.names[some])))
        rows.append((["found"], found.images[some].numpy(), captions))
    return rows


def _distances(found: Projection, places: range) -> list[str]:
    return [f"{found.distances[place].item():.3f}" for place in places]


def _projected(
    generator: TrainedGenerator, given: Given, found: Projection, out: Path, keep: Path | None
) -> Outcome:
    count = len(given.images)
    own = found.distances[count:]
    photos, rows = [], []
    for place, name in enumerate(given.names):
        best, drawn = found.distances[place].item(), found.drawn[place].item()
        label = None if found.labels is None else generator.class_names[int(found.labels[place])]
        photos.append({"image": name, "distance": best, "nearest_draw": drawn, "class": label})
        rows.append((name, f"{best:.4f}", f"{drawn:.4f}", label or ""))
    result: dict[str, Any] = {"images": photos, "own_samples": own.tolist(), "out": str(out)}
    lines = [
        f"its own samples are found again to within {own.max().item():.4f} (median "
        f"{own.median().item():.4f}, n = {len(own)}): what stays much farther away is nothing that it makes",
        f"the picture is in {output.command(str(out))}",
    ]
    if keep is not None:
        result["kept"] = str(keep)
        lines.append(f"the latents are in {output.command(str(keep))}")
    titles = ("image", "distance", "nearest draw", *([] if found.labels is None else ["class"]))
    return Outcome(
        result=result,
        lines=list(map(printable, lines)),
        titles=titles,
        rows=[row[: len(titles)] for row in rows],
    )


def draw_directions(
    taken: Taken, rows: Sequence[int], *, count: int, layer: str | None, strength: float, out: Path
) -> Outcome:
    """Find directions, and draw latents moved along each of them.

    Args:
        taken: the generator and the latents that are moved.
        rows: their numbers.
        count: of directions.
        layer: whose output is taken apart; ``None``: the first.
        strength: how far they are moved, standard deviations.
        out: the .png file to be made or replaced.

    Returns:
        What was found.

    Raises:
        LayerError: where there is no such layer, latent or number of directions.
        RunError: where the file cannot be written.
    """
    import torch

    from striate.gan.directions import SAMPLES, find_directions
    from striate.plots import generated_rows

    label = None if taken.labels is None else int(taken.labels[0])
    found = find_directions(taken.generator.network, count=count, layer=layer, label=label)
    moves = torch.linspace(-strength, strength, 7)
    captions = [f"{move:+.2g}" if move else "0" for move in moves.tolist()]
    drawn = []
    for number, direction in enumerate(found.latents):
        figures = [
            f"direction {number}: {output.percent(found.shares[number].item(), 1)} of variance",
            f"pixels {found.effects[number].item():.3f}, chance {found.chance[number].item():.3f}",
        ]
        for row, latent in zip(rows, taken.rows(rows), strict=True):
            moved = taken.images(latent + moves[:, None] * direction)
            drawn.append(([*figures, f"latent {row}"], moved.numpy(), captions))
    how = "linear: exact" if found.exact else f"from {SAMPLES:,} samples"
    title = f"Directions at layer '{found.layer}' ({how}){of_class(taken)}"
    note = (
        f"Latents of {taken.told}, moved by so many standard deviations of a component; beside them what one "
        "of these changes pixels in [0, 1] by, and what a random direction does."
    )
    write_picture(partial(generated_rows, drawn, title=title, note=note), out)
    line = f"the {count} directions at layer {found.layer} are in {output.command(str(out))}"
    return Outcome(
        result={**found.to_dict(), "strength": strength, "rows": list(rows), "out": str(out)},
        lines=[printable(line)],
        titles=("direction", "share of variance", "change of pixels", "by chance"),
        rows=[
            (str(number), output.percent(share, 1), f"{effect:.4f}", f"{chance:.4f}")
            for number, (share, effect, chance) in enumerate(
                zip(found.shares.tolist(), found.effects.tolist(), found.chance.tolist(), strict=True)
            )
        ],
    )
