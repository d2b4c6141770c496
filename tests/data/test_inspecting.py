"""What files say of themselves, whatever their names say, and broken ones among them."""

import hashlib

import pytest
from PIL import Image

from striate.core.events import ignore
from striate.data.decoding import Head
from striate.data.folders import scan_folder
from striate.data.inspecting import inspect, is_misnamed


def test_every_kind_of_file(make_folder):
    folder = make_folder(*(f"a/{n}.png" for n in range(20)), "b/1.png")
    (folder / "a" / "0.png").write_bytes(b"no picture")
    (folder / "a" / "1.png").write_bytes(b"")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(folder / "a" / "2.png", "JPEG", exif=exif)
    Image.new("CMYK", (5, 4)).save(folder / "a" / "3.jpg")
    Image.new("I;16", (5, 4)).save(folder / "a" / "4.png")
    files = scan_folder(folder).files
    found = dict(zip([file.name for file in files], inspect(files, ignore), strict=True))
    assert found["a/0.png"].head is found["a/1.png"].head is None
    assert found["a/0.png"].digest == hashlib.sha256(b"no picture").digest()
    assert found["a/0.png"].bytes == 10
    assert found["a/2.png"].head == Head(30, 20, 3, "RGB", "JPEG", 6)
    assert found["a/3.jpg"].head == Head(4, 5, 3, "CMYK", "JPEG", 1)
    assert found["a/4.png"].head.mode == "I;16"
    assert found["a/7.png"].head == Head(10, 12, 3, "RGB", "PNG", 1)
    (folder / "b" / "1.png").unlink()
    assert inspect(files, ignore)[-1].digest == b""


@pytest.mark.parametrize(
    ("name", "form", "wrong"),
    [("a.JPG", "JPEG", False), ("a.jpg", "MPO", False), ("a.png", "GIF", True), ("a.tif", "TIFF", False)],
)
def test_names_are_compared_with_contents(name, form, wrong):
    assert is_misnamed(name, Head(8, 8, 3, "RGB", form, 1)) is wrong
