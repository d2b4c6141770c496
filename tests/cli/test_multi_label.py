"""Images with several labels through the command line: a table, a run, its figures, predictions."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from striate.cli import app, errors


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Pictures whose red, green and blue are bright or not, listed with what is."""
    folder = tmp_path_factory.mktemp("colours")
    generator = np.random.default_rng(0)
    lines = ["path,labels"]
    for number in range(90):
        own = generator.random(3) < 0.5
        pixels = generator.integers(0, 60, (10, 10, 3)) + 150 * own
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{';'.join(np.array(['red', 'green', 'blue'])[own])}")
    path = folder / "colours.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "colours"
    words = ["train", str(table), "--epochs", "4", "--model", "compact-small", "--batch", "16", "--quiet"]
    words += ["--allow-leakage", "--out", str(path)]
    assert errors.run(typer.main.get_command(app), words) == 0
    return path


def test_training_says_what_it_is(invoke, table: Path, tmp_path: Path) -> None:
    words = ["--epochs", 1, "--model", "compact-small", "--allow-leakage", "--out", tmp_path / "run"]
    status, out, err = invoke("train", table, *words)
    assert status == 0
    assert "validation mean average precision" in out
    assert "labels.png" in out
    assert "images may have several labels, which ';' separates" in err
    assert "labels  any number an image" in err
    assert "mean average precision" in err


def test_figures_are_printed_and_drawn(invoke, run: Path, tmp_path: Path) -> None:
    status, out, _ = invoke("val", run, "--confusion", tmp_path / "bars.png")
    assert status == 0
    for words in ("validation mean average precision", "all labels right", "F1", "said from", "calibration"):
        assert words in out
    assert {line.split()[0] for line in out.splitlines()[-3:]} == {"red", "green", "blue"}
    with Image.open(tmp_path / "bars.png") as picture:
        assert min(picture.size) > 200
    status, out, _ = invoke("val", run, "--json")
    kept = json.loads((run / "evaluation.json").read_text())
    assert json.loads(out)["evaluation"] == kept["validation"]


def test_single_labels_measure_it_too(invoke, run: Path, table: Path) -> None:
    lines = table.read_text().splitlines()
    single = table.with_name("single.csv")
    single.write_text(
        "\n".join(["path,label", *(line for line in lines if line.split(",")[1] in ("red", "blue"))])
    )
    status, out, _ = invoke("val", run, single, "--json")
    assert status == 0
    found = json.loads(out)["evaluation"]
    assert found["support"][found["classes"].index("green")] == 0


def test_predictions_name_all_labels(invoke, run: Path, table: Path, tmp_path: Path) -> None:
    truth = {row["path"]: set(filter(None, row["labels"].split(";"))) for row in csv.DictReader(table.open())}
    pictures = [table.parent / name for name in truth]
    status, out, _ = invoke("predict", run, *pictures, "--csv", tmp_path / "out.csv")
    assert status == 0
    assert "without any label" in out
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["path", "labels", "label", "probability"]
    found = {Path(row["path"]).name: set(filter(None, row["labels"].split(";"))) for row in rows}
    right = sum(found[name] == own for name, own in truth.items())
    assert right > 45
    status, out, _ = invoke("predict", run, *pictures[:5], "--json")
    said = json.loads(out)["predictions"]
    assert [{name for name, _ in one["labels"]} for one in said] == [
        found[path.name] for path in pictures[:5]
    ]
    status, out, _ = invoke("predict", run, *pictures[:5])
    assert out.splitlines()[0].split() == ["picture", "labels", "others"]


def test_what_was_predicted_can_be_trained_on(invoke, run: Path, table: Path, tmp_path: Path) -> None:
    out = table.with_name("predicted.csv")
    assert invoke("predict", run, table.parent, "--csv", out)[0] == 0
    words = [
        "--epochs",
        0.1,
        "--model",
        "compact-small",
        "--allow-leakage",
        "--quiet",
        "--out",
        tmp_path / "run",
    ]
    assert invoke("train", out, *words)[0] == 0
    assert (tmp_path / "run" / "labels.png").exists()


def test_it_is_explained_by_the_probability_of_each_label(
    invoke, run: Path, table: Path, tmp_path: Path
) -> None:
    photo = table.parent / "0.png"
    status, out, _ = invoke("explain", run, photo, "--out", tmp_path / "map.png", "--json", "--target", "red")
    assert status == 0
    explained = json.loads(out)["photos"][0]
    _, said, _ = invoke("predict", run, photo, "--json", "--top", 3)
    probabilities = dict(json.loads(said)["predictions"][0]["top"])
    assert explained["target_probability"] == pytest.approx(probabilities["red"], abs=0.1)
    status, _, err = invoke("explain", run, photo, "--out", tmp_path / "map.png", "--sanity")
    assert (status, "any number of labels" in err) == (2, True)


@pytest.mark.parametrize("words", [("attack", "RUN"), ("attack", "RUN", "--invariance")])
def test_what_needs_one_class_is_one_sentence(invoke, run: Path, words) -> None:
    status, _, err = invoke(*(run if word == "RUN" else word for word in words))
    assert status == 2
    assert "any number of labels an image" in err
    assert len(err.strip().splitlines()) == 1


def test_audit_and_preview_take_it(invoke, table: Path, tmp_path: Path) -> None:
    status, out, _ = invoke("audit", table)
    assert status == 0
    assert "90 images looked at" in out
    status, _, err = invoke("audit", table, "--labels")
    assert (status, "may have several labels" in err) == (2, True)
    status, out, _ = invoke(
        "data", "preview", table, "--out", tmp_path / "sheet.png", "--json", "--augment", "mixup=1"
    )
    assert status == 0
    assert all(row for row in json.loads(out)["rows"])


def test_a_search_needs_one_class(invoke, table: Path, tmp_path: Path) -> None:
    status, _, err = invoke("search", table, "--minutes", 0.1, "--out", tmp_path / "search")
    assert status == 2
    assert "needs images of one class each" in err
