"""``striate predict`` prints, writes and survives what folders hold."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.classifier import Prediction
from striate.cli.predict import write_csv
from striate.data import open_dataset

NAMES = ("=1+1.png", "two\nlines.png", "naïve 猫,\"'.png", "last.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four real digits under names that tables and CSV files must survive, and a broken file."""
    path = tmp_path / "new"
    path.mkdir()
    test = open_dataset("digits").test
    assert test is not None
    for name, image in zip(NAMES, test.images, strict=False):
        Image.fromarray(image[0]).save(path / name)
    (path / "empty.png").touch()
    return path


def test_every_readable_file_is_in_the_csv_once(invoke, run_path: Path, folder: Path, tmp_path: Path) -> None:
    status, out, _ = invoke("predict", run_path, folder, "--csv", tmp_path / "out.csv", "--top", 2)
    assert status == 0
    assert "1 could not be read" in out
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "probability", "label_2", "probability_2", "error"]
    by_name = {Path(row["path"]).name: row for row in rows}
    assert sorted(by_name) == sorted([*NAMES, "empty.png"])
    assert by_name["empty.png"]["error"] == "the file is empty"
    assert by_name["empty.png"]["label"] == ""
    for name in NAMES:
        row = by_name[name]
        assert row["label"].isdigit()
        assert 0 < float(row["probability_2"]) <= float(row["probability"]) <= 1
        assert row["error"] == ""


def test_json_holds_what_the_csv_holds(invoke, run_path: Path, folder: Path, tmp_path: Path) -> None:
    status, out, _ = invoke("predict", run_path, folder, "--json", "--csv", tmp_path / "out.csv")
    assert status == 0
    predictions = json.loads(out)["predictions"]
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [one["name"] for one in predictions] == [row["path"] for row in rows]
    assert [one["label"] or "" for one in predictions] == [row["label"] for row in rows]
    assert len(predictions[-1]["top"]) == 3


def test_people_get_a_table(invoke, run_path: Path, folder: Path) -> None:
    status, out, _ = invoke("predict", run_path, folder)
    assert status == 0
    assert len(out.splitlines()) == 1 + 5  # a title, and a line for each file whatever its name
    assert "two\\nlines.png" in out
    assert "the file is empty" in out


def test_a_file_name_that_is_no_text_survives(invoke, run_path: Path, folder: Path, tmp_path: Path) -> None:
    raw = os.fsencode(folder) + b"/caf\xe9.png"
    try:
        os.rename(folder / "last.png", raw)
    except OSError:
        pytest.skip("this file system takes no names that are not text")
    for options in ((), ("--json",), ("--csv", tmp_path / "out.csv")):
        assert invoke("predict", run_path, folder, *options)[0] == 0
    assert b"/caf\xe9.png," in (tmp_path / "out.csv").read_bytes()


def test_one_pixel_is_predicted(invoke, run_path: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "one.png")
    assert invoke("predict", run_path, tmp_path / "one.png")[0] == 0


def test_what_is_missing_is_listed_with_the_rest(invoke, run_path: Path, folder: Path) -> None:
    status, out, _ = invoke("predict", run_path, folder / "absent.png", folder / "last.png")
    assert status == 0
    assert "there is no file or folder" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{run}", "{folder}/empty.png"), "none of the pictures can be read"),
        (("{run}", "{folder}/absent.png"), "no file or folder"),
        (("{run}", "{folder}", "--csv", "/nowhere/out.csv"), "cannot write /nowhere/out.csv"),
        (("{run}", "{folder}", "--csv", "{folder}"), "it is a folder; name a file"),
        (("{folder}", "{folder}"), "no finished run"),
        (("{folder}/empty.png", "{folder}"), "not a safetensors file"),
        (("{run}",), "PATH"),
        (("{run}", "{folder}", "--top", "0"), "top"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, run_path: Path, folder: Path, arguments, sentence) -> None:
    given = [word.replace("{run}", str(run_path)).replace("{folder}", str(folder)) for word in arguments]
    status, out, err = invoke("predict", *given)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("error: ") == 1


def test_where_nothing_can_be_read_the_old_csv_stays(invoke, run_path: Path, folder: Path, tmp_path) -> None:
    (tmp_path / "out.csv").write_text("old")
    status, _, err = invoke("predict", run_path, folder / "empty.png", "--csv", tmp_path / "out.csv")
    assert status == 2
    assert "none of the pictures can be read" in err
    assert (tmp_path / "out.csv").read_text() == "old"


def test_an_error_of_what_predicts_is_not_the_files(tmp_path: Path) -> None:
    def failing():
        yield Prediction("a.png", "cat", 1.0, (("cat", 1.0),))
        raise OSError(5, "the device is gone")

    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(OSError, match="the device is gone"):
        write_csv(tmp_path / "out.csv", failing(), top=1)
    assert (tmp_path / "out.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_failed_csv_leaves_the_old_one(invoke, run_path: Path, folder: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on file sizes")
    (tmp_path / "out.csv").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        status, _, err = invoke("predict", run_path, folder, "--csv", tmp_path / "out.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2
    assert "cannot write" in err
    assert (tmp_path / "out.csv").read_text() == "old"
