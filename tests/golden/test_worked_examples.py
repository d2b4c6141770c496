"""The field's worked examples A to H, to the last digit, as the definitions compute them."""

import numpy as np
import pytest

from striate.reference import (
    average_pooling,
    convolution,
    convolution_backward,
    dense,
    explain_sum,
    flipped,
    mathematical_convolution,
    max_pooling,
)

INPUT_A = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
INPUT_F = [[6, 3, 1, -3], [4, 1, 2, 0], [3, 1, 3, 2], [7, 1, 1, 1]]
INPUT_D = [[2, 0, 3, 1], [1, 1, 0, 0], [1, 0, 2, 0], [1, 0, 1, 2]]
KERNEL_D = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]


def convolved(image, kernel, **options):
    """One image of one channel under one kernel."""
    return convolution([[image]], [[kernel]], **options)[0, 0].tolist()


def test_a_a_kernel_over_five_by_five_valid():
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    assert convolved(INPUT_A, kernel) == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]


def test_a_padding_1_and_stride_2():
    kernel = [[2, 0, 1], [1, 0, 0], [0, 1, 1]]
    assert convolved(INPUT_A, kernel, padding=1, stride=2) == [[0, 7, 2], [2, 6, 10], [0, 2, 4]]


def test_a_overlapping_max_pooling():
    pooled = max_pooling([[INPUT_A]], 3, stride=1)
    assert pooled[0, 0].tolist() == [[3, 3, 3], [3, 3, 3], [3, 2, 3]]


def test_b_a_cross_over_zeros_and_ones():
    image = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    assert convolved(image, [[1, 0, 1], [0, 1, 0], [1, 0, 1]]) == [[4, 3, 4], [2, 4, 3], [2, 3, 4]]


def test_c_horizontal_edges():
    image = [[2, 0, 1, 3], [7, 1, 1, 0], [0, 2, 5, 0], [0, 5, 1, 4]]
    assert convolved(image, [[1, 1, 1], [0, 0, 0], [-1, -1, -1]]) == [[-4, -3], [3, -8]]


def test_d_valid():
    assert convolved(INPUT_D, KERNEL_D) == [[0, 1], [-1, -1]]


def test_d_same():
    same = [[-1, -1, -1, 6], [-2, 0, 1, 5], [-1, -1, -1, 5], [0, -1, -4, 4]]
    assert convolved(INPUT_D, KERNEL_D, padding=1) == same


IMAGE_E = [[[[156, 155], [153, 154]], [[167, 166], [164, 165]], [[163, 162], [160, 161]]]]
FILTER_E = [
    [
        [[-1, -1, 1], [0, 1, -1], [0, 1, 1]],
        [[1, 0, 0], [1, -1, -1], [1, 0, -1]],
        [[0, 1, 1], [0, 1, 0], [1, -1, 1]],
    ]
]


def test_e_three_channels_one_output():
    explained = explain_sum(IMAGE_E, FILTER_E, [1], position=(0, 0), padding=1)
    assert explained.sums.tolist() == [308, -498, 164]
    assert explained.bias == 1
    assert explained.total == -25
    assert convolution(IMAGE_E, FILTER_E, [1], padding=1)[0, 0, 0, 0] == -25
    assert explained.patch.tolist() == [
        [[0, 0, 0], [0, 156, 155], [0, 153, 154]],
        [[0, 0, 0], [0, 167, 166], [0, 164, 165]],
        [[0, 0, 0], [0, 163, 162], [0, 160, 161]],
    ]


def test_e_as_a_teacher_writes_it():
    explained = explain_sum(IMAGE_E, FILTER_E, [1], position=(0, 0), padding=1)
    assert explained.text().splitlines() == [
        "output 0 at (0, 0)",
        "5 of the window's 9 places lie in the zero border",
        "",
        "channel 0, value * weight:",
        "  0*(-1) + 0*(-1) + 0*1",
        "+ 0*0 + 156*1 + 155*(-1)",
        "+ 0*0 + 153*1 + 154*1",
        "= 308",
        "",
        "channel 1, value * weight:",
        "  0*1 + 0*0 + 0*0",
        "+ 0*1 + 167*(-1) + 166*(-1)",
        "+ 0*1 + 164*0 + 165*(-1)",
        "= -498",
        "",
        "channel 2, value * weight:",
        "  0*0 + 0*1 + 0*1",
        "+ 0*0 + 163*1 + 162*0",
        "+ 0*1 + 160*(-1) + 161*1",
        "= 164",
        "",
        "all channels and the bias:",
        "  308 + (-498) + 164 + 1",
        "= -25",
    ]


