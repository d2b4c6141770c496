"""Images in memory: every layout that is taken, and the sentences for those that are not."""

import numpy as np
import pytest
import torch
from PIL import Image

from striate.core.errors import DataError
from striate.data import prepare_image


def test_every_layout_gives_the_same(generator):
    pixels = generator.integers(0, 256, (9, 13, 3), dtype=np.uint8)
    first = pixels.transpose(2, 0, 1)
    for image in (
        Image.fromarray(pixels),
        pixels,
        first,
        torch.from_numpy(first.copy()),
        torch.from_numpy(pixels),
        torch.from_numpy(first / 255.0).requires_grad_(),
        (pixels / 255).astype(np.float32),
        pixels[::-1][::-1],
    ):
        np.testing.assert_array_equal(prepare_image(image), first)
    grey = pixels[:, :, 0]
    for image in (grey, grey[:, :, None], grey[None], torch.from_numpy(grey.copy())):
        np.testing.assert_array_equal(prepare_image(image), grey[None])


def test_where_both_orders_fit_a_tensor_has_channels_first_and_an_array_last():
    array = np.zeros((3, 5, 3), np.uint8)
    assert prepare_image(array).shape == (3, 3, 5)
    assert prepare_image(torch.from_numpy(array)).shape == (3, 5, 3)


def test_half_precision_tensors_and_a_fourth_channel_are_taken():
    assert prepare_image(torch.ones(1, 4, 4, dtype=torch.bfloat16)).max() == 255
    assert prepare_image(torch.ones(1, 4, 4, dtype=torch.float16)).max() == 255
    assert (prepare_image(np.zeros((4, 4, 4), np.uint8)) == 255).all()  # fully transparent


def test_a_pixel_becomes_any_size():
    assert (
        prepare_image(np.full((1, 1), 7, np.uint8), size=(28, 28), channels=3).tolist()
        == [[[7] * 28] * 28] * 3
    )


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((4, 4), 2.0), "values from 2 to 2, where float pixels are in"),
        (np.full((4, 4), -0.1), "values from -0.1"),
        (np.full((4, 4), np.nan), "values from nan to nan"),
        (np.zeros((4, 4), np.int64), "dtype int64 cannot be an image"),
        (np.zeros((4, 4), bool), "dtype bool"),
        (np.zeros((4, 4), complex), "dtype complex128"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"shape \(2, 3, 4, 4\)"),
        (np.zeros((5, 4, 7), np.uint8), r"shape \(5, 4, 7\)"),
        (np.zeros((0, 4), np.uint8), "has no pixels"),
        (np.array([["a"]]), "dtype <U1"),
        (torch.full((1, 4, 4), 255.0), "values from 255"),
        ("a string", r"shape \(\)"),
        (None, r"shape \(\)"),
        (Image.new("LAB", (2, 2)), "colour mode LAB"),
    ],
)
def test_what_is_no_image_is_refused_with_what_it_is(image, words):
    with pytest.raises(DataError, match=words):
        prepare_image(image)
