"""``striate gan score``: what a generator makes, measured against real images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from striate.cli import output
from striate.core.events import Event

if TYPE_CHECKING:
    from striate.gan.scores import Scores


def score(
    run: Annotated[Path, typer.Argument(metavar="RUN_OR_FILE", help="A run, or the file of a generator.")],
    data: Annotated[
        str | None, typer.Option(help="The real images; by default: those that it learnt from.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--n", help="How many images to generate and to compare with real ones.")
    ] = 10_000,
    features: Annotated[
        str | None,
        typer.Option(
            help="By which network: striate-fashion-v1, striate-digits-v1, inception-v3 (or its published "
            ".pth file), or a run or model file of a classifier; by default: that of the data where there is "
            "one, else inception-v3."
        ),
    ] = None,
    part: Annotated[str, typer.Option(help="Of the data: train, validation or test.")] = "train",
    seed: Annotated[int, typer.Option(help="What latents and the choice of real images follow from.")] = 0,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N or mps; by default: the fastest there is.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score a generator by FID, KID, Inception Score, precision, recall, density and coverage."""
    from striate.gan.scoring import score as score_generator

    with output.progress() as show:
        scores = score_generator(
            run,
            data,
            samples=samples,
            features=features,
            part=part,
            seed=seed,
            device=device,
            on_event=show,
        )
        for warning in scores.warnings:
            show(Event("warning", {"message": warning}))
    if json:
        output.say_json({"generator": str(run), "part": part, "seed": seed, **scores.to_dict()})
    else:
        _say(scores, part)


def _say(scores: Scores, part: str) -> None:
    output.say(
        f"{scores.generated:,} generated images against {scores.real:,} of the {part} part, by "
        f"{scores.features:,} features of {scores.network}, in {scores.seconds:.1f} s"
    )
    output.say()
    rows = [
        (
            score.name,
            f"{score.value:.4g}",
            f"{score.interval[0]:.4g} to {score.interval[1]:.4g}",
            score.better,
            score.bias,
        )
        for score in scores.scores.values()
    ]
    output.say_table(("score", "value", "95 % interval", "better", "bias"), rows, numbers=(1,))
    if scores.class_shares:
        output.say()
        shares = [(name, output.percent(share, 1)) for name, share in scores.class_shares.items()]
        output.say_table(("class, as the network sees it", "samples"), shares, numbers=(1,))
