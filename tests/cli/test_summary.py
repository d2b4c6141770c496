"""``striate summary`` shows any network, and says in a sentence why one cannot be shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from striate.cli.networks import read_size
from striate.core.errors import ShapeError

CODE = """
import torch
from torch import nn

WEIGHTS = [1, 2]
NETWORK = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU())

def plain():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

def chosen(num_classes=10, in_channels=3):
    return nn.Sequential(nn.Conv2d(in_channels, num_classes, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def dense():
    return nn.Sequential(nn.Linear(12, 5), nn.ReLU())

def broken():
    raise KeyError("no weights")

def number():
    return 7

def picky(path):
    return nn.Linear(2, 2)

class Undecided(nn.Module):
    def forward(self, images):
        return images if images.sum() > 0 else -images
"""


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with code of the user's own, which is the current one."""
    (tmp_path / "own_nets.py").write_text(CODE)
    (tmp_path / "own_wrong.py").write_text("def net(:\n    pass\n")
    (tmp_path / "own_failing.py").write_text("import own_nets\nraise RuntimeError('no licence')\n")
    (tmp_path / "own_lacking.py").write_text("import package_that_is_not_there\n")
    (tmp_path / "own_leaving.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def test_a_network_of_the_catalogue_is_a_table(invoke) -> None:
    status, out, _ = invoke("summary", "resnet18", "--size", 224)
    assert status == 0
    assert "11,689,512 parameters, 1.81 G multiply-adds" in out
    assert "sees 435 input elements along an axis, 32 apart" in out
    rows = out.splitlines()
    assert [word for word in rows[0].split() if word] == [
        *("layer", "kind", "output", "parameters", "multiply-adds", "memory", "field", "jump", "offset")
    ]
    assert any("layer4.1" in row and "512x7x7" in row and "435" in row and "-217" in row for row in rows)
    assert len(rows) < 45


def test_options_decide_size_channels_classes_and_depth(invoke) -> None:
    status, out, _ = invoke(
        "summary", "resnet20", "--size", "64x48", "--channels", 1, "--classes", 7, "--depth", 1
    )
    assert status == 0
    assert "for an input of 1x64x48" in out
    assert len(out.splitlines()) < 20
    deep = invoke("summary", "resnet20", "--depth", 0)[1]
    assert len(deep.splitlines()) > 60
    assert "for an input of 3x32x32" in deep


def test_json_holds_every_layer(invoke) -> None:
    status, out, _ = invoke("summary", "lenet", "--json")
    assert status == 0
    said = json.loads(out)
    assert said["model"] == "lenet"
    assert said["inputs"] == [[1, 28, 28]]
    assert sum(layer["parameters"] for layer in said["layers"]) == said["parameters"]
    assert {"size", "jump", "offset", "whole"} == set(said["layers"][0]["fields"][0][0])


def test_the_drawing_is_a_file_of_its_own(invoke, tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    status, out, _ = invoke("summary", "resnet152", "--svg", path)
    assert status == 0
    assert f"the drawing is in {path}" in out
    page = ElementTree.parse(path).getroot()
    assert any("resnet152, input 3x224x224" in (element.text or "") for element in page.iter())
    assert [each.name for each in tmp_path.iterdir()] == ["net.svg"]


def test_a_trained_run_and_its_model_file_are_shown(invoke, run_path: Path) -> None:
    for path in (run_path, run_path / "model.safetensors"):
        status, out, _ = invoke("summary", path)
        assert status == 0
        assert "for an input of 1x8x8" in out
    assert "for an input of 1x12x10" in invoke("summary", run_path, "--size", "12x10")[1]


@pytest.mark.usefixtures("own_code")
def test_code_of_ones_own_is_shown(invoke) -> None:
    assert "8x111x111" in invoke("summary", "own_nets:plain")[1]
    assert "8x15x31" in invoke("summary", "own_nets:plain", "--size", "32x64")[1]
    assert "for an input of 2x50" in invoke("summary", "own_nets:NETWORK", "--size", 50)[1]
    assert "for an input of 12" in invoke("summary", "own_nets:dense")[1]
    out = invoke("summary", "own_nets:chosen", "--classes", 4, "--channels", 2, "--size", 9)[1]
    assert "for an input of 2x9x9" in out
    assert "4x7x7" in out


@pytest.mark.usefixtures("own_code")
def test_pixels_that_are_left_over_are_a_note_or_an_error(invoke) -> None:
    status, out, _ = invoke("summary", "own_nets:plain", "--size", 8)
    assert status == 0
    assert "note: 0: 3 with stride 2 does not fit 8: (8 - 3)/2 + 1 = 3.50" in out
    status, _, err = invoke("summary", "own_nets:plain", "--size", 8, "--strict")
    assert status == 2
    assert "layer '0' (Conv2d): 3 with stride 2 does not fit 8" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("resnet81",), "there is no model 'resnet81'; did you mean 'resnet18'?"),
        (("resnet18", "--size", "0"), "--size 0 is no size"),
        (("resnet18", "--size", "22by4"), "--size 22by4 is no size; give pixels such as 224"),
        (("resnet18", "--channels", "0"), "channels"),
        (("resnet18", "--depth", "-1"), "depth"),
        (("resnet18", "--svg", "{folder}"), "it is a folder; name a file"),
        (("resnet18", "--svg", "{folder}/none/net.svg"), "cannot write"),
        (("absent.safetensors",), "there is no model file"),
        (("{folder}",), "no finished run"),
        (("{folder}/own_nets.py",), "not a safetensors file"),
        (("own_nets.py:plain",), "names a file, where a module is wanted: own_nets:plain"),
        (("own_net:plain",), "there is no module 'own_net'; did you mean 'own_nets'?"),
        (("own_nets:plian",), "there is no function or class 'plian'; did you mean 'plain'?"),
        (("own_nets:WEIGHTS",), "is of type list, where a network, or what makes one, is wanted"),
        (("own_nets:number",), "gives a value of type int, where a torch.nn.Module is wanted"),
        (("own_nets:broken",), "calling own_nets:broken fails: KeyError: 'no weights'"),
        (
            ("own_nets:picky",),
            "calling own_nets:picky fails: TypeError: picky() missing 1 required positional argument",
        ),
        (("own_nets:plain", "--classes", "3"), "takes no argument 'classes'; leave --classes out"),
        (("own_nets:NETWORK", "--channels", "3"), "is a network already"),
        (("own_nets:NETWORK", "--size", "8x8"), "takes 1 axis after the channels"),
        (("own_nets:Undecided",), "the network (Undecided): it reads the value of a tensor"),
        (("own_wrong:net",), "own_wrong.py, line 1: invalid syntax"),
        (("own_failing:net",), "importing 'own_failing' fails: RuntimeError: no licence"),
        (
            ("own_lacking:net",),
            "importing 'own_lacking' fails: ModuleNotFoundError: No module named 'package_that",
        ),
        (("own_leaving:net",), "importing 'own_leaving' ends the program"),
        (("vgg16", "--size", "16x16x16"), "2"),
        (("vgg16", "--size", "8"), "too small"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, own_code: Path, arguments, sentence) -> None:
    status, out, err = invoke("summary", *(word.replace("{folder}", str(own_code)) for word in arguments))
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1
    assert err.count("\n") == 1


def test_options_without_a_meaning_for_a_run_are_refused(invoke, run_path: Path) -> None:
    for option in ("--classes", "--channels"):
        status, _, err = invoke("summary", run_path, option, 3)
        assert status == 2
        assert f"leave {option} out" in err


@pytest.mark.parametrize("text", ["", "x", "0", "3x", "-4", "1x2x3x4", "9999999", "2.5"])
def test_sizes_that_are_none_are_refused(text) -> None:
    with pytest.raises(ShapeError, match="is no size"):
        read_size(text)
