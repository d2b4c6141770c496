"""``striate explain`` draws what a network looked at, and says how far to believe it, or why it cannot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from striate.classifier import load
from striate.cli.explain import METHODS as NAMED
from striate.cli.explaining import find_explained
from striate.explain import METHODS
from striate.explain.randomisation import Dependence

OWN_CODE = """
import torch
from torch import nn

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(14), nn.Flatten(), nn.Linear(4, 5))

def features():
    return nn.Linear(7, 2)
"""


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_the_help_names_every_method(invoke) -> None:
    assert sorted(NAMED.split(", ")) == list(METHODS) == sorted(METHODS)
    status, said, _ = invoke("explain", "--help")
    assert status == 0
    assert "--visualise" in said


def test_a_photo_is_explained_by_one_method(invoke, run_path: Path, photo: Path) -> None:
    out = photo.with_name("why.png")
    status, said, _ = invoke("explain", run_path, photo, "--method", "gradcam", "--out", out)
    assert status == 0
    assert min(size_of(out)) > 300
    assert re.search(r"digit.png +predicted \d \(\d+\.\d %\)", said)
    layer = re.search(r"gradcam at (\S+):", said)
    assert layer is not None
    assert f"network.{layer[1]}" in dict(load(run_path).named_modules())
    assert str(out) in said


def test_json_holds_the_figures_of_the_python_function(invoke, run_path: Path, photo: Path) -> None:
    out = photo.with_name("why.png")
    words = ("explain", run_path, photo, photo, "--method", "integrated-gradients", "--target", "7", "--json")
    status, said, _ = invoke(*words, "--out", out, "--device", "cpu")
    assert status == 0
    result = json.loads(said)
    explained = find_explained(str(run_path), size=None, device="cpu")
    pixels = torch.tensor(np.array(Image.open(photo)))[None, None].float() / 255
    made = METHODS["integrated-gradients"](explained.network, pixels, 7)
    assert (result["method"], result["layer"], len(result["photos"])) == ("integrated-gradients", None, 2)
    one = result["photos"][1]
    assert one["target"] == "7"
    assert one["sum"] == pytest.approx(made.heat().sum().item(), abs=1e-4)
    assert one["gap"] == pytest.approx(made.gap.item(), abs=1e-4)
    probabilities = load(run_path, device="cpu", precision="float32").probabilities(pixels)
    assert one["target_probability"] == pytest.approx(probabilities[0, 7].item(), abs=0.05)


def test_a_layer_is_named_as_summary_names_it(invoke, run_path: Path, photo: Path) -> None:
    out = photo.with_name("why.png")
    for layer in ("stem", "network.stem"):
        status, said, _ = invoke("explain", run_path, photo, "--layer", layer, "--json", "--out", out)
        assert status == 0
        assert json.loads(said)["layer"] == "stem"


def test_a_sheet_shows_every_method_with_its_checks(invoke, run_path: Path, photo: Path, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    status, said, _ = invoke("explain", run_path, photo, "--all", "--sanity", "--json")
    assert status == 0
    result = json.loads(said)
    assert [each["method"] for each in result["methods"]] == list(METHODS)
    assert result["out"] == "digit-methods.png"
    for each in result["methods"]:
        assert 0 <= each["deletion"] <= 1
        assert 0 <= each["insertion"] <= 1
        assert each["verdict"] in get_args(Dependence)
        assert (each["layer"] is not None) == (
            each["method"] in ("gradcam", "gradcam++", "layercam", "scorecam")
        )
    assert 0 <= result["random"]["deletion"] <= 1
    assert min(size_of(photo.with_name("digit-methods.png"))) > 600


def test_sanity_is_said_of_one_method_with_its_number_of_images(invoke, run_path: Path, photo: Path) -> None:
    out = photo.with_name("why.png")
    status, said, _ = invoke(
        "explain", run_path, photo, photo, "--method", "saliency", "--sanity", "--out", out
    )
    assert status == 0
    assert re.search(r"saliency: its map .* on the weights.*similarity [01]\.\d\d.*; 2 images", said)


def test_own_code_is_explained(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("explained_code.py").write_text(OWN_CODE)
    Image.effect_noise((30, 20), 60).convert("RGB").save("noise.png")
    status, said, _ = invoke(
        "explain",
        "explained_code:network",
        "noise.png",
        "--size",
        "16",
        "--method",
        "occlusion",
        "--target",
        "4",
    )
    assert status == 0
    assert "explained 4" in said or "predicted 4" in said
    assert size_of(tmp_path / "noise-occlusion.png")


def test_the_units_of_a_layer_become_a_page(invoke, run_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "units.html"
    status, said, _ = invoke("explain", run_path, "--units", "stages.2", "--data", "digits", "--out", out)
    assert status == 0
    assert "stages.2" in said
    assert "360 images" in said
    assert "<html" in out.read_text()


def test_a_network_is_dissected_and_visualised(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("explained_code.py").write_text(OWN_CODE)
    own = ("explain", "explained_code:network", "--size", "16")
    status, said, _ = invoke(*own, "--dissect", "--data", "digits")
    assert status == 0
    assert re.search(r"^1: .*(units detect|none of)", said, re.MULTILINE)
    assert (tmp_path / "dissection-concepts.png").exists()
    status, said, _ = invoke(*own, "--visualise", "1:1")
    assert status == 0
    assert size_of(tmp_path / "1-1.png")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{run}", "{photo}", "--method", "grad-cam"), "no method 'grad-cam'; did you mean 'gradcam'"),
        (("{run}", "{photo}", "--layer", "stems"), "no layer 'stems'"),
        (("{run}", "{photo}", "--layer", "head"), "has no places"),
        (("{run}", "{photo}", "--method", "rise", "--layer", "stem"), "looks at the whole network"),
        (("{run}", "{photo}", "--target", "17"), "no class '17'"),
        (("{run}", "{photo}", "--out", "why.jpg"), "name a file such as why.png"),
        (("{run}", "{photo}", "--out", "nowhere/why.png"), "there is no folder nowhere"),
        (("{run}", "{photo}", "--out", "{photo}"), "is a photo itself"),
        (("{run}", "{photo}", "--size", "32"), "leave --size out"),
        (("{run}", "absent.png"), "absent.png: the file cannot be read"),
        (("{run}",), "give a PHOTO to explain"),
        (("{run}", "{photo}", "--dissect"), "--dissect and a PHOTO are given"),
        (("{run}", "{photo}", "--data", "digits"), "photos are explained alone"),
        (("{run}", "{photo}", "--all", "--method", "rise"), "give one of the two"),
        (("{run}", "{photo}", "{photo}", "--all"), "a sheet of one photo, and 2 are given"),
        (("{run}", "--dissect", "--method", "rise"), "--method is for photos"),
        (("{run}", "--units", "stages.99", "--out", "a.html"), "no layer 'stages.99'"),
        (("{run}", "--units", "stages.2", "--out", "a.png"), "written as .html"),
        (("resnet18", "{photo}"), "is not trained"),
        (("nothing", "{photo}"), "no model 'nothing'"),
        (("explained_code:features", "{photo}"), "takes inputs of 7, where pictures"),
        (("explained_code:network", "--size", "16", "--dissect"), "name images to look at with --data"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    invoke, run_path: Path, photo: Path, arguments, sentence, monkeypatch
) -> None:
    monkeypatch.chdir(photo.parent)
    Path("explained_code.py").write_text(OWN_CODE)
    before = sorted(path.name for path in photo.parent.iterdir())
    status, out, err = invoke("explain", *(word.format(run=run_path, photo=photo) for word in arguments))
    assert (status, out) == (2, "")
    assert sentence in err.splitlines()[-1]
    assert "Traceback" not in err
    kept = sorted(path.name for path in photo.parent.iterdir() if path.name != "__pycache__")
    assert kept == before
