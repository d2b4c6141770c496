"""The command line on series: the same verbs as on images, and one sentence where a verb is of pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz file of short series of two classes, channels last."""
    folder = tmp_path_factory.mktemp("series")
    random = np.random.default_rng(0)
    labels = np.arange(80) % 2
    series = random.normal(size=(80, 30, 5)) + 2 * labels[:, None, None] * np.sin(np.arange(30))[:, None]
    np.savez(folder / "set.npz", x=series, y=labels, classes=np.array(["flat", "wavy"]))
    return folder


@pytest.fixture
def run(invoke, files: Path) -> Path:
    path = files / "run"
    if not path.exists():
        status, out, err = invoke("train", files / "set.npz", "--epochs", 3, "--out", path)
        assert (status, "5 channels last" in err) == (0, True)
        assert "validation accuracy" in out
    return path


def test_val_says_what_the_run_says(invoke, run: Path) -> None:
    status, out, _ = invoke("val", run, "--json")
    assert status == 0
    kept = json.loads((run / "evaluation.json").read_text())
    assert json.loads(out)["evaluation"] == kept["validation"]


def test_predict_names_every_series_of_a_file(invoke, run: Path, files: Path) -> None:
    status, out, _ = invoke("predict", run, files / "set.npz", "--json")
    said = json.loads(out)["predictions"]
    assert (status, len(said)) == (0, 80)
    assert said[3]["name"] == f"{files / 'set.npz'}: 3"
    assert {each["label"] for each in said} <= {"flat", "wavy"}


def test_summary_follows_the_network_of_a_run(invoke, run: Path) -> None:
    status, out, _ = invoke("summary", run)
    assert status == 0
    assert "for an input of 5x30" in out
    status, out, err = invoke("summary", run, "--size", "30x30")
    assert (status, "takes inputs of 1 axes, and --size names 2" in err) == (2, True)


def test_attacks_are_of_pictures(invoke, run: Path, files: Path) -> None:
    status, _, err = invoke("attack", run, files / "set.npz")
    assert status == 2
    assert "takes series, and pictures are attacked here" in err


@pytest.mark.parametrize("method", ["saliency", "gradcam", "occlusion", "integrated-gradients"])
def test_series_are_explained_over_their_times(
    invoke, run: Path, files: Path, tmp_path: Path, method: str
) -> None:
    with np.load(files / "set.npz") as arrays:
        np.savez(tmp_path / "two.npz", x=arrays["x"][:2])
    out = tmp_path / "why.png"
    status, said, err = invoke(
        "explain", run, tmp_path / "two.npz", "--method", method, "--out", out, "--json"
    )
    assert (status, err) == (0, "")
    photos = json.loads(said)["photos"]
    assert [each["photo"] for each in photos] == [f"{tmp_path / 'two.npz'}: {row}" for row in range(2)]
    assert all(np.isfinite([each["lowest"], each["highest"]]).all() for each in photos)
    with Image.open(out) as picture:
        assert min(picture.size) > 200


def test_what_cannot_be_explained_of_series_is_refused(invoke, run: Path, files: Path) -> None:
    for words, sentence in (
        ((files / "set.npz",), "80 series are too many for a picture, which shows 20 at most"),
        ((files / "set.npz", "--all"), "takes series, which are explained by one method at a time"),
        (("--units", "stages.0"), "takes series, which are explained by one method at a time"),
    ):
        status, _, err = invoke("explain", run, *words)
        assert (status, sentence in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("audit",), "holds series, and an audit looks at images only"),
        (("data", "preview"), "holds series, and previews are of images"),
        (("search", "--minutes", "1"), "holds series, and a search looks for recipes for images"),
    ],
)
def test_other_verbs_refuse_series_in_a_sentence(
    invoke, files: Path, words, sentence, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = invoke(*words, files / "set.npz")
    assert status == 2
    assert sentence in err
