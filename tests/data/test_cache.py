"""Decoded images are kept, found again, decoded anew where they changed, and are always the same."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.core.errors import DataError
from striate.core.events import ignore
from striate.data import cached_sets, clean_cache, gathering, memory, open_dataset, open_split
from striate.data.cache import open_cache
from striate.data.sources import collect
from striate.data.stored import MappedImages, StoredImages, StreamedImages
from striate.data.wanted import Wanted


@pytest.fixture(autouse=True)
def _whatever_the_size(monkeypatch):
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 0)


@pytest.fixture
def photos(tmp_path):
    """Pictures of three classes, of unlike shapes and kinds, one of them broken."""
    random = np.random.default_rng(3)
    for number in range(15):
        height, width = random.integers(20, 90, 2)
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        folder = tmp_path / "photos" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:02}.{('png', 'jpg')[number % 2]}")
    (tmp_path / "photos" / "b" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "photos"


@pytest.fixture
def _settled(monkeypatch):
    """Let files that were just made be as old as those of others."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10)


@pytest.fixture
def decoded(monkeypatch):
    """Count the files that are decoded."""
    calls = []
    real = gathering.decode_into_box

    def count(*arguments, **options):
        calls.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(gathering, "decode_into_box", count)
    return calls


def facts(data) -> tuple:
    return (
        data.fingerprint,
        data.train.names,
        data.validation.names,
        data.rejected,
        data.fill,
        data.notes,
        data.classes,
    )


def uncached(source, **options) -> tuple:
    return facts(open_dataset(source, cache_gb=0, **options))


OPTIONS = ({}, {"size": 32}, {"size": 24, "fit": "crop"}, {"size": 33, "fit": "stretch", "channels": 1})


@pytest.mark.parametrize("options", OPTIONS)
def test_images_are_the_same_with_the_cache_and_without_in_memory_and_on_the_disk(
    photos, options, monkeypatch, cache
):
    plain = open_dataset(photos, cache_gb=0, **options)
    assert not cache.exists()
    new, kept = open_dataset(photos, **options), open_dataset(photos, **options)
    assert facts(plain) == facts(new) == facts(kept)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    mapped = open_dataset(photos, **options)
    streamed = open_dataset(photos, cache_gb=0, **options)
    assert isinstance(mapped.train.images, MappedImages)
    assert isinstance(streamed.train.images, StreamedImages)
    assert facts(mapped) == facts(streamed) == facts(plain)
    clean_cache()
    mapped_at_once = open_dataset(photos, **options)
    assert isinstance(mapped_at_once.train.images, MappedImages)
    assert facts(mapped_at_once) == facts(plain)


@pytest.mark.usefixtures("_settled")
def test_nothing_is_decoded_twice(photos, decoded):
    open_dataset(photos, size=32)
    assert len(decoded) == 16
    events = []
    open_dataset(photos, size=32, on_event=events.append)
    assert len(decoded) == 16
    whats = {event.data["what"] for event in events}
    assert whats == {"looking for changed files", "reading decoded images"}
    open_dataset(photos, size=48)
    assert len(decoded) == 32
    assert [each.shape for each in cached_sets()] == [(3, 32, 32), (3, 48, 48)]


def test_files_that_changed_within_a_tick_of_the_clock_are_compared_by_content(photos):
    open_dataset(photos, size=32)
    path = photos / "a" / "00.png"
    before = path.stat()
    with Image.open(path) as image:
        turned = image.rotate(180)
    turned.save(path)
    with path.open("ab") as file:
        file.write(bytes(max(0, before.st_size - path.stat().st_size)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert facts(open_dataset(photos, size=32)) == uncached(photos, size=32)


def _change(photos: Path) -> None:
    Image.new("RGB", (30, 40), "red").save(photos / "a" / "00.png")


def _touch(photos: Path) -> None:
    for path in photos.rglob("*.png"):
        os.utime(path, ns=(0, 0))


def _add(photos: Path) -> None:
    Image.new("RGB", (30, 40), "red").save(photos / "a" / "07b.png")


def _remove(photos: Path) -> None:
    (photos / "c" / "05.jpg").unlink()


def _rename(photos: Path) -> None:
    (photos / "a" / "00.png").rename(photos / "a" / "99.png")


def _move(photos: Path) -> None:
    (photos / "a" / "00.png").rename(photos / "c" / "00.png")


def _swap(photos: Path) -> None:
    one, other = photos / "a" / "00.png", photos / "b" / "04.png"
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])


def _break(photos: Path) -> None:
    path = photos / "b" / "01.jpg"
    path.write_bytes(path.read_bytes()[:200])


def _mend(photos: Path) -> None:
    shutil.copy(photos / "a" / "00.png", photos / "b" / "broken.jpg")


