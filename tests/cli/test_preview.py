"""``striate data preview`` draws what a training would be given; ``data changes`` lists what it can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from striate.data.augment_language import CHANGES


def _sheet(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


def test_a_policy_is_drawn_and_said(invoke, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    options = ("--images", 3, "--variants", 2, "--out", out)
    status, said, err = invoke("data", "preview", "digits", "--augment", "crop=0.3,mixup=1", *options)
    assert (status, err) == (0, "")
    assert said == f"crop=0.3,mixup=1: 3 rows in {out}\n"
    wide = _sheet(out)
    again = invoke("data", "preview", "digits", "--augment", "crop", *options, "--variants", 5, "--json")
    result = json.loads(again[1])
    assert result["augment"] == "crop=0.3"
    assert (result["flip"], result["shift"], result["variants"]) == (False, 0, 5)
    assert [len(row) for row in result["rows"]] == [1, 1, 1]
    assert result["out"] == str(out)
    assert _sheet(out)[0] > wide[0]


def test_without_a_policy_the_usual_augmentation_is_drawn(invoke, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    status, said, _ = invoke("data", "preview", "digits", "--images", 1, "--out", out)
    assert status == 0
    assert said == f"no augmentation: 1 row in {out}\n"
    assert invoke("data", "preview", "digits", "--augment", "flip", "--images", 1, "--out", out)[1] == (
        f"flip: 1 row in {out}\n"
    )


def test_each_change_has_a_row(invoke, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    options = ("--each", "--variants", 2, "--out", out, "--json")
    every = ",".join(name for name, kind in CHANGES.items() if 2 in kind.dims and not kind.needs_colour)
    status, said, err = invoke("data", "preview", "digits", "--augment", f"flip,{every}", *options)
    assert (status, err) == (0, "")
    rows = json.loads(said)["rows"]
    assert len(rows) == 1 + len(every.split(","))
    assert rows[0] == ["flip"]
    assert rows[1][0].startswith("crop=")


def test_changes_are_listed(invoke) -> None:
    status, said, _ = invoke("data", "changes")
    assert status == 0
    assert all(name in said for name in ["flip", *CHANGES])
    listed = json.loads(invoke("data", "changes", "--json")[1])
    assert [each["name"] for each in listed] == ["flip", *CHANGES]
    assert all(each["does"].endswith(".") for each in listed)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--augment", "flop"), "there is no change 'flop'; did you mean 'flip'?"),
        (("--augment", "hue"), "'hue' changes colours, which images of 1 channel do not have"),
        (("--augment", "none", "--each"), "there is no change to be drawn by itself"),
        (("--out", "sheet.jpg"), "cannot write sheet.jpg: sheets are PNG files; name one such as sheet.png"),
        (("--out", "/dev/null/sheet.png"), "cannot write the sheet /dev/null/sheet.png"),
        (("--images", "100", "--variants", "100"), "10,100 pictures are too many for a sheet"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(invoke, tmp_path: Path, monkeypatch, options, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = invoke("data", "preview", "digits", *options)
    assert status == 2
    assert sentence in err
    assert list(tmp_path.iterdir()) == []
