"""Noise is normal and follows from its place alone; rectangles are filled and pasted to the pixel."""

from __future__ import annotations

import pytest
import torch

from striate.nn import add_noise, blemishes, erase, paste


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    images = torch.full((3, 3, 64, 64), 0.5)
    noisy = add_noise(images.clone(), torch.tensor([0.0, 0.05, 0.1]), torch.tensor([0.1, 0.2, 0.3]))
    assert noisy[0].equal(images[0])
    for image, deviation in zip(noisy[1:], (0.05, 0.1), strict=True):
        noise = (image - 0.5) / deviation
        # 12,288 draws: the mean is within 4 of its standard errors, and so are the second and fourth moments.
        assert abs(noise.mean()) < 4 / 12_288**0.5
        assert abs(noise.var() - 1) < 4 * (2 / 12_288) ** 0.5
        assert abs((noise**4).mean() - 3) < 4 * (96 / 12_288) ** 0.5
    assert not noisy[1].equal(noisy[2])


def test_noise_follows_from_the_place_whatever_else_is_there() -> None:
    images, places = torch.rand(4, 1, 8, 8), torch.tensor([0.0, 0.25, 0.5, 0.999999])
    deviations = torch.full((4,), 0.1)
    together = add_noise(images.clone(), deviations, places)
    for number in (0, 3):
        rows = slice(number, number + 1)
        alone = add_noise(images[rows].clone(), deviations[rows], places[rows])
        assert alone.equal(together[rows])


def test_noise_stays_in_range_and_in_place() -> None:
    images = torch.rand(2, 3, 8, 8)
    noisy = add_noise(images, torch.ones(2), torch.zeros(2))
    assert noisy is images
    assert images.min() == 0
    assert images.max() == 1


def test_pictures_larger_than_the_table_have_one_of_their_own(monkeypatch) -> None:
    monkeypatch.setattr(blemishes, "TABLE", 16)
    noisy = add_noise(torch.full((2, 1, 8, 8), 0.5), torch.full((2,), 0.1), torch.tensor([0.0, 0.9]))
    assert len(noisy[0].unique()) > 50
    assert not noisy[0].equal(noisy[1])
    assert add_noise(torch.zeros(0, 1, 8, 8), torch.zeros(0), torch.zeros(0)).shape[0] == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_rectangles_are_filled(dtype) -> None:
    images = torch.zeros(2, 3, 5, 6, dtype=dtype)
    erase(images, [(1, 3, 2, 6), None], torch.tensor([[1.0, 2.0, 3.0], [9.0, 9.0, 9.0]]))
    wanted = torch.zeros(3, 5, 6, dtype=dtype)
    wanted[:, 1:3, 2:6] = torch.tensor([1, 2, 3], dtype=dtype)[:, None, None]
    assert images[0].equal(wanted)
    assert not images[1].any()


def test_rectangles_are_taken_from_others() -> None:
    images, others = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    paste(images, others, [None, (0, 2, 1, 4)])
    assert not images[0].any()
    assert images[1].sum() == 6
    assert images[1, 0, :2, 1:].all()
