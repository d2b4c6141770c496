"""``striate data preview`` and ``striate data changes``: look at augmentation before training with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from striate.cli import output
from striate.cli.options import with_options_of
from striate.core.errors import DataError, RecipeError, RunError
from striate.engine.progress import printable

if TYPE_CHECKING:
    from striate.core.recipe import Recipe
    from striate.data import Dataset
    from striate.data.augmentation import Augmentation
    from striate.data.previewing import Preview
    from striate.plots import AugmentedRow

MOST_CLASSES_SAID = 2
"""Of how many classes at most the caption of a mixed image speaks."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is asked for besides the images."""

    augment: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="Changes with their strengths, such as flip,crop=0.3,hue=0.1,mixup=0.2, or trivial; "
            "'striate data changes' lists them [default: what training does by itself].",
        ),
    ] = None
    out: Annotated[Path, typer.Option(metavar="SHEET.png", help="The sheet to make.")] = Path("sheet.png")
    each: Annotated[bool, typer.Option("--each", help="A row for each change by itself, of one image.")] = (
        False
    )
    images: Annotated[int, typer.Option(min=1, help="How many images to show.")] = 6
    variants: Annotated[int, typer.Option(min=1, help="How often to change each.")] = 7
    size: Annotated[int | None, typer.Option(help="Side in pixels, as for training.")] = None
    fit: Annotated[
        str | None, typer.Option(help="How images become squares, as for training: pad, crop or stretch.")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="What chance follows from.")] = 0
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False


@with_options_of(Choices)
def preview(
    data: Annotated[str, typer.Argument(help="A named set, a folder, an archive, a .csv or an .npz.")],
    choices: Choices,
) -> None:
    """Draw a few images with what augmentation makes of them."""
    if choices.out.suffix.lower() != ".png":
        raise RunError(
            f"cannot write {choices.out}: sheets are PNG files; name one such as {choices.out.stem}.png"
        )
    from striate.core.recipe import Recipe
    from striate.data.augment_language import check_augment, make_augmentation, parse_policy, write_policy
    from striate.data.axes import NOUNS
    from striate.data.policy import Policy
    from striate.recipes import resolve
    from striate.training import open_for
    from striate.training.starting_point import starting_point

    parse_policy(choices.augment or "none")  # before anything is decoded
    wanted = Recipe(augment=choices.augment, size=choices.size, fit=choices.fit, seed=choices.seed)
    with output.progress() as show:
        wanted, _, dataset = starting_point(wanted, lambda recipe, **how: open_for(recipe, data, show, **how))
    if dataset.dims != 2:
        raise DataError(f"{dataset.name} holds {NOUNS[dataset.dims]}, and previews are of images")
    recipe = resolve(
        wanted,
        images=len(dataset.train),
        size=dataset.size,
        flip=dataset.flip,
        precision="float32",
    )
    check_augment(recipe.augment, channels=dataset.channels)
    augmentation = make_augmentation(recipe.augment, flip=bool(recipe.flip), shift=recipe.shift or 0)
    rows = _each(dataset, augmentation, choices) if choices.each else _all(dataset, augmentation, choices)
    changes = augmentation.changes if isinstance(augmentation, Policy) else ()
    policy = write_policy(changes, flip=augmentation.flip)
    _draw(rows, choices.out, name=dataset.name, said=_said(policy.replace(",", ", "), augmentation.shift))
    if choices.json:
        output.say_json(_plain(choices, recipe, policy, rows))
    else:
        counted = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
        output.say(f"{_said(policy, augmentation.shift)}: {counted} in {_quoted(choices.out)}")


