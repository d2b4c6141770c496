"""``striate val`` says what the run says, and measures on other data too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_the_test_part_has_the_figures_of_the_run(invoke, run_path: Path) -> None:
    status, out, _ = invoke("val", run_path, "--json")
    assert status == 0
    said = json.loads(out)
    kept = json.loads((run_path / "evaluation.json").read_text())
    assert (said["part"], said["data"], said["notes"]) == ("test", "digits", [])
    assert said["evaluation"] == kept["test"]


@pytest.mark.parametrize("data", [(), ("digits",)])
def test_the_validation_part_is_the_one_held_out(invoke, run_path: Path, data: tuple[str, ...]) -> None:
    status, out, _ = invoke("val", run_path / "model.safetensors", *data, "--part", "validation", "--json")
    assert status == 0
    kept = json.loads((run_path / "evaluation.json").read_text())
    assert json.loads(out)["evaluation"] == kept["validation"]


def test_people_get_every_figure(invoke, run_path: Path, tmp_path: Path) -> None:
    status, out, _ = invoke("val", run_path, "--confusion", tmp_path / "confusion.png")
    assert status == 0
    for words in ("test accuracy", "five likeliest", "log-likelihood", "Brier", "temperature", "F1"):
        assert words in out
    rows = [line.split() for line in out.splitlines()[-10:]]
    assert [row[0] for row in rows] == [str(digit) for digit in range(10)]
    assert sum(int(row[-1]) for row in rows) == 360
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 100


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Pictures of two known classes and an unknown one, one of them broken."""
    folder = tmp_path / "photos"
    generator = np.random.default_rng(0)
    for name in ("3", "7", "zebra"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = generator.integers(0, 256, (9, 11), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    (folder / "3" / "broken.png").write_bytes(b"no picture")
    return folder


def test_other_data_are_measured_as_far_as_they_are_known(invoke, run_path: Path, photos: Path) -> None:
    status, out, err = invoke("val", run_path, photos, "--json")
    assert status == 0
    said = json.loads(out)
    assert said["evaluation"]["images"] == 4
    assert len(said["evaluation"]["classes"]) == 10
    notes = " ".join(said["notes"])
    assert "zebra" in notes
    assert "broken.png" in notes
    assert all(note in err for note in said["notes"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("absent",), "no model file or run directory absent"),
        (("{run}", "nowhere"), "nowhere"),
        (("{run}", "--part", "tests"), "did you mean 'test'"),
        (("{run}", "--confusion", "/nowhere/a.png"), "cannot write the picture"),
        (("{run}/recipe.toml",), "not a safetensors file"),
        ((), "RUN_OR_MODEL"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, run_path: Path, arguments, sentence: str) -> None:
    status, out, err = invoke("val", *(argument.replace("{run}", str(run_path)) for argument in arguments))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1


def test_what_was_trained_on_is_never_measured_as_if_it_were_new(invoke, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def add(name: str, number: int) -> None:
        pixels = generator.integers(0, 120, (12, 12), dtype=np.uint8) + (120 if name == "bright" else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pictures" / name / f"{number}.png")

    for name in ("bright", "dark"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            add(name, number)
    run = tmp_path / "run"
    options = ("--model", "compact-small", "--epochs", "1", "--batch", "4", "--quiet", "--out", run)
    assert invoke("train", tmp_path / "pictures", *options)[0] == 0
    # The run knows where its data are; the model file, which is given to others, does not.
    status, out, _ = invoke("val", run, "--json")
    assert (status, json.loads(out)["part"]) == (0, "validation")
    assert b"pictures" not in (run / "model.safetensors").read_bytes()
    status, _, err = invoke("val", run / "model.safetensors")
    assert status == 2
    assert "name the data to measure on" in err
    add("dark", 99)
    status, out, err = invoke("val", run)
    assert (status, out) == (2, "")
    assert "has changed since the training" in err
