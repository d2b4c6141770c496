"""Brightness, contrast, saturation and hue of a whole batch, each picture by its own amounts, in one pass.

All four are affine in a pixel's channels, so that together they are one small matrix for each picture. Values
are cut to [0, 1] once, at the end: cutting in between, as is often done, loses what a later step brings back.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue are (ITU-R BT.601)."""

_TO_YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))


def recolour(
    images: Tensor, *, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
) -> Tensor:
    """Change the colours of pictures: brightness, then contrast, saturation and hue.

    brightness: ``b x``; contrast: ``c x + (1 - c) m``, with m the mean grey of the picture; saturation:
    ``s x + (1 - s) grey(x)``; hue: a turn about the axis of greys that keeps the luma (in the plane of I and
    Q of YIQ), so that a picture does not become brighter by it.

    Args:
        images: N x C x H x W in [0, 1], floating-point.
        brightness: N factors, at least 0.
        contrast: N factors, at least 0.
        saturation: N factors, at least 0; without effect unless there are three channels.
        hue: N shares of the full circle, from red to yellow to green; without effect likewise.

    Returns:
        N x C x H x W in [0, 1].

    Source: all but the hue as Pillow's ``ImageEnhance``, which rounds and cuts after each step. The hue is
        not that of HSV, whose turns change how bright colours look.

    >>> one, none = torch.ones(1), torch.zeros(1)
    >>> dark = recolour(torch.ones(1, 3, 2, 2), brightness=one / 2, contrast=one, saturation=one, hue=none)
    >>> dark.mean().round(decimals=4)
    tensor(0.5000)
    """
    count, channels = images.shape[:2]
    means = images.flatten(2).mean(dim=2)
    amounts = [each.to(means)[:, None] for each in (brightness, contrast, saturation, hue)]
    weights = means.new_tensor(LUMA) if channels == 3 else means.new_full((channels,), 1 / channels)
    grey = amounts[0] * (means @ weights)[:, None]
    scale, offset = amounts[0] * amounts[1], (1 - amounts[1]) * grey
    if channels != 3:
        return torch.addcmul(offset[:, :, None, None], images, scale[:, :, None, None]).clamp_(0, 1)
    turned = _hue_matrices(amounts[3][:, 0]) @ _saturation_matrices(amounts[2][:, 0], weights)
    shift = (turned @ offset.expand(-1, 3)[:, :, None]).contiguous()
    mixed = torch.baddbmm(shift, turned * scale[:, :, None], images.reshape(count, 3, -1))
    return mixed.clamp_(0, 1).view_as(images)


def _saturation_matrices(amounts: Tensor, weights: Tensor) -> Tensor:
    one = torch.eye(3, device=weights.device, dtype=weights.dtype)
    each = amounts[:, None, None]
    return each * one + (1 - each) * weights.expand(3, 3)


def _hue_matrices(shares: Tensor) -> Tensor:
    to_yiq = torch.tensor(_TO_YIQ, dtype=torch.float64)
    there, back = to_yiq.to(shares), torch.linalg.inv(to_yiq).to(shares)
    # From red to yellow to green is against the sense from I to Q.
    cosines, sines = (2 * math.pi * shares).cos(), (-2 * math.pi * shares).sin()
    turns = shares.new_zeros(len(shares), 3, 3)
    turns[:, 0, 0] = 1
    turns[:, 1, 1] = turns[:, 2, 2] = cosines
    turns[:, 2, 1] = sines
    turns[:, 1, 2] = -sines
    matrices: Tensor = back @ turns @ there
    return matrices
