"""The sharing study on a few tiny images: placing, networks of equal width, whole results, its command."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import RecipeError, ShapeError
from striate.data import Split
from striate.studies import sharing
from striate.studies.sharing import network_of, placed, study_sharing
from striate.studies.sharing_results import Cell, SharingStudy


@pytest.fixture(scope="module")
def study() -> SharingStudy:
    return study_sharing("digits", images=64, epochs=1, seeds=2, device="cpu")


@given(margin=st.integers(0, 4), seed=st.one_of(st.none(), st.integers(0, 1000)))
def test_every_image_is_whole_somewhere_on_the_ground(margin, seed) -> None:
    images = np.random.default_rng(0).integers(1, 256, (6, 2, 5, 4), dtype=np.uint8)
    ground = placed(Split(images, np.arange(6)), margin=margin, seed=seed).images
    assert ground.shape == (6, 2, 5 + 2 * margin, 4 + 2 * margin)
    for image, spot in zip(images, ground, strict=True):
        rows, columns = np.nonzero(spot[0])
        top, left = rows.min(), columns.min()
        assert (spot[:, top : top + 5, left : left + 4] == image).all()
        assert np.count_nonzero(spot) == image.size
        if seed is None:
            assert (top, left) == (margin, margin)


def test_all_places_are_taken() -> None:
    split = Split(np.ones((2000, 1, 1, 1), np.uint8), np.zeros(2000, np.int64))
    ground = placed(split, margin=2, seed=1).images
    counts = (ground > 0).sum(axis=(0, 1))
    assert counts.shape == (5, 5)
    assert counts.min() > 40
    assert counts.max() < 130


def test_both_networks_have_the_same_width_and_the_local_one_unshared_weights() -> None:
    shared = network_of("shared", classes=10, channels=1, size=(36, 36))
    local = network_of("local", classes=10, channels=1, size=(36, 36))
    images = torch.rand(3, 1, 36, 36)
    assert shared[:-1](images).shape == local[:-1](images).shape == (3, 16 * 8 * 8)
    assert shared(images).shape == local(images).shape == (3, 10)
    assert shared[0].weight.numel() == 16 * 36
    assert local[0].weight.numel() == 16 * 36 * 16 * 16
    assert shared[-1].weight.shape == local[-1].weight.shape


def test_every_combination_is_there_with_an_accuracy_for_each_seed(study) -> None:
    found = [(cell.images, cell.arrangement, cell.layer) for cell in study.cells]
    assert found == [
        (images, arrangement, layer)
        for images in (4, 16, 64)
        for arrangement in ("centred", "shifted")
        for layer in ("shared", "local")
    ]
    for cell in study.cells:
        assert len(cell.centred) == len(cell.shifted) == 2
        assert all(0 <= accuracy <= 1 for accuracy in cell.centred + cell.shifted)
        assert cell.rate in sharing.RATES
    assert [cell.epochs for cell in study.cells[::4]] == [16, 4, 1]
    assert study.cells[0].weights == 16 * 36 + 16
    assert study.test_images == 360


def test_one_seed_gives_one_result(study) -> None:
    again = study_sharing("digits", images=64, epochs=1, seeds=1, device="cpu")
    for one, other in zip(again.cells, study.cells, strict=True):
        assert (one.rate, one.centred, one.shifted) == (other.rate, other.centred[:1], other.shifted[:1])


def test_its_figures_are_json_and_its_rows_a_table(study) -> None:
    figures = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert figures["cells"][0]["centred_mean"]["count"] == 2
    assert {len(row) for row in study.rows()} == {len(SharingStudy.COLUMNS)}
    assert len(study.rows()) == 12


def cell(layer: str, accuracies: tuple[float, ...], arrangement: str = "centred") -> Cell:
    other = tuple(0.0 for _ in accuracies)
    centred, shifted = (accuracies, other) if arrangement == "centred" else (other, accuracies)
    return Cell(
        layer=layer,
        arrangement=arrangement,
        images=100,
        epochs=1,
        rate=0.1,
        weights=1,
        centred=centred,
        shifted=shifted,
    )


@pytest.mark.parametrize("arrangement", ["centred", "shifted"])
@pytest.mark.parametrize(
    ("shared", "local", "said"),
    [
        ((0.9, 0.92, 0.91), (0.8, 0.81, 0.79), "sharing is better"),
        ((0.8, 0.81, 0.79), (0.9, 0.92, 0.91), "sharing is worse"),
        ((0.8, 0.9, 0.85), (0.81, 0.88, 0.86), "no difference is shown"),
        ((0.9,), (0.1,), "no difference is shown"),
    ],
)
def test_what_is_said_is_what_was_measured(study, arrangement, shared, local, said) -> None:
    cells = (cell("shared", shared, arrangement), cell("local", local, arrangement))
    (finding,) = SharingStudy(**{**vars(study), "cells": cells}).findings()
    assert finding.startswith(f"100 {arrangement} images")
    assert finding.endswith(said)


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(RecipeError, match="images is 15, where at least 16"):
        study_sharing("digits", images=15)
    odd = (np.zeros((40, 9, 8), np.uint8), np.arange(40) % 2)
    with pytest.raises(ShapeError, match=r"\(9 \+ 8 - 6\)/2 \+ 1 = 6.5 high"):
        study_sharing(odd, images=16)


def test_the_command_writes_its_files_and_prints_its_table(tmp_path, capsys) -> None:
    arguments = ["--images", "16", "--epochs", "1", "--seeds", "1"]
    sharing.main(["digits", "--out", str(tmp_path), *arguments])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sharing.json", "sharing.png"]
    assert "| shared |" in capsys.readouterr().out
