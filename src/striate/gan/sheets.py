"""Sheets: what the generator makes of the same latents, drawn every so often, so that one sees it learn."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from striate.core.files import atomic_path
from striate.gan.latent import cycled_labels, draw_latents, images_of
from striate.models.adversarial import Generator
from striate.plots import image_grid

COLUMNS = 10
ROWS = 8


class Sheets:
    """Draws the images of the same latents again and again, into the directory of a run.

    Of a generator that is told classes each column is one, the first ten of them.

    Args:
        folder: the run's directory.
        class_names: of the classes that the generator is told; empty where it is told none.
        seed: of the latents.
    """

    def __init__(self, folder: Path, *, class_names: Sequence[str], seed: int) -> None:
        self._folder = folder
        self._heads = tuple(class_names[:COLUMNS])
        self._seed = seed

    @property
    def columns(self) -> int:
        """How many images are in a row."""
        return len(self._heads) or COLUMNS

    def images(self, generator: Generator) -> Tensor:
        """Make the images of a sheet.

        Args:
            generator: whose images are wanted.

        Returns:
            N x C x S x S in [0, 1], on the CPU, row by row.
        """
        count = self.columns * ROWS
        latents = draw_latents(count, generator.latent_size, seed=self._seed)
        classes = None if generator.classes is None else self.columns
        return images_of(generator, latents, cycled_labels(count, classes))

    def draw(self, generator: Generator, *, step: int, title: str) -> Path:
        """Draw a sheet into ``sheets`` and replace ``sheet.png`` by it.

        Args:
            generator: whose images are drawn.
            step: names the file.
            title: what is written above.

        Returns:
            The path of the latest sheet.

        Raises:
            OSError: where it cannot be written.
        """
        kept = self._folder / "sheets" / f"step-{step:08}.png"
        kept.parent.mkdir(exist_ok=True)
        note = "images of the same latents on every sheet of this run, by the averaged generator"
        image_grid(
            self.images(generator).numpy(),
            kept,
            columns=self.columns,
            title=title,
            note=note,
            heads=self._heads,
        )
        latest = self._folder / "sheet.png"
        with atomic_path(latest) as temporary:
            shutil.copyfile(kept, temporary)
        return latest
