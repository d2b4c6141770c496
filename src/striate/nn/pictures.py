"""Fixed filters on pictures of 0 to 255: the response, and the response as a picture again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from striate.core.errors import LayerError, ShapeError, unknown_name
from striate.nn.borders import surround
from striate.nn.filters import FixedFilter

WAYS = ("absolute", "grey", "plain")
"""How a response is shown: without its sign, around a middle grey, or as it is."""

_BAND = 1_000_000  # values filtered at once: the largest kernels take a multiple of it as memory


@torch.inference_mode()
def filter_picture(picture: Tensor, kernel: str | Sequence[object] | Tensor) -> Tensor:
    """Apply a kernel to each channel of a picture, whose border pixels go on beyond it.

    Args:
        picture: uint8 C x H x W of any size.
        kernel: a filter's name, or weights of two dimensions.

    Returns:
        The response, float32 C x H x W: not rounded, not cut to any range.

    Raises:
        ShapeError: where it is no such picture, or the kernel has not two dimensions.
        LayerError: for an unknown filter.

    >>> filter_picture(torch.tensor([[[0, 0, 200]]], dtype=torch.uint8), "sobel-x")[0].tolist()
    [[0.0, 800.0, 800.0]]
    """
    if picture.ndim != 3 or picture.dtype != torch.uint8 or picture.numel() == 0:
        raise ShapeError(f"a picture is uint8 C x H x W, and this one {picture.dtype} {tuple(picture.shape)}")
    layer = FixedFilter(kernel, padding_mode="valid").float()
    sides = tuple(layer.kernel.shape)
    if len(sides) != 2:
        raise ShapeError(f"a kernel for pictures has two dimensions, and this one has {len(sides)}")
    response = torch.empty(picture.shape, dtype=torch.float32)
    rows = max(1, _BAND // picture.shape[2])
    for channel, values in enumerate(picture):
        before, after = [(side - 1) // 2 for side in sides], [side // 2 for side in sides]
        around = surround(values[None, None].float(), before, after, mode="replicate")
        for top in range(0, len(values), rows):
            band = around[:, :, top : top + rows + sides[0] - 1]
            response[channel, top : top + rows] = layer(band)[0, 0]
    return response


def make_visible(response: Tensor, way: str, *, white: float | None = None) -> tuple[Tensor, float]:
    """Turn a response into a picture of 0 to 255.

    ``plain``: the value v itself; ``absolute``: 255 |v|/white; ``grey``: 128 + 127 v/white, so that 128 is
    where there is no response. All are rounded, and what is then outside 0 to 255 is cut to it.

    Args:
        response: C x H x W.
        way: one of `WAYS`.
        white: the response that becomes white, over 0; by default 255 for ``absolute``, so that v stays |v|,
            and the largest |v| for ``grey``.

    Returns:
        The picture, uint8 C x H x W; and the share of its values that were cut, in [0, 1].

    Raises:
        LayerError: for an unknown way.

    >>> make_visible(torch.tensor([[[-300.0, -20.0, 0.5]]]), "absolute")[0].tolist()
    [[[255, 20, 0]]]
    """
    if way == "plain":
        values = response.round()
    elif way == "absolute":
        values = (response.abs() * (255 / (white or 255))).round()
    elif way == "grey":
        values = (128 + 127 * response / (white or response.abs().max().item() or 1)).round()
    else:
        raise LayerError(unknown_name("way", way, WAYS))
    cut = ((values < 0) | (values > 255)).float().mean().item()
    return values.clamp(0, 255).to(torch.uint8), cut