def _remove_the_broken_one(photos: Path) -> None:
    (photos / "b" / "broken.jpg").unlink()


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize(
    ("change", "times"),
    [
        (_change, 1),
        (_touch, 0),
        (_add, 1),
        (_remove, 0),
        (_rename, 0),
        (_move, 0),
        (_swap, 0),
        (_break, 1),
        (_mend, 0),
        (_remove_the_broken_one, 0),
    ],
)
@pytest.mark.parametrize("size", [None, 32])
def test_only_files_that_changed_are_decoded_again(photos, decoded, change, times, size):
    open_dataset(photos, size=size)
    change(photos)
    decoded.clear()
    data = open_dataset(photos, size=size)
    if size is not None:  # else another median may decide another size for all
        assert len(decoded) == times
    assert facts(data) == uncached(photos, size=size)
    decoded.clear()
    assert facts(open_dataset(photos, size=size)) == facts(data)
    assert decoded == []
    assert len(cached_sets()) == 1


def _files(cache: Path) -> tuple[Path, Path]:
    (images,) = cache.glob("decoded/*/images-*")
    return images, images.with_name("index")


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)


@pytest.mark.usefixtures("_settled")
@pytest.mark.parametrize("share", [0, 0.3, 0.9999])
@pytest.mark.parametrize("which", [0, 1])
def test_damage_is_noticed_and_mended(photos, cache, decoded, which, share):
    data = open_dataset(photos, size=32)
    path = _files(cache)[which]
    _flip(path, int(share * path.stat().st_size))
    decoded.clear()
    assert facts(open_dataset(photos, size=32)) == facts(data)
    if which == 0 and share < 0.9:  # else it is the room of the broken file, or the index
        assert len(decoded) == 1
    decoded.clear()
    assert facts(open_dataset(photos, size=32)) == facts(data)
    assert decoded == []


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("length", [None, 0, 100, 20_000])
def test_what_is_cut_or_lost_is_decoded_again(photos, cache, which, length):
    data = open_dataset(photos, size=32)
    path = _files(cache)[which]
    if length is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:length])
    assert facts(open_dataset(photos, size=32)) == facts(data)
    assert len(list(cache.glob("decoded/[0-9a-f]*/*"))) == 2


def test_damage_is_not_copied_when_another_file_changes(photos, cache):
    open_dataset(photos, size=32)
    _flip(_files(cache)[0], 20_000)
    _change(photos)
    assert facts(open_dataset(photos, size=32)) == uncached(photos, size=32)


def test_a_set_that_is_used_by_another_path_is_the_same(photos, decoded, monkeypatch):
    data = open_dataset(photos, size=32)
    (photos.parent / "link").symlink_to(photos)
    monkeypatch.chdir(photos)
    decoded.clear()
    for path in (photos.parent / "link", Path("../photos"), "."):
        assert open_dataset(path, size=32).fingerprint == data.fingerprint
    assert decoded == []


def test_sets_that_were_not_used_for_longest_go_first(photos, cache):
    sizes = (20, 24, 28)
    for age, size in enumerate(sizes):
        open_dataset(photos, size=size)
        (path,) = (each for each in cache.glob("decoded/*/index") if each.stat().st_mtime > 1e6)
        os.utime(path, (1000 + age, 1000 + age))
    open_dataset(photos, size=20)  # which makes it the latest
    most = sum(each.bytes for each in cached_sets()) - 1 + 16 * 3 * 28 * 28
    open_dataset(photos, size=28, fit="crop", cache_gb=most / 1e9)
    assert [each.shape[1] for each in cached_sets()] == [28, 20, 28]


def test_a_set_over_the_bound_is_not_kept_and_that_is_said(photos, monkeypatch, cache):
    events = []
    data = open_dataset(photos, size=32, cache_gb=1e-6, on_event=events.append)
    (note,) = (event.data["message"] for event in events if event.kind == "note")
    assert note == (
        "the 16 decoded images take 4.92e-05 GB, where the cache may take 1e-06 GB, so they are not kept; "
        "a larger cache_gb keeps them"
    )
    assert facts(data) == uncached(photos, size=32)
    assert cached_sets() == []
    open_dataset(photos, size=32)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    streamed = open_dataset(photos, size=32, cache_gb=1e-6)
    assert isinstance(streamed.train.images, StreamedImages)
    assert facts(streamed) == facts(data)
    assert not list(cache.glob("decoded/*/*-*"))


@pytest.mark.parametrize("gigabytes", [-1, float("nan"), float("inf")])
def test_a_bound_that_is_none_is_refused(photos, gigabytes):
    with pytest.raises(DataError, match="GB cannot be had; 0 GB"):
        open_dataset(photos, cache_gb=gigabytes)


def test_the_default_bound_leaves_most_of_the_disk_free(tmp_path):
    assert open_cache(0) is None
    free = shutil.disk_usage(tmp_path).free
    assert open_cache(None).most == pytest.approx(min(20e9, free / 4), rel=0.05)
    assert open_cache(0.5).most == 5e8


