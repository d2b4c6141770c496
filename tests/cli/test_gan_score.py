"""``striate gan score`` prints every score with its interval, and JSON for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from striate.gan import GanRecipe, TrainedGenerator
from striate.models import build_generator


@pytest.fixture(scope="module")
def generator_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = build_generator("dense", size=8, channels=1, latent_size=4, width=8).eval()
    details = {"source": "digits", "recipe": GanRecipe(size=8).to_dict()}
    path = tmp_path_factory.mktemp("generators") / "generator.safetensors"
    TrainedGenerator(network, family="dense", width=8, details=details).save(path)
    return path


def test_people_get_a_table_and_warnings(invoke, generator_path: Path) -> None:
    status, out, err = invoke("gan", "score", generator_path, "--n", "300", "--device", "cpu")
    assert status == 0
    assert out.startswith("300 generated images against 300 of the train part, by 64 features of striate-dig")
    for words in ("FID[striate-digits-v1]", "KID[", "IS[", "precision[", "recall[", "density[", "coverage["):
        assert words in out
    assert "95 % interval" in out
    assert "FID of 300 images and 64 features is too high" in err


def test_programs_get_json(invoke, generator_path: Path) -> None:
    options = ("--n", "60", "--data", "digits", "--part", "test", "--seed", "3", "--device", "cpu", "--json")
    status, out, _ = invoke("gan", "score", generator_path, *options)
    assert status == 0
    said = json.loads(out)
    assert (said["part"], said["seed"], said["real"], said["generated"]) == ("test", 3, 60, 60)
    assert "fid" not in said["scores"]
    assert said["scores"]["kid"]["name"] == "KID[striate-digits-v1]"
    assert len(said["scores"]["kid"]["interval"]) == 2
    assert "no FID: 60 images" in said["warnings"][0]
    assert sum(said["class_shares"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("absent",), "no generator or run directory absent"),
        (("{file}", "--n", "5"), "5 images are too few"),
        (("{file}", "--data", "nowhere"), "nowhere"),
        (("{file}", "--features", "striate-digit-v1"), "did you mean 'striate-digits-v1'"),
        (("{file}", "--features", "striate-fashion-watch-v1"), "watches trainings"),
        (("{file}", "--features", "none.pth"), "cannot read none.pth"),
        ((), "RUN_OR_FILE"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, generator_path: Path, arguments, sentence: str) -> None:
    words = (argument.replace("{file}", str(generator_path)) for argument in arguments)
    status, out, err = invoke("gan", "score", *words)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1
