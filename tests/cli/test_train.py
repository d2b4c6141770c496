"""``striate train`` makes a run, says what it did, and how to go on when it is interrupted."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.cli.options import argument_help
from striate.core.recipe import Recipe
from striate.core.tensors import load_tensors

SMALL = ("--model", "compact-small", "--epochs", "0.5")


def test_a_run_is_made_and_its_accuracy_said(invoke, tmp_path: Path) -> None:
    status, out, err = invoke("train", "digits", *SMALL, "--out", tmp_path / "my run")
    assert status == 0
    assert re.search(r"test accuracy [\d.]+ % \(95 % interval [\d.]+ % to [\d.]+ %, 360 images\)", out)
    assert f"striate val '{tmp_path}/my run'" in out
    assert re.search(r"training accuracy [\d.]+ % on [\d,]+ images as they are: -?[\d.]+ points", out)
    assert "as they are" not in err
    assert "compact-small" in err
    assert "epoch 1: " in err
    assert (tmp_path / "my run" / "model.safetensors").is_file()


def test_json_is_one_document_with_options_over_the_recipe_file(invoke, tmp_path: Path) -> None:
    Recipe(epochs=3, seed=5, warmup=0.2).save(tmp_path / "recipe.toml")
    options = ("--recipe", tmp_path / "recipe.toml", *SMALL, "--no-flip", "--label-smoothing", "0.05")
    status, out, err = invoke("train", "digits", *options, "--out", tmp_path / "run", "--json", "--quiet")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert said["run"] == str(tmp_path / "run")
    assert said["evaluation"]["test"]["images"] == 360
    assert said["overfitting"]["verdict"] in ("overfitting", "unclear", "none")
    expected = {"epochs": 0.5, "seed": 5, "warmup": 0.2, "flip": False, "label_smoothing": 0.05}
    assert {name: said["recipe"][name] for name in expected} == expected


def test_every_field_of_the_recipe_is_an_option(invoke) -> None:
    _, out, _ = invoke("train", "--help")
    for field in fields(Recipe):
        assert f"--{field.name.replace('_', '-')}" in out
    assert "--no-flip" in out
    assert "Example: striate train" in out
    helps = argument_help(Recipe.__doc__ or "")
    assert list(helps) == [field.name for field in fields(Recipe)]
    assert "``" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give DATA"),
        (("nowhere",), "no file or folder 'nowhere'"),
        (("digit",), "did you mean 'digits'"),
        (("digits", "--model", "compact-smal"), "did you mean 'compact-small'"),
        (("digits", "--optimizer", "moun"), "did you mean 'muon'"),
        (("digits", "--epochs", "-1"), "epochs is -1"),
        (("digits", "--epochs", "nan"), "epochs is nan"),
        (("digits", "--epochs", "many"), "--epochs"),
        (("digits", "--epochs", "1", "--minutes", "1"), "two budgets"),
        (("digits", "--epoch", "1"), "--epochs"),
        (("digits", "--device", "cuba"), "did you mean 'cuda'"),
        (("digits", "--recipe", "absent.toml"), "cannot read the recipe absent.toml"),
        (("--resume", "absent"), "no run directory absent"),
        (("--resume", "absent", "--epochs", "3", "--no-flip"), "leave out --epochs, --flip"),
        (("--resume", "absent", "--out", "other"), "leave out --out"),
        (("digits", "--resume", "absent"), "no run directory absent"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, tmp_path: Path, monkeypatch, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = invoke("train", *arguments)
    assert status == 2
    assert out == ""
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def _empty_folder(folder: Path) -> Path:
    (folder / "photos").mkdir()
    return folder / "photos"


def _one_class(folder: Path) -> Path:
    (folder / "photos" / "cat").mkdir(parents=True)
    for number in range(3):
        Image.new("L", (9, 9), 20 * number).save(folder / "photos" / "cat" / f"{number}.png")
    return folder / "photos"


def _table_without_labels(folder: Path) -> Path:
    (folder / "photos.csv").write_text("path,colour\na.png,red\n")
    return folder / "photos.csv"


def _table_of_missing_files(folder: Path) -> Path:
    (folder / "photos.csv").write_text("path,label\na.png,cat\nb.png,dog\n")
    return folder / "photos.csv"


def _arrays_of_other_lengths(folder: Path) -> Path:
    np.savez(folder / "a.npz", images=np.zeros((3, 8, 8), np.uint8), labels=np.zeros(2, int))
    return folder / "a.npz"


def _arrays_with_nan(folder: Path) -> Path:
    np.savez(folder / "a.npz", images=np.full((4, 8, 8), np.nan), labels=np.array([0, 1, 0, 1]))
    return folder / "a.npz"


def _archive_that_leads_out(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.writestr("../cat/a.png", b"")
    return folder / "photos.zip"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_empty_folder, "has no images"),
        (_one_class, "one class only, 'cat'"),
        (_table_without_labels, "no column 'label'"),
        (_table_of_missing_files, "there is no such file"),
        (_arrays_of_other_lengths, "has 3 images but"),
        (_arrays_with_nan, "nan"),
        (_archive_that_leads_out, "leads out of the archive"),
    ],
)
def test_data_that_cannot_be_used_get_one_sentence_and_no_run(
    invoke, tmp_path, monkeypatch, make, sentence
) -> None:
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path)
    status, out, err = invoke("train", source, "--quiet")
    assert (status, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_an_output_that_cannot_be_written_is_one_sentence(invoke, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = invoke("train", "digits", *SMALL, "--quiet", "--out", tmp_path / "file" / "run")
    assert status == 2
    assert "cannot make the run directory" in err
    assert len(err.splitlines()) == 1


def test_resuming_a_finished_run_is_said(invoke, run_path: Path) -> None:
    status, _, err = invoke("train", "--resume", run_path)
    assert status == 2
    assert "finished" in err


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a run"
    command = [sys.executable, "-m", "striate", "train", "digits", "--epochs", "2000", "--out", str(path)]
    source = Path(__file__).resolve().parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1:" in line:
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read().splitlines()
    assert process.wait(timeout=60) == 130
    again = rest[-1].partition("from the last checkpoint: striate ")[2]
    assert shlex.split(again) == ["train", "--resume", str(path)]
    _, texts = load_tensors(path / "checkpoint" / "state.safetensors")
    assert json.loads(texts["state"])["step"] > 0
    assert not (path / "evaluation.json").exists()
