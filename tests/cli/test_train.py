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
from dataclasses import fields
from pathlib import Path

import pytest

from striate.cli.options import argument_help
from striate.core.recipe import Recipe

SMALL = ("--model", "compact-small", "--epochs", "0.5")


def test_a_run_is_made_and_its_accuracy_said(invoke, tmp_path: Path) -> None:
    status, out, err = invoke("train", "digits", *SMALL, "--out", tmp_path / "my run")
    assert status == 0
    assert re.search(r"test accuracy [\d.]+ % \(95 % interval [\d.]+ % to [\d.]+ %, 360 images\)", out)
    assert f"striate val '{tmp_path}/my run'" in out
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
        (("digits", "--resume", "absent"), "leave out 'digits'"),
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
    again = rest[-1].partition("this goes on: striate ")[2]
    assert shlex.split(again) == ["train", "--resume", str(path)]
    assert (path / "checkpoint").is_dir()
    assert not (path / "evaluation.json").exists()
