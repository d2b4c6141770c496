"""``striate attack`` says how much accuracy attacks leave and how far to believe it, and breaks photos."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.attack import ATTACKS
from striate.classifier import load
from striate.data import open_dataset

OWN_CODE = """
import torch
from torch import nn

def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AvgPool2d(14), nn.Flatten(), nn.Linear(4, 10))
"""


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_robust_accuracy_is_said_and_written(invoke, run_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "attacked"
    words = ("attack", run_path, "--eps", "64/255", "--minutes", "0.05", "--out", out)
    status, said, _ = invoke(*words)
    assert status == 0
    assert re.search(
        r"robust accuracy \d+\.\d % \(95 % interval .*, \d+ images\) within linf 64/255, clean", said
    )
    assert re.search(r"^apgd-ce +10 steps +\d+ of \d+ +\d+ +\d+\.\d", said, re.MULTILINE)
    assert "by radius: clean" in said
    assert "gradient masking" in said
    written = json.loads((out / "evaluation.json").read_text())
    assert written["eps"] == 64 / 255
    assert len(set(written["rows"])) == written["images"] > 10
    for name in ("curve.png", "adversarial.png"):
        assert min(size_of(out / name)) > 300


def test_json_holds_all_figures(invoke, run_path: Path) -> None:
    status, said, _ = invoke(
        "attack", run_path, "--norm", "l2", "--eps", "1", "--minutes", "0.1", "--json", "--device", "cpu"
    )
    assert status == 0
    result = json.loads(said)
    assert (result["norm"], result["eps"], result["data"]) == ("l2", 1.0, "digits")
    assert result["robust"]["low"] - 1e-9 <= result["robust"]["value"] <= result["robust"]["high"]
    # The clean accuracy is that of the classifier as it is deployed, on the images that were attacked.
    data, classifier = open_dataset("digits").test, load(run_path, device="cpu")
    rows = result["rows"]
    right = classifier.logits(data.images[rows]).argmax(dim=1).numpy() == data.labels[rows]
    assert result["clean"]["value"] == pytest.approx(right.mean(), abs=1.5 / len(rows))
    assert result["masking"]["signs"][0]["name"] == "random answers"


def test_a_photo_is_broken(invoke, run_path: Path, photo: Path) -> None:
    out = photo.with_name("panda.png")
    words = ("attack", run_path, photo, photo, "--eps", "0.3", "--out", out)
    status, said, _ = invoke(*words, "--json")
    assert status == 0
    result = json.loads(said)
    one, other = result["photos"]
    assert one["fell"]
    assert one["predicted"] != one["after"]
    assert one["linf"] <= 0.3
    assert (result["method"], one["predicted"]) == ("pgd", other["predicted"])
    classifier = load(run_path)
    before = classifier.probabilities(np.asarray(Image.open(photo))[None, None])
    assert one["probability"] == pytest.approx(before.max().item(), abs=0.02)
    assert min(size_of(out)) > 300
    status, said, _ = invoke(*words)
    assert re.search(r"digit.png +\d \(\d+\.\d %\) -> \d \(\d+\.\d %\), linf 0\.\d+", said)


def test_a_photo_is_brought_to_a_named_answer(invoke, run_path: Path, photo: Path, monkeypatch) -> None:
    monkeypatch.chdir(photo.parent)
    words = ("attack", run_path, "digit.png", "--eps", "0.6", "--target", "8", "--method", "apgd-t")
    status, said, _ = invoke(*words, "--json")
    assert status == 0
    result = json.loads(said)
    assert result["out"] == "digit-adversarial.png"
    assert (result["photos"][0]["after"] == "8") == result["photos"][0]["fell"]
    assert result["photos"][0]["fell"]
    status, said, _ = invoke("attack", run_path, "digit.png", "--eps", "0.00001", "--method", "fgsm")
    assert status == 0
    assert "it withstood" in said


def test_own_code_is_attacked(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("attacked_code.py").write_text(OWN_CODE)
    own = ("attack", "attacked_code:network", "--size", "16")
    status, said, _ = invoke(*own, "--data", "digits", "--eps", "4/255", "--minutes", "0.05")
    assert status == 0
    assert "robust accuracy" in said
    Image.effect_noise((30, 20), 60).convert("RGB").save("noise.png")
    status, said, _ = invoke(*own, "noise.png", "--norm", "l2", "--eps", "3")
    assert status == 0
    assert size_of(tmp_path / "noise-adversarial.png")


def test_the_default_method_is_an_attack() -> None:
    from striate.cli.attack import METHOD, USUAL

    assert METHOD in ATTACKS
    assert set(USUAL) == {"linf", "l2"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{run}", "--eps", "8"), "did you mean 8/255"),
        (("{run}", "--eps", "a lot"), "is no number"),
        (("{run}", "--norm", "l3"), "--norm l3 has no usual radius"),
        (("{run}", "--norm", "l3", "--eps", "1"), "there is no norm 'l3'"),
        (("{run}", "--norm", "l1"), "--norm l1 has no usual radius"),
        (("{run}", "--minutes", "0"), "0.0 seconds are no time"),
        (("{run}", "--method", "fgsm"), "it is for a PHOTO"),
        (("{run}", "--invariance", "--eps", "8/255"), "--invariance has no use for it"),
        (("{run}", "{photo}", "--invariance"), "give one of them"),
        (("{run}", "{photo}", "--minutes", "1"), "a PHOTO has no use for it"),
        (("{run}", "{photo}", "--method", "pdg"), "there is no attack 'pdg'; did you mean 'pgd'"),
        (("{run}", "{photo}", "--target", "17"), "no class '17'"),
        (("{run}", "{photo}", "--out", "panda.jpg"), "name a file such as panda.png"),
        (("{run}", "{photo}", "--out", "nowhere/panda.png"), "there is no folder nowhere"),
        (("{run}", "{photo}", "--out", "{photo}"), "is a photo itself"),
        (("{run}", "--out", "{photo}"), "it is a file; name a folder"),
        (("{run}", "absent.png"), "absent.png: the file cannot be read"),
        (("{run}", "--size", "32"), "leave --size out"),
        (("resnet18",), "is not trained"),
        (("nothing",), "no model 'nothing'"),
        (("attacked_code:network", "--size", "16"), "name images to look at with --data"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    invoke, run_path: Path, photo: Path, arguments, sentence, monkeypatch
) -> None:
    monkeypatch.chdir(photo.parent)
    Path("attacked_code.py").write_text(OWN_CODE)
    before = sorted(path.name for path in photo.parent.iterdir())
    status, out, err = invoke("attack", *(word.format(run=run_path, photo=photo) for word in arguments))
    assert (status, out) == (2, "")
    assert sentence in err.splitlines()[-1]
    assert "Traceback" not in err
    kept = sorted(path.name for path in photo.parent.iterdir() if path.name != "__pycache__")
    assert kept == before


def test_the_run_is_left_as_it_was(invoke, run_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in run_path.iterdir() if path.is_file()}
    assert invoke("attack", run_path, "--minutes", "0.02")[0] == 0
    assert {path.name: path.read_bytes() for path in run_path.iterdir() if path.is_file()} == before
    assert torch.is_grad_enabled()
