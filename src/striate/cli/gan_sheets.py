"""What is drawn of latents: samples on a sheet, walks as strips and films, planes, and sums of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.cli import output
from striate.cli.attributions import Outcome, write_picture
from striate.cli.gan_latent import Taken, of_class
from striate.core.errors import LayerError, unknown_name
from striate.core.events import Event, OnEvent
from striate.engine.progress import printable

if TYPE_CHECKING:
    from torch import Tensor

PATHS = ("spherical", "linear", "both")
STRIP_STEPS, FILM_STEPS = 9, 24
"""Steps of a leg where none are named, of a strip and of a film."""

MOST_COLUMNS = 20
"""Of so many classes at most each has a column of the sheet."""

_AT_ONCE = 4096


def sample_images(taken: Taken, out: Path, keep: Path | None, on_event: OnEvent) -> Outcome:
    """Draw latents on a sheet, or write their images to a file of arrays.

    Args:
        taken: the generator and the latents.
        out: a .png sheet; or an .npz of all images, which `striate.open_dataset` reads where they have
            classes.
        keep: where to write the latents too; ``None``: nowhere.
        on_event: is given the progress.

    Returns:
        What was made.

    Raises:
        RunError: where a file cannot be written.
        LayerError: where there are more than a sheet holds.
    """
    count = len(taken.latents)
    if out.suffix == ".npz":
        _write_arrays(taken, out, on_event)
    else:
        from striate.plots.generated import MOST_SAMPLES, sample_sheet

        if count > MOST_SAMPLES:
            raise LayerError(
                f"{count:,} images are more than a sheet of {MOST_SAMPLES} holds; --out samples.npz takes all"
            )
        images = taken.generator.images(taken.latents, taken.labels).numpy()
        captions = [taken.caption(row) for row in range(count)]
        draw = partial(sample_sheet, images, captions=captions, columns=_columns(taken))
        title, note = f"{count} samples", f"Of {taken.told}; below each its number."
        write_picture(partial(draw, title=title, note=note), out)
    result = {"images": count, "latents": taken.told}
    return _made(result, f"{count:,} images of {taken.told} are", out, kept=_kept(taken, taken.latents, keep))


def interpolate_latents(
    taken: Taken, rows: Sequence[int], *, steps: int | None, path: str, out: Path
) -> Outcome:
    """Walk from latent to latent, and draw the way as a strip or a film.

    Args:
        taken: the generator and the latents.
        rows: numbers of the latents, at least 2.
        steps: of each leg, its ends among them; ``None``: 9 of a strip, 24 of a film.
        path: ``spherical``, ``linear``, or ``both``.
        out: a .png strip, or a .gif film that goes back to the first latent.

    Returns:
        What was made.

    Raises:
        LayerError: for an unknown path, where there is no such latent, or fewer than 2 steps.
        ShapeError: where there are not two latents, or a film is too long.
        RunError: where the file cannot be written.
    """
    import torch

    from striate.gan.latent_paths import route
    from striate.plots import animation, generated_rows

    if path not in PATHS:
        raise LayerError(unknown_name("path", path, PATHS))
    paths = PATHS[:2] if path == "both" else (path,)
    film = out.suffix == ".gif"
    steps = (FILM_STEPS if film else STRIP_STEPS) if steps is None else steps
    latents = taken.rows(rows)
    walks = [taken.images(route(latents, steps, path=each, closed=film)) for each in paths]
    if film:
        write_picture(partial(animation, torch.cat(walks, dim=3).numpy()), out)
    else:
        captions = [f"{step / (steps - 1):.2g}" for step in range(steps)]
        drawn = [
            ([f"{start} to {end}", each], walk[leg * (steps - 1) :][:steps].numpy(), captions)
            for leg, (start, end) in enumerate(pairwise(rows))
            for each, walk in zip(paths, walks, strict=True)
        ]
        title = f"From latent to latent, {_listed(paths)}{of_class(taken)}"
        write_picture(partial(generated_rows, drawn, title=title, note=f"Latents of {taken.told}."), out)
    result = {"rows": list(rows), "steps": steps, "path": path, "class": taken.class_name() or None}
    return _made(result, f"the way through {_listed(rows)} of {taken.told} is", out)


def draw_plane(taken: Taken, rows: Sequence[int], *, side: int, path: str, out: Path) -> Outcome:
    """Draw the plane through three latents.

    Args:
        taken: the generator and the latents.
        rows: numbers of the latents: above left, above right, below left.
        side: images along each side.
        path: ``spherical`` or ``linear``.
        out: the .png file to be made or replaced.

    Returns:
        What was made.

    Raises:
        ShapeError: where there are not three latents.
        LayerError: where there is no such latent, or no such plane.
        RunError: where the file cannot be written.
    """
    from striate.gan.latent_paths import plane
    from striate.plots import plane_sheet

    latents = plane(taken.rows(rows), side, path=path)
    images = taken.images(latents.flatten(0, 1)).numpy()
    corners = [*map(str, rows), f"{rows[1]} + {rows[2]} - {rows[0]}"]
    draw = partial(plane_sheet, images.reshape(side, side, *images.shape[1:]), corners=corners)
    title = f"The plane through latents {_listed(rows)}{of_class(taken)}"
    note = f"Latents of {taken.told}; {path}; the fourth corner is what the other three add up to."
    write_picture(partial(draw, title=title, note=note), out)
    result = {"rows": list(rows), "side": side, "path": path, "class": taken.class_name() or None}
    return _made(result, f"the plane through {_listed(rows)} of {taken.told} is", out)


def add_up(taken: Taken, groups: Mapping[str, Sequence[int]], *, out: Path, keep: Path | None) -> Outcome:
    """Add up groups of latents, and draw the groups, their means and the sum.

    Args:
        taken: the generator and the latents.
        groups: numbers of latents of ``base``, ``minus`` and ``plus``.
        out: the .png file to be made or replaced.
        keep: where to write the sum too; ``None``: nowhere.

    Returns:
        What was made.

    Raises:
        LayerError: where there is no such latent.
        RunError: where a file cannot be written.
    """
    import torch

    from striate.gan.latent_paths import arithmetic
    from striate.plots import generated_rows

    base, minus, plus = (taken.rows(groups[name]) for name in ("base", "minus", "plus"))
    total = arithmetic(base, minus, plus)[None]
    drawn = []
    for name, latents in (("base", base), ("\N{MINUS SIGN} minus", minus), ("+ plus", plus)):
        # As long as a draw is, as the sum is too.
        mean = latents.mean(dim=0, keepdim=True) * math.sqrt(len(latents))
        captions = ["mean of", *map(str, groups[name.split()[-1]])]
        drawn.append(([name], taken.images(torch.cat([mean, latents])).numpy(), captions))
    drawn.append((["= sum"], taken.images(total).numpy(), [""]))
    title = f"A sum of latents{of_class(taken)}"
    note = f"Latents of {taken.told}: the means of the rows, with the signs beside them."
    write_picture(partial(generated_rows, drawn, title=title, note=note), out)
    result = {**{name: list(rows) for name, rows in groups.items()}, "latent": total[0].tolist()}
    return _made(result, f"the sum of latents of {taken.told} is", out, kept=_kept(taken, total, keep))


def _write_arrays(taken: Taken, out: Path, on_event: OnEvent) -> None:
    import numpy as np

    from striate.core.files import atomic_path
    from striate.gan.eyes import as_bytes

    parts, total = [], len(taken.latents)
    for start in range(0, total, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        labels = None if taken.labels is None else taken.labels[some]
        parts.append(as_bytes(taken.generator.images(taken.latents[some], labels)))
        done = min(start + _AT_ONCE, total)
        on_event(Event("prepare", {"what": "generating", "done": done, "total": total, "unit": "images"}))
    arrays: dict[str, Any] = {"images": np.concatenate(parts)}
    if taken.labels is not None:
        arrays |= {"labels": taken.labels.numpy(), "classes": np.array(taken.generator.class_names)}

    def write(path: Path) -> None:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_picture(write, out)


def _columns(taken: Taken) -> int | None:
    """Give each class a column where they take turns, if they are not too many."""
    classes = taken.generator.classes
    if classes is None or taken.labels is None or not 1 < classes <= min(MOST_COLUMNS, len(taken.labels)):
        return None
    return classes if taken.labels[:classes].tolist() == list(range(classes)) else None


def _kept(taken: Taken, latents: Tensor, path: Path | None) -> Path | None:
    """Write latents where that is asked for."""
    from striate.gan.latent_file import write_latents

    if path is not None:
        write_latents(path, latents, None if taken.labels is None else taken.labels[: len(latents)])
    return path


def _made(result: dict[str, Any], what: str, out: Path, *, kept: Path | None = None) -> Outcome:
    lines = [f"{what} in {output.command(str(out))}"]
    if kept is not None:
        result["kept"] = str(kept)
        lines.append(f"the latents are in {output.command(str(kept))}")
    return Outcome(result={**result, "out": str(out)}, lines=list(map(printable, lines)))


def _listed(names: Sequence[object]) -> str:
    words = list(map(str, names))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
