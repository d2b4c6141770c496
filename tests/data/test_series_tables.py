"""Tables with one series a row: with a heading or without, labels first, last or named."""

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data import HoldOut, open_dataset
from striate.data.series_tables import is_series_table, read_series_table

VALUES = np.round(np.random.default_rng(0).normal(size=(8, 6)), 3)
LABELS = [1, 2, 1, 2, 1, 2, 1, 2]


@pytest.fixture
def write(tmp_path):
    def write(rows, heading=None, *, name="series.csv", delimiter=","):
        path = tmp_path / name
        lines = [] if heading is None else [heading]
        lines += [delimiter.join(map(str, row)) for row in rows]
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def _first():
    return [[label, *values] for label, values in zip(LABELS, VALUES, strict=True)]


def _last():
    return [[*values, f"{label:.18e}"] for label, values in zip(LABELS, VALUES, strict=True)]


@pytest.mark.parametrize(
    ("rows", "heading", "delimiter", "said"),
    [
        (_first(), None, ",", "first"),
        (_first(), None, "\t", "first"),
        (_last(), None, ";", "last"),
        (_first(), "label,a,b,c,d,e,f", ",", ""),
        (_last(), "t0,t1,t2,t3,t4,t5,Class", ",", ""),
        ([["ant" if row[0] == 1 else "bee", *row[1:]] for row in _first()], None, ",", ""),
    ],
)
def test_labels_are_found_wherever_they_stand(write, rows, heading, delimiter, said) -> None:
    path = write(rows, heading, name="series.tsv" if delimiter == "\t" else "series.csv", delimiter=delimiter)
    assert is_series_table(path)
    table = read_series_table(path)
    np.testing.assert_array_equal(table.values[:, 0], VALUES.astype(np.float32))
    assert len(set(table.labels)) == 2
    assert table.labels[0] in ("1", "ant")
    assert said in table.note
    data = open_dataset(path)
    assert (data.dims, data.channels, data.size, len(data.classes)) == (1, 1, (6,), 2)


def test_parts_names_and_other_columns_are_no_values(write) -> None:
    heading = "name,patient,split,label,t0,t1,t2,t3,t4,t5"
    rows = [
        [f"s{number}", f"p{number // 2}", "test" if number > 5 else "train", label, *values]
        for number, (label, values) in enumerate(zip(LABELS, VALUES, strict=True))
    ]
    path = write(rows, heading)
    data = open_dataset(path, validation=HoldOut(0.34, "patient"))
    assert data.test.names == ("s6", "s7")
    assert data.size == (6,)
    patients = [{int(name[1:]) // 2 for name in part.names} for part in (data.train, data.validation)]
    assert patients[0].isdisjoint(patients[1])
    with pytest.raises(DataError, match="there is no column 'patiend'; did you mean 'patient'"):
        open_dataset(path, validation=HoldOut(0.3, "patiend"))


def test_series_without_labels_are_read_where_their_length_is_known(write) -> None:
    table = read_series_table(write(VALUES.tolist()), length=6)
    assert table.labels is None
    assert table.values.shape == (8, 1, 6)
    assert read_series_table(write(_first()), length=6).labels[:2] == ("1", "2")


def test_tables_of_images_are_none(write) -> None:
    assert not is_series_table(write([["a.png", 1, 2, 3, 4, 5]], "path,label,a,b,c,d"))
    assert not is_series_table(write([["a", "b"]]))
    assert not is_series_table(write([]))


@pytest.mark.parametrize(
    ("rows", "heading", "words"),
    [
        ([*_first(), [1, 2, 3]], None, "row 9 of .* has 3 cells, where the first has 7"),
        ([*_first(), [1, 2, 3, "x", 5, 6, 7]], None, "has 'x' in column 4, where a number is wanted"),
        ([*_first(), [1, 2, 3, "nan", 5, 6, 7]], None, "row 9 of .* no finite number"),
        ([*_first(), [1, 2, 3, "", 5, 6, 7]], "label,a,b,c,d,e,f", "has '' in column 'c'"),
        ((VALUES + 0.5).tolist(), None, "neither the first nor the last column"),
        (VALUES.tolist(), "a,b,c,d,e,f", "has no column of labels"),
        ([[*row, "dev"] for row in _first()], "label,a,b,c,d,e,f,split", "names the part 'dev'"),
    ],
)
def test_what_is_wrong_in_a_table_is_said(write, rows, heading, words) -> None:
    with pytest.raises(DataError, match=words):
        open_dataset(write(rows, heading))
