"""The depth study on a few tiny images: whole results, one seed one result, and its command."""

from __future__ import annotations

import json
import re

import pytest
import torch

from striate.core.errors import RecipeError
from striate.studies import depth
from striate.studies.depth import MEASURED, TRAINED, study_depth
from striate.studies.depth_results import Course, DepthStudy, Start, Variant
from striate.studies.fitting import Curve

PLAIN = Variant(depth=20, residual=False, activation="sigmoid", norm=False)
RESIDUAL = Variant(depth=20, residual=True, activation="ReLU", norm=True)
TINY = {"images": 64, "epochs": 1, "measured": (PLAIN, RESIDUAL), "trained": (RESIDUAL,), "device": "cpu"}


@pytest.fixture(scope="module")
def study() -> DepthStudy:
    return study_depth("digits", seeds=2, **TINY)


def test_the_gradients_at_the_start_are_those_of_every_layer(study) -> None:
    assert [len(each) for start in study.starts for each in start.gradients] == [20] * 4
    assert [start.verdicts for start in study.starts] == [("vanishing",) * 2, ("healthy",) * 2]
    for start in study.starts:
        for gradients, reach in zip(start.gradients, start.reaches, strict=True):
            assert gradients[0] / gradients[-1] == pytest.approx(reach)
    assert study.starts[0].gradients[0] != study.starts[0].gradients[1]


def test_each_training_has_its_curve_and_its_test_error(study) -> None:
    (course,) = study.courses
    assert [len(curve.errors) for curve in course.curves] == [1, 1]
    assert all(0 <= error <= 1 for error in course.test_errors)
    assert (study.images, study.epochs, study.seeds, study.size) == (64, 1, 2, (8, 8))
    assert study.test_images == 360


def test_one_seed_gives_one_result_and_leaves_the_generator_alone(study) -> None:
    before = torch.get_rng_state()
    again = study_depth("digits", seeds=1, **TINY)
    assert torch.get_rng_state().equal(before)
    assert again.courses[0].curves == study.courses[0].curves[:1]
    assert again.starts[0].gradients == study.starts[0].gradients[:1]


def test_its_figures_are_json_and_its_rows_a_table(study) -> None:
    figures = json.loads(json.dumps(study.to_dict(), allow_nan=False))
    assert figures["starts"][1]["variant"]["label"] == "residual-20, ReLU, batch norm"
    assert figures["courses"][0]["test_error"]["count"] == 2
    rows = study.rows()
    assert [row[0] for row in rows] == ["plain-20, sigmoid", "residual-20, ReLU, batch norm"]
    assert {len(row) for row in rows} == {len(DepthStudy.COLUMNS)}
    assert rows[0][3:] == ("", "", "", "")
    assert study.findings() == []  # nothing of 56 layers was trained


def made(shallow: list[float | None], deep: list[float | None]) -> DepthStudy:
    """A study whose training errors are given; None has diverged."""
    courses = []
    for layers, errors in ((20, shallow), (56, deep)):
        variant = Variant(depth=layers, residual=False, activation="ReLU", norm=True)
        curves = [Curve((), (), True) if e is None else Curve((0.9, e), (2.0, 1.0), False) for e in errors]
        courses.append(Course(variant, tuple(curves), tuple(errors)))
    start = Start(courses[0].variant, ((1.0,),), (1.0,), ("healthy",))
    return DepthStudy(
        source="made",
        size=(8, 8),
        images=1,
        test_images=1,
        images_at_start=1,
        epochs=2,
        batch=1,
        seeds=len(shallow),
        precision="float32",
        seconds=1.0,
        starts=(start,),
        courses=tuple(courses),
    )


@pytest.mark.parametrize(
    ("shallow", "deep", "said"),
    [
        (
            [0.10, 0.11, 0.12],
            [0.20, 0.22, 0.21],
            r"\+10.00 ± 2.48 points \(paired, 3 seeds\): more layers train worse",
        ),
        ([0.20, 0.22, 0.21], [0.10, 0.11, 0.12], "more layers train better"),
        ([0.10, 0.20, 0.30], [0.12, 0.18, 0.30], "no difference is shown"),
        ([0.10], [0.90], "no difference is shown"),
        ([0.10, None], [0.20, 0.3], "1 seeds"),
        ([0.10], [None], "diverged"),
    ],
)
def test_what_is_said_of_depth_is_what_was_measured(shallow, deep, said) -> None:
    (finding,) = made(shallow, deep).findings()
    assert re.search(said, finding), finding


def test_what_diverged_is_counted_and_left_out() -> None:
    study = made([0.1, None, 0.3], [None, None, None])
    assert study.rows()[0][4:] == ("20.00 ± 127.06 %", "20.00 ± 127.06 %", "1 of 3")
    assert study.courses[1].training_error() is None
    assert study.to_dict()["courses"][1]["training_error"] is None


def test_the_networks_are_the_sixteen_and_the_ten() -> None:
    assert len(set(MEASURED)) == 16
    assert len(TRAINED) == 10
    assert {each for each in TRAINED if each.depth == 56} == {
        Variant(depth=56, residual=residual, activation="ReLU", norm=True) for residual in (False, True)
    }


def test_twins_differ_in_nothing_but_their_skips() -> None:
    for variant in MEASURED:
        twin = Variant(**{**vars(variant), "residual": not variant.residual})
        torch.manual_seed(0)
        one = variant.build(classes=3, channels=1).state_dict()
        torch.manual_seed(0)
        other = twin.build(classes=3, channels=1).state_dict()
        assert [(name, tensor.shape) for name, tensor in one.items()] == [
            (name, tensor.shape) for name, tensor in other.items()
        ]
        assert all(tensor.equal(other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("name", ["images", "epochs", "seeds"])
def test_numbers_under_one_are_refused(name) -> None:
    with pytest.raises(RecipeError, match=f"{name} is 0"):
        study_depth("digits", **{name: 0})


def test_the_command_writes_its_files_and_prints_its_table(tmp_path, capsys) -> None:
    depth.main(["digits", "--out", str(tmp_path / "out"), "--images", "32", "--epochs", "1", "--seeds", "1"])
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["depth-curves.png", "depth-gradients.png", "depth.json"]
    assert json.loads((tmp_path / "out" / "depth.json").read_text())["images"] == 32
    assert "| plain-20, sigmoid |" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path) -> None:
    with pytest.raises(SystemExit, match="error: epochs is 0, where at least 1 is wanted"):
        depth.main(["digits", "--out", str(tmp_path), "--epochs", "0"])
