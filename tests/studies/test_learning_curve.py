"""Learning curves on a few tiny images, and what is said of figures made up."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from striate.core.errors import DataError, RecipeError
from striate.data import Dataset, open_dataset
from striate.models import CATALOGUE
from striate.studies import learning_curve
from striate.studies.drawing import fewer
from striate.studies.learning_curve import LARGER, study_learning_curve
from striate.studies.learning_curve_results import LearningCurve, Point


@pytest.fixture(scope="module")
def few() -> Dataset:
    return fewer(open_dataset("digits"), 160, seed=0)


@pytest.fixture(scope="module")
def figures(few, tmp_path_factory) -> dict[str, Any]:
    """What the command leaves: of a few digits in two classes, each number of images trained on once."""
    folder = tmp_path_factory.mktemp("curves")
    np.savez(folder / "few.npz", images=few.train.images[:, 0], labels=few.train.labels % 2)
    arguments = ["--epochs", "1", "--sizes", "3", "--seeds", "1"]
    learning_curve.main([str(folder / "few.npz"), "--out", str(folder / "out"), *arguments])
    names = sorted(file.name for file in (folder / "out").iterdir())
    assert names == ["learning-curve.json", "learning-curve.png"]
    return json.loads((folder / "out" / "learning-curve.json").read_text())


def test_every_point_is_there_with_an_accuracy_for_each_seed(figures) -> None:
    # Of 160 images 24 are held out.
    found = [(point["network"], point["images"], point["epochs"]) for point in figures["points"]]
    assert found == [
        ("usual", 34, 4.0),
        ("usual", 68, 2.0),
        ("usual", 136, 1.0),
        ("larger", 68, 2.0),
        ("larger", 136, 1.0),
    ]
    assert figures["models"] == ["compact-light", "compact-medium"]
    assert all(len(point["accuracies"]) == 1 for point in figures["points"])
    assert all(0 <= accuracy <= 1 for point in figures["points"] for accuracy in point["accuracies"])
    assert (figures["part"], figures["measured_images"]) == ("validation", 24)
    assert figures["law"]["images"] == [34, 68, 136, 272, 544]


def test_of_one_training_each_nothing_is_decided(figures) -> None:
    assert figures["findings"][-1] == "verdict: one training of each shows no difference; more seeds do"
    assert all("\n" not in finding for finding in figures["findings"])


def made_up(usual: list[tuple[float, ...]], larger: list[tuple[float, ...]]) -> LearningCurve:
    points = [
        Point(network="usual", images=100 * 2**number, epochs=1, accuracies=accuracies, seconds=1)
        for number, accuracies in enumerate(usual)
    ]
    first = len(usual) - len(larger)
    points += [
        Point(
            network="larger", images=100 * 2 ** (first + number), epochs=1, accuracies=accuracies, seconds=1
        )
        for number, accuracies in enumerate(larger)
    ]
    return LearningCurve(
        source="a",
        part="test",
        measured_images=10,
        models=("small", "large") if larger else ("small",),
        seeds=len(usual[0]),
        precision="float32",
        seconds=1,
        points=tuple(points),
    )


USUAL = [(0.6, 0.61, 0.59), (0.7, 0.71, 0.69), (0.8, 0.81, 0.79)]


@pytest.mark.parametrize(
    ("larger", "verdict"),
    [
        ([(0.72, 0.73, 0.71), (0.8, 0.8, 0.8)], "more data help more than a larger network, by +8.00 ± "),
        ([(0.9, 0.92, 0.89), (0.9, 0.9, 0.9)], "a larger network helps more than more data, by +10.33 ± "),
        ([(0.8, 0.7, 0.9), (0.9, 0.9, 0.9)], "neither is shown to help more: the difference is +0.00 ± "),
    ],
)
def test_the_verdict_is_what_was_measured_from_half_of_the_images_on(larger, verdict) -> None:
    found = made_up(USUAL, larger)
    assert found.verdict().startswith(verdict)
    findings = found.findings()
    assert findings[-1] == f"verdict: {found.verdict()}"
    assert {len(row) for row in found.rows()} == {len(LearningCurve.COLUMNS)}
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["points"][0]["mean"]["count"] == 3
    assert len(told["law"]["intervals"][0]) == 2
    assert (
        "from 200 images on, 200 more add +10.00 ± 0.00 points, and large instead of small adds"
        in findings[2]
    )
    assert found.by_data.mean == pytest.approx(0.1)
    assert found.by_size[200].mean == pytest.approx(np.mean(larger[0]) - 0.7)


def test_one_seed_and_no_larger_network_decide_nothing() -> None:
    one = made_up([(0.6,), (0.7,), (0.8,)], [(0.9,), (0.9,)])
    assert "more seeds do" in one.verdict()
    assert one.outlook[1] is None
    assert "(" not in one.findings()[1].split("would")[1]
    alone = made_up(USUAL, [])
    assert alone.advantage is None
    assert alone.findings()[-1] == "no larger network was measured beside small"
    json.dumps(alone.to_dict(), allow_nan=False)


def test_the_outlook_is_the_laws() -> None:
    found = made_up([(1 - 0.4,), (1 - 0.2,), (1 - 0.1,)], [])
    assert found.fit.law.exponent == pytest.approx(1)
    assert found.outlook[0] == pytest.approx(0.05, abs=1e-6)


def test_larger_networks_exist_and_no_chain_is_a_circle() -> None:
    for name, larger in LARGER.items():
        assert {name, larger} <= set(CATALOGUE)
        seen = [name]
        while seen[-1] in LARGER:
            seen.append(LARGER[seen[-1]])
            assert len(set(seen)) == len(seen)


def test_what_is_out_of_range_is_refused(few) -> None:
    with pytest.raises(RecipeError, match="sizes is 2, where at least 3"):
        study_learning_curve(few, sizes=2)
    with pytest.raises(RecipeError, match="epochs is 0"):
        study_learning_curve(few, epochs=0)
    tiny = fewer(few, 60, seed=0)
    with pytest.raises(DataError, match=r"60 images to train on; .* at least 20 .* so 80 and more work"):
        study_learning_curve(tiny)