def test_a_full_disk_is_one_warning_and_costs_nothing_else(photos, cache):
    events = []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        data = open_dataset(photos, size=32, on_event=events.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    (warning,) = (event.data["message"] for event in events if event.kind == "warning")
    assert warning.startswith(f"decoded images cannot be kept in {cache / 'decoded'}: File too large")
    assert facts(data) == uncached(photos, size=32)
    assert not list(cache.glob("decoded/*/images*"))


def test_a_cache_that_cannot_be_made_is_one_warning(photos, cache):
    cache.write_text("in the way")
    events = []
    data = open_dataset(photos, size=32, on_event=events.append)
    assert [event.kind for event in events].count("warning") == 1
    assert facts(data) == uncached(photos, size=32)


def test_few_small_files_leave_nothing(photos, monkeypatch, cache):
    monkeypatch.setattr(gathering, "SMALLEST_SOURCE", 4_000_000)
    open_dataset(photos)
    assert not cache.exists()


@pytest.mark.usefixtures("_settled")
def test_an_archive_is_not_unpacked_again(photos, cache):
    archive = Path(shutil.make_archive(str(photos), "tar", photos))
    events = []

    def opened(**options):
        events.clear()
        data = open_dataset(archive, size=32, on_event=events.append, **options)
        return data, {event.data["what"] for event in events if event.kind == "prepare"}

    plain, _ = opened(cache_gb=0)
    assert facts(opened()[0]) == facts(plain)
    again, done = opened()
    assert facts(again) == facts(plain)
    assert done == {"reading decoded images"}
    _flip(_files(cache)[0], 5000)
    mended, done = opened()
    assert facts(mended) == facts(plain)
    assert {"unpacking photos.tar", "decoding images"} <= done
    os.utime(archive, (1, 1))
    touched, done = opened()
    assert facts(touched) == facts(plain)
    assert "decoding images" not in done
    _change(photos)
    shutil.make_archive(str(photos), "tar", photos)
    changed, _ = opened()
    assert facts(changed) == uncached(archive, size=32) != facts(plain)


@pytest.mark.usefixtures("_settled")
def test_a_table_is_kept_too(photos, decoded):
    rows = [f"{path.relative_to(photos)},{path.parent.name}" for path in sorted(photos.rglob("*.*g"))]
    table = photos / "table.csv"
    table.write_text("\n".join(["path,label", *rows, rows[0]]))
    data = open_dataset(table, size=32)
    decoded.clear()
    assert facts(open_dataset(table, size=32)) == facts(data) == uncached(table, size=32)
    assert len(decoded) == 17


@pytest.mark.usefixtures("_settled")
def test_a_part_that_is_measured_is_kept_by_itself(photos, decoded):
    for part in ("train", "test"):
        shutil.copytree(photos, photos.parent / "parts" / part)
    folder = photos.parent / "parts"
    data = open_dataset(folder, size=32)
    for part in ("test", "train", None):
        first = open_split(folder, part, like=data)
        decoded.clear()
        again = open_split(folder, part, like=data)
        assert decoded == []
        np.testing.assert_array_equal(first[0].images, again[0].images)
        np.testing.assert_array_equal(
            first[0].images, open_split(folder, part, like=data, cache_gb=0)[0].images
        )
        assert first[1:] == again[1:]


def test_a_margin_is_kept_for_crops(photos):
    wanted = Wanted(size=(32, 24), fit="crop", margin=8)
    for _ in range(2):
        collection = collect(photos, wanted, on_event=ignore)
        assert collection.images.shape == (15, 3, 40, 32)
    without = collect(photos, Wanted(size=(32, 24), fit="crop"), on_event=ignore)
    assert without.images.shape == (15, 3, 32, 24)
    assert len(cached_sets()) == 2


def test_what_is_mapped_stays_when_the_cache_is_emptied(photos, monkeypatch):
    plain = uncached(photos, size=32)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    data = open_dataset(photos, size=32)
    removed, left = clean_cache()
    assert (len(removed), left) == (1, [])
    assert cached_sets() == []
    assert isinstance(data.train.images, StoredImages)
    assert facts(data) == plain


def test_one_source_is_removed_and_the_others_stay(photos):
    other = photos.parent / "other"
    shutil.copytree(photos, other)
    open_dataset(photos, size=32)
    open_dataset(other, size=32)
    removed, _ = clean_cache(other)
    assert [each.source for each in removed] == [str(other)]
    assert [each.source for each in cached_sets()] == [str(photos)]


CHANGES = (_change, _touch, _add, _remove, _rename, _move, _swap, _break, _mend, _remove_the_broken_one)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.sampled_from(CHANGES), max_size=4, unique=True),
    options=st.sampled_from(OPTIONS),
    settled=st.booleans(),
)
def test_whatever_changes_images_are_those_of_decoding_anew(photos, changes, options, settled, monkeypatch):
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**10 * settled)
    folder = photos.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(photos, folder)
    open_dataset(folder, **options)
    for change in changes:
        with contextlib.suppress(FileNotFoundError):  # of what another change has taken away
            change(folder)
        assert facts(open_dataset(folder, **options)) == uncached(folder, **options)