def test_f_pooling_two_by_two():
    assert max_pooling([[INPUT_F]], 2)[0, 0].tolist() == [[6, 2], [7, 3]]
    assert average_pooling([[INPUT_F]], 2)[0, 0].tolist() == [[3.5, 0], [3, 1.75]]


def test_g_max_pooling_hides_a_shift_inside_its_window():
    windows = [[[6, 3], [4, 1]], [[1, 5], [6, 3]], [[2, 6], [2, 4]]]
    assert [max_pooling([[window]], 2).item() for window in windows] == [6, 6, 6]


def test_g_convolution_moves_with_the_image_and_pooling_only_by_whole_windows():
    image, moved = np.zeros((1, 1, 8, 8)), np.zeros((1, 1, 8, 8))
    image[0, 0, 2:5, 2:5] = moved[0, 0, 2:5, 3:6] = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    by_kernel, moved_by_kernel = (convolution(each, [[KERNEL_D]], padding=1) for each in (image, moved))
    assert moved_by_kernel[..., 1:].tolist() == by_kernel[..., :-1].tolist()
    pooled, moved_pooled = (max_pooling(each, 2) for each in (image, moved))
    assert pooled[0, 0].tolist() == [[0, 0, 0, 0], [0, 5, 6, 0], [0, 8, 9, 0], [0, 0, 0, 0]]
    assert moved_pooled[0, 0].tolist() == [[0, 0, 0, 0], [0, 4, 6, 0], [0, 7, 9, 0], [0, 0, 0, 0]]


def test_h_a_filter_as_a_detector():
    explained = explain_sum([[[50, 50, 50, 20, 50]]], [[[30, 30, 30, 30, 30]]], position=[0])
    assert explained.total == 6600
    assert dense([[50, 50, 50, 20, 50]], [[30, 30, 30, 30, 30]]).tolist() == [[6600]]


def test_the_mathematicians_convolution_is_that_with_the_flipped_kernel():
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    ours = mathematical_convolution([[INPUT_A]], [[kernel]])[0, 0]
    assert ours.tolist() == convolved(INPUT_A, flipped([[kernel]])[0, 0])
    by_hand = sum(INPUT_A[2 - a][2 - b] * kernel[a][b] for a in range(3) for b in range(3))
    assert ours[0, 0] == by_hand


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "out"),
    [
        (7, 3, 1, 0, 5),
        (7, 3, 2, 0, 3),
        (7, 3, 3, 0, 2),  # 2.33: the floor drops a border
        (7, 3, 1, 1, 7),
        (32, 5, 1, 2, 32),
        (32, 5, 1, 0, 28),
        (4, 3, 1, 0, 2),
        (4, 3, 1, 1, 4),
        (5, 3, 2, 0, 2),
        (5, 3, 2, 1, 3),
        (9, 7, 1, 3, 9),
    ],
)
def test_the_sizes_of_the_table(size, kernel, stride, padding, out):
    image = np.zeros((1, 1, size, size))
    result = convolution(image, np.zeros((1, 1, kernel, kernel)), stride=stride, padding=padding)
    assert result.shape == (1, 1, out, out)


def test_six_filters_of_75_weights_over_a_colour_image():
    image, filters = np.ones((1, 3, 32, 32)), np.ones((6, 3, 5, 5))
    result = convolution(image, filters, np.full(6, 0.5))
    assert result.shape == (1, 6, 28, 28)
    assert (result == 75.5).all()


def test_a_filter_of_one_by_one_is_a_product_over_64_channels():
    image, filters = np.ones((1, 64, 3, 3)), np.full((32, 64, 1, 1), 2)
    result = convolution(image, filters)
    assert result.shape == (1, 32, 3, 3)
    assert (result == 128).all()


def test_two_small_kernels_see_five_by_five():
    small, probe = np.ones((1, 1, 3, 3)), np.zeros((1, 1, 7, 7))
    probe[0, 0, 3, 3] = 1
    once = convolution_backward(probe, np.zeros((1, 1, 9, 9)), small)[0]
    twice = convolution_backward(once, np.zeros((1, 1, 11, 11)), small)[0]
    assert np.argwhere(once[0, 0]).min(axis=0).tolist() == [3, 3]
    assert np.argwhere(once[0, 0]).max(axis=0).tolist() == [5, 5]
    assert np.argwhere(twice[0, 0]).min(axis=0).tolist() == [3, 3]
    assert np.argwhere(twice[0, 0]).max(axis=0).tolist() == [7, 7]
