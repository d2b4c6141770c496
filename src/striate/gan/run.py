"""The run of a generator: a directory of its recipe, figures, checkpoint, networks and sheets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from striate.core.errors import RunError
from striate.engine.run_directory import RunDirectory
from striate.gan.recipe import GanRecipe

if TYPE_CHECKING:
    from striate.gan.generator_file import TrainedGenerator

COLUMNS = (
    "epoch",
    "step",
    "seconds",
    "share",
    "generator_rate",
    "generator_loss",
    "discriminator_loss",
    "real_score",
    "fake_score",
    "penalty",
    "generator_gradients",
    "discriminator_gradients",
    "images_per_second",
)
"""The columns of ``results.csv``: means over the steps since the row before."""

FILES = (
    "recipe.toml",
    "results.csv",
    "events.jsonl",
    "generator.safetensors",
    "backbone.safetensors",
    "outcome.json",
    "rejected.csv",
    "sheet.png",
    "sheets",
    "checkpoint",
)
"""What a run may consist of."""


@dataclass(frozen=True)
class GanRun(RunDirectory):
    """One training of a generator on disk.

    ``generator.safetensors`` is the running average of the generator's weights, ``backbone.safetensors`` the
    discriminator's trunk; ``sheets`` holds pictures of the same latents over time, ``sheet.png`` the latest.

    Args:
        path: its directory.
    """

    files: ClassVar[tuple[str, ...]] = FILES
    verb: ClassVar[str] = "striate gan train"

    @property
    def recipe(self) -> GanRecipe:
        """The recipe, with everything decided that it left open."""
        return GanRecipe.load(self.path / "recipe.toml")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its ``results.csv``."""
        return COLUMNS

    @property
    def outcome(self) -> dict[str, Any]:
        """How it ended: steps, images, seconds, restarts, and the findings of the last check."""
        try:
            found: dict[str, Any] = json.loads((self.path / "outcome.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path} has not ended yet; 'striate gan train --resume {self.path}' goes on with it"
            ) from error
        return found

    @property
    def generator(self) -> TrainedGenerator:
        """The trained generator, read from its file."""
        from striate.gan.generator_file import load_generator

        return load_generator(self.path)

    @property
    def is_finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.path / "outcome.json").exists()


def open_gan_run(path: Path | str) -> GanRun:
    """Open the directory of a run to go on with it.

    Args:
        path: a run directory.

    Returns:
        The run.

    Raises:
        RunError: where it is no run directory, is finished, or has no checkpoint.
    """
    run = GanRun(Path(path))
    if not run.path.is_dir():
        raise RunError(f"there is no run directory {path}")
    if run.is_finished:
        raise RunError(
            f"the run {path} is finished; 'striate gan sample {path}' shows what it makes, and a new "
            "training needs no --resume"
        )
    if not run.checkpoint.exists():
        raise RunError(f"{path} has no checkpoint to go on from; start the training anew")
    return run
