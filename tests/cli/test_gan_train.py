"""``striate gan train`` makes a run, says what it did, and how to go on when it is interrupted."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from striate.cli.options import argument_help
from striate.core.tensors import load_tensors
from striate.gan.recipe import GanRecipe

SMALL = ("--family", "dense", "--width", "16", "--epochs", "1", "--sheets", "1")


def test_a_run_is_made_and_said(invoke, tmp_path: Path) -> None:
    status, out, err = invoke("gan", "train", "digits", *SMALL, "--out", tmp_path / "my run")
    assert status == 0
    assert "1,152 images seen in" in out
    assert f"striate gan sample '{tmp_path}/my run'" in out
    assert "dense, width 16" in err
    assert "epoch 1: " in err
    assert "generator loss" in err
    assert (tmp_path / "my run" / "generator.safetensors").is_file()


def test_json_is_one_document_with_options_over_the_recipe(invoke, tmp_path: Path) -> None:
    GanRecipe(family="r3gan", epochs=3, seed=5, width=8).save(tmp_path / "recipe.toml")
    options = ("--recipe", tmp_path / "recipe.toml", "--epochs", "0.2", "--classes", "--sheets", "1")
    status, out, err = invoke(
        "gan", "train", "digits", *options, "--out", tmp_path / "run", "--json", "--quiet"
    )
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert said["run"] == str(tmp_path / "run")
    assert said["steps"] == 2
    expected = {"family": "r3gan", "epochs": 0.2, "seed": 5, "classes": True, "loss": "relativistic"}
    assert {name: said["recipe"][name] for name in expected} == expected


def test_a_recipe_is_named(invoke, tmp_path: Path) -> None:
    options = ("--recipe", "residual", "--width", "8", "--epochs", "0.05", "--json", "--quiet")
    status, out, _ = invoke("gan", "train", "digits", *options, "--out", tmp_path / "run")
    assert status == 0
    assert json.loads(out)["recipe"]["loss"] == "hinge"


def test_every_field_of_the_recipe_is_an_option(invoke) -> None:
    _, out, _ = invoke("gan", "train", "--help")
    for field in fields(GanRecipe):
        assert f"--{field.name.replace('_', '-')}" in out
    assert "--no-classes" in out
    assert "Example: striate gan train" in out
    assert list(argument_help(GanRecipe.__doc__ or "")) == [field.name for field in fields(GanRecipe)]
    assert "``" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give DATA"),
        (("nowhere",), "no file or folder 'nowhere'"),
        (("digits", "--family", "dcgn"), "did you mean 'dcgan'"),
        (("digits", "--recipe", "residul"), "did you mean 'residual'"),
        (("digits", "--recipe", "absent.toml"), "cannot read the recipe absent.toml"),
        (("digits", "--loss", "hing"), "did you mean 'hinge'"),
        (("digits", "--augment", "cutot"), "did you mean 'cutout'"),
        (
            ("digits", "--family", "dcgan", "--size", "50"),
            "makes no images of 50x50 pixels; it makes sizes 8",
        ),
        (("digits", "--batch", "2000"), "1,221 images to learn from, fewer than a batch of 2,000"),
        (("digits", "--epochs", "1", "--minutes", "1"), "two budgets"),
        (("digits", "--device", "cuba"), "did you mean 'cuda'"),
        (("--resume", "absent"), "no run directory absent"),
        (("--resume", "absent", "--epochs", "3"), "leave out --epochs"),
        (("--resume", "absent", "--out", "other"), "leave out --out"),
        (("channels.npz",), "channels"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, tmp_path: Path, monkeypatch, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "channels.npz", images=np.zeros((9, 8, 8, 2), np.uint8), labels=np.arange(9) % 2)
    status, out, err = invoke("gan", "train", *arguments, "--quiet")
    assert status == 2
    assert out == ""
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["channels.npz"]


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a run"
    words = ["gan", "train", "digits", "--epochs", "2000", "--family", "dense", "--width", "16"]
    source = Path(__file__).resolve().parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-m", "striate", *words, "--out", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 5:" in line:
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read().splitlines()
    assert process.wait(timeout=60) == 130
    again = rest[-1].partition("from the last checkpoint: striate ")[2]
    assert shlex.split(again) == ["gan", "train", "--resume", str(path)]
    _, texts = load_tensors(path / "checkpoint" / "state.safetensors")
    assert json.loads(texts["state"])["step"] > 0
    assert (path / "generator.safetensors").exists()
    assert not (path / "outcome.json").exists()
