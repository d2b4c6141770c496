"""Filtered pictures: the arithmetic of 0 to 255, signs made visible, borders, bands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate.core.errors import LayerError, ShapeError
from striate.nn import FILTERS, filter_picture, make_visible, pictures


def random_picture(channels: int = 3, height: int = 9, width: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (channels, height, width), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["sobel-x", "gaussian-blur", "gabor-30-3"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_response_equals_scipys(name, channels) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="scipy is the oracle")
    from striate.nn import find_filter

    picture = random_picture(channels)
    response = filter_picture(picture, name)
    for values, filtered in zip(picture.double(), response, strict=True):
        expected = ndimage.correlate(values.numpy(), np.array(find_filter(name).kernel), mode="nearest")
        assert np.allclose(filtered.numpy(), expected, atol=2e-3)


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = random_picture(1, 23, 5)
    whole = filter_picture(picture, "gaussian-blur")
    monkeypatch.setattr(pictures, "_BAND", 10)
    assert filter_picture(picture, "gaussian-blur").equal(whole)


def test_blurs_and_shifts_stay_in_range_and_even_pictures_stay_even() -> None:
    for value in (0, 1, 127, 255):
        even = torch.full((1, 6, 6), value, dtype=torch.uint8)
        for name, one in FILTERS.items():
            visible, cut = make_visible(filter_picture(even, name), "plain")
            assert visible.unique().tolist() == [0 if one.signed else value], name
            assert cut == 0


def test_what_is_out_of_range_is_cut_and_not_wrapped() -> None:
    response = torch.tensor([[[-3.0, -0.4, 254.6, 255.4, 256.0, 1020.0]]])
    visible, cut = make_visible(response, "plain")
    assert visible.flatten().tolist() == [0, 0, 255, 255, 255, 255]
    assert cut == pytest.approx(3 / 6)


def test_the_sign_is_left_out_or_shown_around_mid_grey() -> None:
    response = torch.tensor([[[-400.0, -100.0, 0.0, 100.0, 200.0]]])
    assert make_visible(response, "absolute")[0].flatten().tolist() == [255, 100, 0, 100, 200]
    assert make_visible(response, "absolute", white=400)[0].flatten().tolist() == [255, 64, 0, 64, 128]
    visible, cut = make_visible(response, "grey")
    assert visible.flatten().tolist() == [1, 96, 128, 160, 192]
    assert cut == 0
    visible, cut = make_visible(response, "grey", white=100)
    assert visible.flatten().tolist() == [0, 1, 128, 255, 255]
    assert cut == pytest.approx(2 / 5)


def test_no_response_at_all_is_mid_grey() -> None:
    assert make_visible(torch.zeros(3, 2, 2), "grey")[0].unique().tolist() == [128]


def test_a_single_pixel_is_filtered() -> None:
    assert filter_picture(torch.tensor([[[9]]], dtype=torch.uint8), "sharpen").item() == 9


@pytest.mark.parametrize(
    ("picture", "kernel", "error", "sentence"),
    [
        (torch.zeros(1, 4, 4), "sobel-x", ShapeError, "uint8 C x H x W, and this one torch.float32"),
        (torch.zeros(4, 4, dtype=torch.uint8), "sobel-x", ShapeError, r"\(4, 4\)"),
        (torch.zeros(1, 0, 4, dtype=torch.uint8), "sobel-x", ShapeError, r"\(1, 0, 4\)"),
        (torch.zeros(1, 4, 4, dtype=torch.uint8), "sobl-x", LayerError, "did you mean 'sobel-x'"),
        (
            torch.zeros(1, 4, 4, dtype=torch.uint8),
            [1, 2, 1],
            ShapeError,
            "two dimensions, and this one has 1",
        ),
    ],
)
def test_what_is_no_picture_or_kernel_is_refused(picture, kernel, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        filter_picture(picture, kernel)


def test_an_unknown_way_to_show_is_refused() -> None:
    with pytest.raises(LayerError, match="did you mean 'grey'"):
        make_visible(torch.zeros(1, 2, 2), "gray")
