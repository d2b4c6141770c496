"""Series, volumes and clips from arrays, .npz and .npy files, and tables: as they were, or refused."""

import zipfile

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data import HoldOut, memory, open_dataset, open_split
from striate.data.npz_arrays import map_member
from striate.data.stored_numbers import MappedNumbers, ReadNumbers

LABELS = np.arange(12) % 3


@pytest.fixture
def series(generator):
    return generator.normal(size=(12, 3, 50)) * 40


@pytest.fixture
def save(tmp_path):
    def save(compressed=False, name="set.npz", **arrays):
        path = tmp_path / name
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return path

    return save


@pytest.fixture
def no_memory(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)


def _all_rows(data):
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    return np.concatenate([np.asarray(part.images) for part in parts])


def _sorted(items):
    return items[np.lexsort(items.reshape(len(items), -1).T)]


def test_numbers_are_kept_and_belong_to_their_labels(series) -> None:
    data = open_dataset((series, LABELS), seed=2)
    assert (data.dims, data.size, data.channels, data.flip) == (1, (50,), 3, False)
    assert data.train.images.dtype == np.float32
    for part in (data.train, data.validation):
        for values, label in zip(part.images, part.labels, strict=True):
            row = int(np.abs(series - values).sum(axis=(1, 2)).argmin())
            np.testing.assert_array_equal(values, series[row].astype(np.float32))
            assert LABELS[row] == label


def test_the_callers_arrays_stay_as_they_were(series) -> None:
    given = series.astype(np.float32)
    data = open_dataset((given, LABELS))
    data.train.images[:] = 0
    np.testing.assert_array_equal(given, series.astype(np.float32))


@pytest.mark.parametrize("shape", [(12, 1, 8, 10, 10), (12, 8, 10, 10, 1), (12, 8, 10, 10)])
def test_clips_of_bytes_stay_pixels_in_any_order_of_axes(generator, shape) -> None:
    clips = generator.integers(0, 256, shape, dtype=np.uint8)
    data = open_dataset((clips, LABELS))
    assert (data.dims, data.size, data.channels) == (3, (8, 10, 10), 1)
    assert data.train.images.dtype == np.uint8
    np.testing.assert_array_equal(
        _sorted(_all_rows(data)).ravel(), _sorted(clips.reshape(12, 1, 8, 10, 10)).ravel()
    )


def test_types_make_no_difference_but_bytes_do(generator) -> None:
    whole = generator.integers(0, 256, (12, 1, 50))
    prints = {
        open_dataset((whole.astype(kind), LABELS)).fingerprint for kind in (np.int16, np.float64, np.float32)
    }
    assert len(prints) == 1
    assert open_dataset((whole.astype(np.uint8), LABELS)).fingerprint not in prints


def test_a_mapping_of_arrays_says_what_an_npz_says(series, save) -> None:
    arrays = {"x_train": series[:8], "y_train": LABELS[:8], "x_test": series[8:], "y_test": LABELS[8:]}
    data, again = open_dataset(arrays), open_dataset(save(**arrays))
    assert data.fingerprint == again.fingerprint
    np.testing.assert_array_equal(data.test.images, series[8:].astype(np.float32))


def test_axes_can_be_stated_in_the_file(generator, save) -> None:
    square = generator.normal(size=(12, 20, 24))
    with pytest.raises(DataError, match=r"where float pixels are in \[0, 1\].*an array 'axes' beside it"):
        open_dataset(save(x=square, y=LABELS))
    data = open_dataset(save(x=square, y=LABELS, axes="NLC"))
    assert (data.channels, data.size) == (24, (20,))
    assert not data.notes


def test_channels_at_the_end_are_said(series) -> None:
    data = open_dataset((series.transpose(0, 2, 1), LABELS))
    assert data.fingerprint == open_dataset((series, LABELS)).fingerprint
    assert "3 channels last" in data.notes[0]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.usefixtures("no_memory")
