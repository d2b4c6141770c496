"""Archives: the same as their folders, and nothing out of those made to harm."""

import bz2
import gzip
import io
import random
import shutil
import tarfile
import zipfile

import pytest
from PIL import Image

from striate.core.errors import DataError
from striate.core.events import ignore
from striate.data import archives as archives_module
from striate.data import open_dataset
from striate.data.archives import unpacked


def picture():
    file = io.BytesIO()
    Image.new("L", (8, 8), 99).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def make_zip(tmp_path):
    def make(**members):
        path = tmp_path / "made.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return make


@pytest.fixture
def make_tar(tmp_path):
    def make(*names, kind=tarfile.REGTYPE, link=""):
        path = tmp_path / "made.tar"
        with tarfile.open(path, "w") as archive:
            for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
                member = tarfile.TarInfo(name)
                member.size = len(picture())
                archive.addfile(member, io.BytesIO(picture()))
            for name in names:
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, link
                member.size = len(picture()) if kind == tarfile.REGTYPE else 0
                archive.addfile(member, io.BytesIO(picture()))
        return path

    return make


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_gives_what_its_folder_gives_and_leaves_nothing(two_classes, tmp_path, cache, kind):
    (two_classes / "ants" / "1.png").write_bytes(b"broken")
    path = shutil.make_archive(str(tmp_path / "packed"), kind, two_classes)
    of_folder, of_archive = open_dataset(two_classes), open_dataset(path)
    assert of_archive.fingerprint == of_folder.fingerprint
    assert of_archive.train.names == of_folder.train.names
    assert of_archive.rejected == of_folder.rejected
    assert (of_archive.name, of_archive.source) == ("packed", path)
    assert list(cache.iterdir()) == []


OUTWARD = ["../evil.png", "a/../../evil.png", "/etc/evil.png", "..\\evil.png", "\\evil.png", "C:\\evil.png"]


@pytest.mark.parametrize("name", OUTWARD)
def test_members_that_lead_out_refuse_the_archive(make_zip, make_tar, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    for path in (make_zip(**{"a/1.png": picture(), "b/1.png": picture(), name: picture()}), make_tar(name)):
        with pytest.raises(DataError, match=r"which leads out of the archive; nothing of it is used"):
            open_dataset(path)
    assert not [path for path in tmp_path.rglob("*evil*") if path not in before]


def test_backslashes_of_windows_separate_folders(make_zip):
    path = make_zip(**{f"set\\{name}\\{n}.png": picture() for name in "ab" for n in range(2)})
    assert open_dataset(path).classes == ("a", "b")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_not_followed(make_tar, kind):
    data = open_dataset(make_tar("a/3.png", kind=kind, link="/etc/passwd"))
    assert [item.name for item in data.rejected] == ["a/3.png"]
    assert "link or device" in data.rejected[0].reason
    assert len(data.train) + len(data.validation) == 4


def test_a_password_is_said(make_zip):
    path = make_zip(**{"a/1.png": picture(), "b/1.png": picture()})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(signature, start)) >= 0:
            content[start + offset] |= 1
            start += 4
    path.write_bytes(content)
    with pytest.raises(DataError, match="protected by a password"):
        open_dataset(path)


def test_a_bomb_is_refused_before_it_is_unpacked(make_zip, make_tar, monkeypatch, cache):
    monkeypatch.setattr(archives_module, "FREE_BYTES", 1 << 20)
    for name in ("a/1.png", "a/1.txt"):
        path = make_zip(**{name: bytes(8 << 20), "b/1.png": picture()})
        with pytest.raises(DataError, match="unpacks to more than"):
            open_dataset(path)
    monkeypatch.setattr(archives_module, "MOST_RATIO", 0)
    monkeypatch.setattr(archives_module, "FREE_BYTES", 300)
    with pytest.raises(DataError, match="unpacks to more than"):
        open_dataset(make_tar("a/3.png"))
    assert list(cache.iterdir()) == []


def test_a_damaged_member_is_left_out_and_a_damaged_archive_refused(make_zip, make_tar):
    path = make_zip(
        **{f"{name}/{n}.png": random.Random(n).randbytes(200) + picture() for name in "ab" for n in (1, 2)}
    )
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with unpacked(path, on_event=ignore) as listing:
        assert [item.name for item in listing.rejected] == ["a/1.png"]
        assert len(listing.files) == 3
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged or no archive"):
        open_dataset(path)
    tar = make_tar()
    tar.write_bytes(tar.read_bytes()[:2200])
    with pytest.raises(DataError, match="damaged or no archive"):
        open_dataset(tar)
    for kind in ("tar", "tar.gz", "zip", "tar.xz"):
        text = path.with_name(f"text.{kind}")
        text.write_text("no archive at all")
        with pytest.raises(DataError, match="damaged or no archive"):
            open_dataset(text)


def test_what_a_tar_holds_is_counted_once_and_whatever_kind_it_is_of(make_tar, monkeypatch):
    path = make_tar("a/notes.txt")
    monkeypatch.setattr(archives_module, "MOST_RATIO", 0)
    monkeypatch.setattr(archives_module, "FREE_BYTES", 5 * len(picture()))
    assert len(open_dataset(path).train) == 2
    member = tarfile.TarInfo("a/3.png")
    member.type, member.size = b"Z", 10_000
    with tarfile.open(path, "a") as archive:
        archive.addfile(member, io.BytesIO(bytes(10_000)))
    with pytest.raises(DataError, match="unpacks to more than"):
        open_dataset(path)


def test_a_size_below_nothing_is_damage(tmp_path):
    member = tarfile.TarInfo("a/b")
    member.type, member.size = tarfile.DIRTYPE, -5000
    with tarfile.open(tmp_path / "made.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member)
    with pytest.raises(DataError, match="damaged or no archive"):
        open_dataset(tmp_path / "made.tar")


def test_damage_that_decompressors_report_is_the_archives(make_tar, tmp_path):
    path = make_tar()
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("b/3.png")
        member.size = 400_000
        archive.addfile(member, io.BytesIO(random.Random(0).randbytes(400_000)))
    content = path.read_bytes()
    squeezed = bytearray(bz2.compress(content, 1))
    squeezed[len(squeezed) // 2] ^= 0xFF
    (tmp_path / "bad.tar.bz2").write_bytes(squeezed)
    (tmp_path / "bad.tar.gz").write_bytes(gzip.compress(content[:200_000]) + b"no more of it")
    for name in ("bad.tar.bz2", "bad.tar.gz"):
        with pytest.raises(DataError, match=f"{name} is damaged or no archive"):
            open_dataset(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "made.zip", "w", zipfile.ZIP_BZIP2) as archive:
        for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
            archive.writestr(name, picture())
    content = bytearray((tmp_path / "made.zip").read_bytes())
    content[30 + len("a/1.png") + 40] ^= 0xFF
    (tmp_path / "made.zip").write_bytes(content)
    data = open_dataset(tmp_path / "made.zip")
    assert [item.name for item in data.rejected] == ["a/1.png"]


def test_an_archive_without_images_or_classes_says_so(make_zip):
    with pytest.raises(DataError, match="has no images"):
        open_dataset(make_zip(**{"a/notes.txt": "x"}))
    with pytest.raises(DataError, match="no class folders"):
        open_dataset(make_zip(**{"1.png": picture(), "2.png": picture()}))


def test_a_cache_that_cannot_be_written_is_said(make_zip, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"cannot unpack .* Not a directory"):
        open_dataset(make_zip(**{"a/1.png": picture()}))
