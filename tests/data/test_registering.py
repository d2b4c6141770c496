"""Registration finds small shifts, turns and scalings again, and does not make others alike."""

import numpy as np
import pytest
from PIL import Image

from striate.data.registering import correlate_registered


def grey(picture):
    return np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BILINEAR), np.float32)


def cropped(picture, left, top, right, bottom):
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


CHANGES = {
    "shifted": lambda picture: cropped(picture, 0.06, 0, 0, 0.05),
    "scaled": lambda picture: cropped(picture, 0.05, 0.05, 0.05, 0.05),
    "squeezed": lambda picture: cropped(picture, 0.05, 0, 0.05, 0),
    "turned by 5 degrees": lambda picture: cropped(
        picture.rotate(5, Image.Resampling.BICUBIC), 0.05, 0.05, 0.05, 0.05
    ),
    "paler": lambda picture: picture.point(lambda value: value * 0.4 + 120),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_picture_changed_correlates(photo_like, change):
    pictures = [photo_like(seed, (320, 240)) for seed in range(30)]
    fixed = np.stack([grey(picture) for picture in pictures])
    moving = np.stack([grey(CHANGES[change](picture)) for picture in pictures])
    found = correlate_registered(fixed, moving)
    assert (found > 0.85).mean() >= 0.9
    assert found.max() <= 1


def test_other_pictures_do_not(photo_like):
    pictures = np.stack([grey(photo_like(seed)) for seed in range(40)])
    first, second = np.triu_indices(40, 1)
    found = correlate_registered(pictures[first], pictures[second])
    assert found.max() < 0.75
    assert found.mean() < 0.45


def test_what_has_no_details_correlates_with_nothing():
    plain = np.full((1, 32, 32), 90, np.float32)
    ramp = np.tile(np.linspace(0, 255, 32, dtype=np.float32), (1, 32, 1))
    noise = plain + np.random.default_rng(0).normal(0, 0.3, plain.shape).astype(np.float32)
    assert correlate_registered(plain, plain)[0] < 0.1
    assert correlate_registered(noise, noise + 0.3)[0] < 0.5
    assert correlate_registered(plain, ramp)[0] < 0.1
    assert len(correlate_registered(plain[:0], plain[:0])) == 0
