"""Short videos become clips: frames evenly through time, at one size; what is none is left out."""

from __future__ import annotations

import numpy as np
import pytest

from striate.core.errors import DataError
from striate.data import memory, open_dataset
from striate.data.clips import FRAMES, ClipReader, sought_in
from striate.data.folders import IMAGES
from striate.data.items import ItemsTaken, items_of
from striate.data.stored_numbers import ReadNumbers

av = pytest.importorskip("av")


def _write(path, frames) -> None:
    """Write grey levels as a video: one frame of one grey each, losslessly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 40, 24, "yuv420p"
        for grey in frames:
            frame = av.VideoFrame.from_ndarray(np.full((24, 40, 3), grey, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def videos(tmp_path):
    for number in range(8):
        rising = number % 2 == 0
        greys = np.linspace(20, 220, 20 + number).astype(int)
        _write(
            tmp_path / "videos" / ("rising" if rising else "falling") / f"{number}.mkv",
            greys if rising else greys[::-1],
        )
    return tmp_path / "videos"


def test_frames_are_taken_evenly(videos) -> None:
    clip = ClipReader((4, 12, 20)).read_clip((videos / "rising" / "0.mkv").open("rb"))
    assert clip.shape == (3, 4, 12, 20)
    greys = np.linspace(20, 220, 20).astype(int)
    expected = greys[[2, 7, 12, 17]]
    assert np.abs(clip.mean(axis=(0, 2, 3)) - expected).max() < 3


def test_short_videos_repeat_frames_and_grey_ones_have_one_channel(tmp_path) -> None:
    _write(tmp_path / "two.mkv", [0, 200])
    clip = ClipReader((8, 24, 24), "pad", 1).read_clip((tmp_path / "two.mkv").open("rb"))
    assert clip.shape == (1, 8, 24, 24)
    middle = clip[0, :, 12, 12].astype(int)
    assert np.abs(middle - [0, 0, 0, 0, 200, 200, 200, 200]).max() < 4
    assert not clip[0, :, 0].any()  # padded


def test_folders_of_videos_are_classes(videos, monkeypatch) -> None:
    data = open_dataset(videos)
    assert (data.classes, data.dims, data.size, data.channels) == (
        ("falling", "rising"),
        3,
        (FRAMES, 24, 24),
        3,
    )
    assert (data.train.images.dtype, data.flip) == (np.uint8, False)
    centres = data.train.images[:, 0, :, 12, 12].astype(int)
    rising = centres[:, -1] > centres[:, 0]
    np.testing.assert_array_equal(rising, data.train.labels == 1)
    assert open_dataset(videos, size=16, channels=1).train.images.shape[1:] == (1, FRAMES, 16, 16)
    monkeypatch.setattr(memory, "available_memory", lambda: 0.0)
    stored = open_dataset(videos)
    assert isinstance(stored.train.images, ReadNumbers)
    assert stored.fingerprint == data.fingerprint


def test_what_is_no_video_is_left_out(videos) -> None:
    (videos / "rising" / "bad.mp4").write_bytes(b"no video at all")
    (videos / "rising" / "empty.mp4").write_bytes(b"")
    data = open_dataset(videos)
    assert {each.name for each in data.rejected} == {"rising/bad.mp4", "rising/empty.mp4"}
    assert all("can be read" in each.reason or "cannot be read" in each.reason for each in data.rejected)


def test_a_video_is_predicted_as_it_was_trained(videos) -> None:
    taken = ItemsTaken((8, 16, 16), 3, "crop", False)
    items = items_of(videos, taken)
    assert len(items) == 8
    assert items[0].load().shape == (3, 8, 16, 16)
    with pytest.raises(DataError, match="is no file of series"):
        items_of(videos / "rising" / "0.mkv", ItemsTaken((50,), 1, "pad", True))


def test_images_go_before_videos(videos, make_folder) -> None:
    assert sought_in(videos) is not IMAGES
    make_folder("rising/a.png", root="videos")
    assert sought_in(videos) is IMAGES
