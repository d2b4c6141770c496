"""CSV files: delimiters, headings, parts, and rows that name nothing."""

import pytest

from striate.core.errors import DataError
from striate.data import open_dataset
from striate.data.tables import scan_table


@pytest.fixture
def write(two_classes):
    def write(text, name="list.csv", encoding="utf-8"):
        path = two_classes / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


ROWS = [(f"{name}/{number}.png", name) for name in ("ants", "bees") for number in range(5)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("heading", [("path", "label"), ("Image", " Class "), ("filename", "category")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_headings_and_marks(write, delimiter, heading, encoding):
    text = "\r\n".join(delimiter.join(row) for row in [heading, *ROWS])
    data = open_dataset(write(text, encoding=encoding))
    assert data.classes == ("ants", "bees")
    assert len(data.train) + len(data.validation) == 10
    assert data.name == "list"


def test_quoted_names_parts_and_other_columns(write, two_classes):
    (two_classes / "ants" / "0.png").rename(two_classes / "ants" / "a,\nb.png")
    text = (
        "id,path,split,label\n"
        '1,"ants/a,\nb.png",train,x\n'
        "2,ants/1.png,TRAIN,é\n\n"
        "3,ants/2.png,valid,x\n"
        "4,bees/1.png,test,x\n"
        "5,bees/2.png,dev,x\n"
    )
    listing = scan_table(write(text))
    assert [(file.name, file.label, file.part) for file in listing.files] == [
        ("ants/a,\nb.png", "x", "train"),
        ("ants/1.png", "é", "train"),
        ("ants/2.png", "x", "validation"),
        ("bees/1.png", "x", "test"),
    ]
    assert [item.name for item in listing.rejected] == ["bees/2.png"]


def test_missing_files_and_labels_are_listed(write):
    text = "path,label\nants/0.png,a\nnone.png,a\nants/1.png\n,a\nants,a\nbees/0.png,b\nbees/1.png,b\n"
    data = open_dataset(write(text))
    assert [(item.name, item.reason) for item in data.rejected] == [
        ("none.png", "there is no such file"),
        ("ants/1.png", "the row has no label"),
        ("", "the row names no file"),
        ("ants", "there is no such file"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("path,kind\nants/0.png,a\n", r"no column 'label' \(it has: 'path', 'kind'\)"),
        ("where,label\nants/0.png,a\n", "no column 'path'"),
        ("path,label\n", "none of the 0 rows"),
        ("path,label\nx.png,a\ny.png,b\n", "none of the 2 rows .* 'x.png': there is no such file"),
        ("path,label\nants/0.png,a\nants/1.png,a\n", "one class only, 'a'"),
        ("path,label\n\0,a\n", "none of the 1 row|no CSV"),
    ],
)
def test_what_cannot_be_used_is_said(write, text, words):
    with pytest.raises(DataError, match=words):
        open_dataset(write(text))


def test_what_is_no_text_is_said(write):
    path = write("")
    path.write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(DataError, match="as text in UTF-8"):
        open_dataset(path)