def test_what_is_too_large_for_the_memory_stays_in_its_file(series, save, order) -> None:
    arrays = {
        "x_train": np.asarray(series[:6].transpose(0, 2, 1), order=order),
        "x_val": series[6:9].transpose(0, 2, 1),
        "x_test": series[9:].transpose(0, 2, 1).astype(np.float32),
        **{f"y_{part}": LABELS[:3] for part in ("val", "test")},
        "y_train": LABELS[:6],
    }
    data = open_dataset(save(**arrays))
    assert isinstance(data.train.images, MappedNumbers)
    assert data.train.images.shape == (6, 3, 50)
    np.testing.assert_array_equal(np.asarray(data.train.images), series[:6].astype(np.float32))
    np.testing.assert_array_equal(data.test.images[np.array([2, 0])], series[[11, 9]].astype(np.float32))
    np.testing.assert_array_equal(data.validation.images[1], series[7].astype(np.float32))
    assert data.fingerprint == open_dataset(dict(arrays.items())).fingerprint


def test_a_users_own_memory_map_is_not_read_whole(series, tmp_path) -> None:
    np.save(tmp_path / "x.npy", series)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = open_dataset((mapped, LABELS))
    assert isinstance(data.train.images, MappedNumbers)
    assert data.fingerprint == open_dataset((series, LABELS)).fingerprint


@pytest.mark.usefixtures("no_memory")
def test_compressed_arrays_that_do_not_fit_the_memory_are_refused(series, save) -> None:
    with pytest.raises(DataError, match=r"holds 'x' compressed, which takes .* read piece by piece"):
        open_dataset(save(compressed=True, x=series, y=LABELS))


def test_a_member_that_lies_about_its_length_is_not_mapped(series, save) -> None:
    path = save(x=series)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("x.npy")
    member.file_size -= 1
    with pytest.raises(ValueError, match="is too short for its shape"):
        map_member(path, member)


@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_not_finite_is_refused_with_its_row(series, save, monkeypatch, mapped) -> None:
    if mapped:
        monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    series[7, 1, 3] = np.nan
    with pytest.raises(DataError, match="x has values that are no finite numbers, the first in row 7"):
        open_dataset(save(x=series, y=LABELS))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"x_train": np.zeros((6, 2, 50)), "x_test": np.zeros((6, 2, 40))},
            "series of unlike shapes: 2x40, 2x50",
        ),
        (
            {"x_train": np.zeros((6, 2, 50)), "x_test": np.zeros((6, 3, 8, 8))},
            "x_train series, x_test images",
        ),
        ({"x_train": np.zeros((6, 2, 50), complex), "x_test": np.zeros((6, 2, 50))}, "holds no real numbers"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(arrays, words) -> None:
    labels = {"y_train": LABELS[:6], "y_test": LABELS[:6]}
    with pytest.raises(DataError, match=words):
        open_dataset({**arrays, **labels})


def test_names_group_the_series_of_one_patient(generator) -> None:
    names = [f"patient{row // 4}_{row % 4}" for row in range(40)]
    arrays = {"x": generator.normal(size=(40, 1, 30)), "y": np.arange(40) % 2, "names": np.array(names)}
    data = open_dataset(arrays, validation=HoldOut(0.25, r"(patient\d+)_"))
    held = {name.split("_")[0] for name in data.validation.names}
    assert held
    assert held.isdisjoint(name.split("_")[0] for name in data.train.names)
    with pytest.raises(DataError, match="x has 40 items but names has 39 names"):
        open_dataset({**arrays, "names": np.array(names[:-1])})


def test_series_become_of_another_length_in_memory_and_in_files(series, save, monkeypatch) -> None:
    path = save(x=series, y=LABELS)
    data = open_dataset(path, size=30, fit="crop")
    assert data.size == (30,)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    stored = open_dataset(path, size=30, fit="crop")
    assert isinstance(stored.train.images, ReadNumbers)
    assert stored.fingerprint == data.fingerprint
    np.testing.assert_array_equal(_sorted(_all_rows(data)), _sorted(series[:, :, 10:40].astype(np.float32)))


def test_a_model_of_series_is_given_its_length_and_nothing_else(series, two_classes) -> None:
    data = open_dataset((series, LABELS))
    split, _, _ = open_split((series[:, :, :45], LABELS), None, like=data)
    assert split.images.shape == (12, 3, 50)
    for other, words in (
        ((series[:, :2], LABELS), "holds series of 2 channels, where 3 are wanted"),
        ((np.zeros((12, 3, 8, 8), np.uint8), LABELS), "holds images, where series of 50 are wanted"),
        (two_classes, "holds images, where series of 50 are wanted"),
        ((np.zeros((12, 3, 8, 9, 9)), LABELS), "volumes of 8x9x9, where series of 50 are wanted"),
    ):
        with pytest.raises(DataError, match=words):
            open_split(other, None, like=data)


@pytest.fixture
def folder(tmp_path, generator):
    for number in range(12):
        target = tmp_path / "ecg" / "ab"[number % 2] / f"{number}.npy"
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, generator.normal(size=(60 - 2 * (number % 3), 12)))
    return tmp_path / "ecg"


