"""Pictures of training curves, whole and with gaps."""

import math
import subprocess
import sys
import warnings

import pytest
from PIL import Image

from striate.core.errors import RunError
from striate.plots import training_curves


def rows(count: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": i + 1,
            "step": 100 * (i + 1),
            "seconds": 17.5 * (i + 1),
            "share": (i + 1) / count,
            "learning_rate": 0.2 * (1 - i / count),
            "train_loss": 0.5 + 1 / (i + 1),
            "train_accuracy": 0.9 - 0.3 / (i + 1),
            "validation_loss": 0.4 + 1 / (i + 1),
            "validation_accuracy": 0.92 - 0.3 / (i + 1),
            "images_per_second": 3000.0,
        }
        for i in range(count)
    ]


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("count", [1, 2, 6, 300])
def test_any_number_of_epochs_is_drawn(tmp_path, count):
    training_curves(rows(count), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert 1000 < picture.width < 2000
        assert 600 < picture.height < 1500
        assert "Software" not in picture.info
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_the_same_rows_give_the_same_bytes_and_others_do_not(tmp_path):
    for name, count in (("a", 3), ("b", 3), ("c", 4)):
        training_curves(rows(count), str(tmp_path / name))
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, ""])
def test_what_is_no_number_is_a_gap(tmp_path, value):
    gaps = rows(5)
    for name in ("train_loss", "validation_accuracy", "learning_rate", "images_per_second", "seconds"):
        gaps[4][name] = value
    training_curves(gaps, tmp_path / "some.png")
    nothing = [{name: value if name != "epoch" else 1 for name in rows(1)[0]}]
    training_curves(nothing, tmp_path / "nothing.png")
    assert (tmp_path / "some.png").read_bytes() != (tmp_path / "nothing.png").read_bytes()


def test_rows_of_text_are_read_as_from_a_csv_file(tmp_path):
    training_curves(rows(3), tmp_path / "a.png")
    training_curves(
        [{name: str(value) for name, value in row.items()} for row in rows(3)], tmp_path / "b.png"
    )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_missing_columns_are_empty_axes(tmp_path):
    training_curves([{"epoch": 0.5}], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 0


def test_no_rows_are_refused_and_the_old_picture_kept(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(RunError, match="first epoch"):
        training_curves([], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_drawing_leaves_pyplot_alone():
    program = (
        "import sys, tempfile\n"
        "from striate.plots import training_curves\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    training_curves([{'epoch': 1, 'train_loss': 1.0}], folder + '/a.png')\n"
        "print('matplotlib.pyplot' in sys.modules, 'torch' in sys.modules)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "False False\n"


def test_the_accuracy_under_attack_is_drawn_and_the_best_is_chosen_by_it(tmp_path):
    plain = rows(6)
    robust = [{**row, "robust_accuracy": 0.5 - 0.02 * abs(row["epoch"] - 3)} for row in plain]
    training_curves(plain, tmp_path / "plain.png")
    training_curves(robust, tmp_path / "robust.png")
    with Image.open(tmp_path / "plain.png") as one, Image.open(tmp_path / "robust.png") as other:
        assert one.size == other.size
        assert one.tobytes() != other.tobytes()


def test_the_macro_f1_is_drawn_where_the_best_is_chosen_by_it(tmp_path):
    plain = rows(6)
    chosen = [{**row, "validation_macro_f1": 0.4 - 0.02 * abs(row["epoch"] - 3)} for row in plain]
    training_curves(plain, tmp_path / "plain.png")
    training_curves(chosen, tmp_path / "chosen.png")
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "chosen.png").read_bytes()
