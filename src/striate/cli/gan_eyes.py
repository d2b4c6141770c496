"""``striate gan eyes``: a page on which people say which images are real, and how often they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from striate.cli import output
from striate.cli.attributions import Outcome, write_picture
from striate.cli.gan_latent import check_out, class_number, say_outcome
from striate.cli.gan_real import drawn_rows, open_real, unseen
from striate.core.events import OnEvent
from striate.engine.progress import printable


def eyes(
    run: Annotated[str, typer.Argument(metavar="RUN_OR_FILE", help="A run, or the file of a generator.")],
    data: Annotated[
        str | None, typer.Option(help="The real images; by default: those that it learnt from.")
    ] = None,
    n: Annotated[
        int, typer.Option("--n", min=4, max=2000, help="How many images to show, half of them real.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Of the choice of images, the latents and the order.")] = 0,
    of_class: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Show images of one class alone.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="PAGE.html", help="The page to make.")] = Path("eyes.html"),
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a page that shows real and generated images one at a time, blinded, and keeps the score."""
    check_out(out, ".html")

    def doing(on_event: OnEvent) -> Outcome:
        return make_page(run, data, out, count=n, seed=seed, of_class=of_class, on_event=on_event)

    say_outcome(run, doing, json=json)


def make_page(
    word: str,
    data: str | None,
    out: Path,
    *,
    count: int,
    seed: int,
    of_class: str | None,
    on_event: OnEvent,
) -> Outcome:
    """Choose real and generated images by chance, and write the page.

    The real ones are of the test part where there is one, else of the validation part: the generator has seen
    none of either.

    Args:
        word: a run or the file of a generator.
        data: the real images; ``None``: those that it learnt from.
        out: the page to be made or replaced.
        count: how many images, half of them real.
        seed: of all that is chosen.
        of_class: the class of all images; ``None``: any.
        on_event: is given the progress.

    Returns:
        What was made.

    Raises:
        DataError: where the data cannot be used, is not known, or has too few images.
        ShapeError: where its images are not as the generator's.
        LayerError: where there are too few or too many images to be judged, or no such class.
        RunError: where the page cannot be written.
    """
    import torch

    from striate.core.seeds import derive
    from striate.data.batches import as_tensor
    from striate.gan import load_generator
    from striate.gan.eyes import eyes_page

    generator = load_generator(word)
    label = class_number(generator, of_class)
    dataset = open_real(generator, data, word, on_event)
    part, split = unseen(dataset)
    only = None if label is None else generator.class_names[label]
    rows = drawn_rows(split, dataset, count - count // 2, only=only, seed=seed)
    made = count // 2
    labels = generator.labels(made, seed=derive(seed, "eyes"))
    if labels is not None and label is not None:
        labels = torch.full_like(labels, label)
    generated = generator.images(generator.latents(made, seed=derive(seed, "eyes")), labels)
    names = dataset.classes if len(dataset.classes) > 1 else ("",)
    title = f"Real or generated: {printable(dataset.name)}"

    def write(path: Path) -> None:
        eyes_page(
            as_tensor(split.images[rows]),
            generated,
            path,
            title=title,
            real_captions=[printable(names[split.labels[row]]) for row in rows],
            generated_captions=[] if labels is None else [generator.class_names[each] for each in labels],
            seed=seed,
        )

    write_picture(write, out)
    result: dict[str, Any] = {"data": dataset.name, "part": part, "real": len(rows), "generated": made}
    line = (
        f"{len(rows)} images of the {part} part of {dataset.name} and {made} generated ones are in "
        f"{output.command(str(out))}: open it in a browser"
    )
    return Outcome(result={**result, "seed": seed, "out": str(out)}, lines=[printable(line)])
