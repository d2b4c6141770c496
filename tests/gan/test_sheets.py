"""Sheets show the same latents again and again, one column a class where there are classes."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from striate.gan.latent import draw_latents, images_of
from striate.gan.sheets import COLUMNS, ROWS, Sheets
from striate.models import build_generator


def test_the_latest_sheet_is_the_last_one_that_was_kept(tmp_path) -> None:
    generator = build_generator("dense", size=8, latent_size=4, width=8).eval()
    sheets = Sheets(tmp_path, class_names=(), seed=3)
    for step in (0, 20):
        latest = sheets.draw(generator, step=step, title=f"step {step}")
    kept = sorted((tmp_path / "sheets").iterdir())
    assert [path.name for path in kept] == ["step-00000000.png", "step-00000020.png"]
    assert latest == tmp_path / "sheet.png"
    assert latest.read_bytes() == kept[-1].read_bytes()
    Image.open(latest).verify()


def test_the_same_latents_are_shown_each_time() -> None:
    generator = build_generator("dense", size=8, latent_size=4, width=8).eval()
    images = Sheets(".", class_names=(), seed=3).images(generator)
    assert images.equal(images_of(generator, draw_latents(COLUMNS * ROWS, 4, seed=3)))
    assert images.equal(Sheets(".", class_names=(), seed=3).images(generator))
    assert not images.equal(Sheets(".", class_names=(), seed=4).images(generator))


def test_each_class_has_a_column(tmp_path) -> None:
    torch.manual_seed(0)
    generator = build_generator("dense", size=8, latent_size=4, width=8, classes=3).eval()
    sheets = Sheets(tmp_path, class_names=("a", "b$", "\N{CJK UNIFIED IDEOGRAPH-732B}"), seed=0)
    images = sheets.images(generator)
    assert len(images) == 3 * ROWS
    latents = draw_latents(3 * ROWS, 4, seed=0)
    of_second = images_of(generator, latents[1::3], torch.ones(ROWS, dtype=torch.int64))
    assert np.allclose(images[1::3], of_second, atol=1e-6)
    sheets.draw(generator, step=1, title="three classes")