def changes(json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """List the changes that --augment takes, with their usual strengths."""
    from striate.data.augment_language import CHANGES
    from striate.data.axes import NOUNS

    everything = ", ".join(NOUNS.values())
    flip = {"name": "flip", "of": everything, "does": "Mirror left to right, every other time."}
    found: list[dict[str, Any]] = [flip]
    for name, kind in CHANGES.items():
        usual, does = kind(), (kind.__doc__ or "").partition("\n")[0].replace("``", "")
        numbers = {"strength": usual.strength, "most": usual.limit, "share": usual.share}
        of = ", ".join(NOUNS[dims] for dims in kind.dims)
        found.append({"name": name, **numbers, "of": of, "does": does})
    if json:
        output.say_json(found)
        return
    keys = ("name", "strength", "most", "share", "of", "does")
    rows = [
        [f"{value:g}" if isinstance(value, float) else value for value in (one.get(key, "") for key in keys)]
        for one in found
    ]
    titles = ("change", "strength", "at most", "share", "of", "what it does")
    output.say_table(titles, rows, numbers=(1, 2, 3))
    output.say()
    output.say("NAME, NAME=STRENGTH or NAME=STRENGTH@SHARE, with commas in between; none: no change at all")


def _all(dataset: Dataset, augmentation: Augmentation, choices: Choices) -> list[AugmentedRow]:
    return [
        _row(found, [dataset.classes[label] for label in found.labels] or ["no label"], dataset.classes)
        for found in _previews(dataset, augmentation, choices, images=choices.images)
    ]


def _each(dataset: Dataset, augmentation: Augmentation, choices: Choices) -> list[AugmentedRow]:
    from striate.data.augment_language import write_policy
    from striate.data.policy import Policy
    from striate.data.previewing import apart

    rows = []
    for alone in apart(augmentation):
        changes = alone.changes if isinstance(alone, Policy) else ()
        said = write_policy(changes, flip=alone.flip) if not alone.shift else f"shift {alone.shift} pixels"
        # A mixture needs a second image; the first one's row is drawn.
        found = _previews(dataset, alone, choices, images=2)[0]
        rows.append(_row(found, [said], dataset.classes))
    if not rows:
        raise RecipeError("there is no change to be drawn by itself; name some with --augment")
    return rows


def _previews(
    dataset: Dataset, augmentation: Augmentation, choices: Choices, *, images: int
) -> list[Preview]:
    from striate.data.previewing import preview

    return preview(
        dataset.train,
        augmentation,
        images=images,
        variants=choices.variants,
        classes=len(dataset.classes),
        seed=choices.seed,
    )


def _row(found: Preview, label: list[str], classes: tuple[str, ...]) -> AugmentedRow:
    from striate.plots import AugmentedRow

    captions = ["as it is"]
    for shares in found.shares:
        most = sorted(range(len(classes)), key=lambda number: -shares[number])[:MOST_CLASSES_SAID]
        mixed = [
            f"{classes[number]} {shares[number] * 100:.0f} %" for number in most if shares[number] > 0.005
        ]
        is_mixed = any(0.005 < share < 0.995 for share in shares)
        captions.append(", ".join(mixed) if is_mixed else "")
    return AugmentedRow(found.original, found.variants, label, captions)


def _draw(rows: list[AugmentedRow], out: Path, *, name: str, said: str) -> None:
    from striate.plots import augmentation_sheet

    note = f"{said}. The first picture of a row is as it is; the others are what a training may see of it."
    try:
        augmentation_sheet(rows, out, title=f"{name}, augmented", note=note)
    except OSError as error:
        raise RunError(f"cannot write the sheet {out}: {error.strerror or error}") from error


def _plain(choices: Choices, recipe: Recipe, policy: str, rows: list[AugmentedRow]) -> dict[str, Any]:
    return {
        "augment": policy,
        "flip": recipe.flip,
        "shift": recipe.shift,
        "rows": [list(row.label) for row in rows],
        "variants": choices.variants,
        "seed": choices.seed,
        "out": str(choices.out),
    }


def _said(policy: str, shift: int) -> str:
    shifted = f"shifted by up to {shift} pixel{'' if shift == 1 else 's'}"
    if policy == "none":
        return shifted if shift else "no augmentation"
    return f"{policy}, {shifted}" if shift else policy


def _quoted(path: Path) -> str:
    return printable(output.command(str(path)))