def test_folders_of_arrays_are_classes(folder, monkeypatch) -> None:
    data = open_dataset(folder)
    assert (data.classes, data.channels, data.size, data.flip) == (("a", "b"), 12, (60,), False)
    short = next(row for row, name in enumerate(data.train.names) if int(name[2:-4]) % 3 == 2)
    values = np.load(folder / data.train.names[short]).T
    np.testing.assert_allclose(data.train.images[short][:, 2:58], values, rtol=1e-6)
    np.testing.assert_allclose(data.train.images[short][:, 0], values.mean(axis=1), rtol=1e-5)
    assert open_dataset(folder, fit="crop").size == (56,)
    assert open_dataset(folder, size=40).size == (40,)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    stored = open_dataset(folder)
    assert isinstance(stored.train.images, ReadNumbers)
    assert stored.fingerprint == data.fingerprint


def test_files_that_are_no_such_series_are_left_out_with_the_reason(folder) -> None:
    np.save(folder / "a" / "other.npy", np.zeros((3, 500)))
    np.save(folder / "a" / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(folder / "b" / "image.npy", np.zeros((20, 20), np.uint8))
    (folder / "b" / "text.npy").write_text("none")
    (folder / "b" / "empty.npy").write_bytes(b"")
    np.save(folder / "b" / "gap.npy", np.full((60, 12), np.nan))
    data = open_dataset(folder)
    reasons = {each.name: each.reason for each in data.rejected}
    assert set(reasons) == {
        f"{name}.npy" for name in ("a/other", "a/objects", "b/image", "b/text", "b/empty", "b/gap")
    }
    assert reasons["a/other.npy"] == "it is of series of 3 channels, where most are series of 12"
    assert "no series or volume" in reasons["b/image.npy"]
    assert "no finite numbers" in reasons["b/gap.npy"]
    assert len(data.train) + len(data.validation) == 12


def test_a_folder_without_a_readable_array_is_refused(tmp_path) -> None:
    target = tmp_path / "none" / "a" / "1.npy"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 1 files can be read; the first, 'a/1.npy'"):
        open_dataset(tmp_path / "none")


def test_duplicates_are_kept_on_one_side(generator) -> None:
    series = np.repeat(generator.normal(size=(20, 1, 30)), 2, axis=0)
    data = open_dataset((series, np.arange(40) // 2 % 2), validation=HoldOut(0.25, "duplicates"))
    trained = {row.tobytes() for row in data.train.images}
    assert len(data.validation)
    assert trained.isdisjoint(row.tobytes() for row in data.validation.images)
