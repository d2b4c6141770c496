"""Filters that nobody trains, by name (edges, blurs, shifts, gratings and more), and their layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError, unknown_name
from striate.nn.borders import PADDING_MODES, check_padding_mode, surround
from striate.nn.by_dims import CONVOLVE
from striate.nn.inputs import by, check_features

Kernel: TypeAlias = tuple[tuple[float, ...], ...]

FILTER_BORDERS = ("valid", *PADDING_MODES)
"""What `FixedFilter` does at borders: nothing, so that the output is smaller, or one of `PADDING_MODES`."""

SHORTEST_WAVE, LONGEST_WAVE = 2.0, 32.0
"""Wavelengths of gratings in pixels: under 2 there is no wave, over 32 kernels outgrow most pictures."""


@dataclass(frozen=True)
class Filter:
    """A kernel of two dimensions, and what it shows.

    Args:
        kernel: the weights, row by row; applied without flipping, as convolutional layers do.
        shows: what it answers to, in a few words.
    """

    kernel: Kernel
    shows: str

    @property
    def signed(self) -> bool:
        """Whether the weights sum to 0, so that the response is about 0 where nothing changes."""
        return abs(sum(map(sum, self.kernel))) < 1e-6


def gabor(angle: float, wavelength: float) -> Kernel:
    """Compute a grating under a Gaussian: exp(-(x^2 + y^2)/(2 s^2)) cos(2 pi u/wavelength), less its mean.

    u = x cos(angle) + y sin(angle) runs across the stripes (x to the right, y down), and s = 0.56 wavelength
    gives a bandwidth of one octave, as simple cells of the visual cortex have. The positive weights sum to 1
    and the negative ones to -1, so that even grey gives 0 and a response stays in the range of the picture.

    Args:
        angle: degrees, clockwise as seen, of the direction across the stripes: 0 for vertical ones, 90 for
            horizontal ones.
        wavelength: from stripe to stripe, pixels, in [2, 32].

    Returns:
        The kernel, whose side is odd and 3 s to each side of the middle.

    Raises:
        LayerError: where the angle is no number or the wavelength is out of range.

    Source: Daugman, Uncertainty relation for resolution in space, spatial frequency, and orientation (1985),
    with a round envelope.

    >>> len(gabor(45, 6)), round(sum(map(sum, gabor(45, 6))), 12)
    (23, 0.0)
    """
    if not math.isfinite(angle):
        raise LayerError(f"a grating at an angle of {angle} degrees cannot be; any finite number can")
    if not SHORTEST_WAVE <= wavelength <= LONGEST_WAVE:
        raise LayerError(
            f"a grating of wavelength {wavelength:g} cannot be; "
            f"from {SHORTEST_WAVE:g} to {LONGEST_WAVE:g} pixels can"
        )
    deviation = 0.56 * wavelength
    half = math.ceil(3 * deviation)
    across, down = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    places = [(x, y) for y in range(-half, half + 1) for x in range(-half, half + 1)]
    envelope = [math.exp(-(x * x + y * y) / (2 * deviation**2)) for x, y in places]
    waves = [math.cos(2 * math.pi * (x * across + y * down) / wavelength) for x, y in places]
    mean = sum(e * w for e, w in zip(envelope, waves, strict=True)) / sum(envelope)
    weights = [e * (w - mean) for e, w in zip(envelope, waves, strict=True)]
    scale = 2 / sum(map(abs, weights))
    side = 2 * half + 1
    return tuple(tuple(scale * w for w in weights[row * side : (row + 1) * side]) for row in range(side))


def _scaled(kernel: Kernel, divisor: float) -> Kernel:
    return tuple(tuple(weight / divisor for weight in row) for row in kernel)


def _grating(angle: float, wavelength: float) -> Filter:
    return Filter(gabor(angle, wavelength), f"stripes {wavelength:g} px apart, {angle:g}\N{DEGREE SIGN}")


FILTERS: dict[str, Filter] = {
    "sobel-x": Filter(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "vertical edges, brighter to the right"),
    "sobel-y": Filter(((1, 2, 1), (0, 0, 0), (-1, -2, -1)), "horizontal edges, brighter above"),
    "prewitt-x": Filter(((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), "vertical edges, brighter to the right"),
    "prewitt-y": Filter(((1, 1, 1), (0, 0, 0), (-1, -1, -1)), "horizontal edges, brighter above"),
    "scharr-x": Filter(((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)), "vertical edges, alike at any slant"),
    "scharr-y": Filter(((3, 10, 3), (0, 0, 0), (-3, -10, -3)), "horizontal edges, alike at any slant"),
    "laplacian": Filter(((0, 1, 0), (1, -4, 1), (0, 1, 0)), "edges of any direction, dark points"),
    "outline": Filter(((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)), "edges of any direction, bright points"),
    "sharpen": Filter(((0, -1, 0), (-1, 5, -1), (0, -1, 0)), "the picture with stronger edges"),
    "emboss": Filter(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)), "a relief, lit from the upper left"),
    "box-blur": Filter(_scaled(((1, 1, 1),) * 3, 9), "the mean of 3x3 pixels"),
    "gaussian-blur": Filter(
        _scaled(
            ((1, 4, 6, 4, 1), (4, 16, 24, 16, 4), (6, 24, 36, 24, 6), (4, 16, 24, 16, 4), (1, 4, 6, 4, 1)),
            256,
        ),
        "a mean of 5x5 pixels, near ones count more",
    ),
    "gabor-0": _grating(0, 6),
    "gabor-45": _grating(45, 6),
    "gabor-90": _grating(90, 6),
    "gabor-135": _grating(135, 6),
    "shift-left": Filter(((0, 0, 0), (0, 0, 1), (0, 0, 0)), "the picture, 1 pixel to the left"),
    "shift-right": Filter(((0, 0, 0), (1, 0, 0), (0, 0, 0)), "the picture, 1 pixel to the right"),
    "shift-up": Filter(((0, 0, 0), (0, 0, 0), (0, 1, 0)), "the picture, 1 pixel up"),
    "shift-down": Filter(((0, 1, 0), (0, 0, 0), (0, 0, 0)), "the picture, 1 pixel down"),
}
"""Name -> filter."""


def find_filter(name: str) -> Filter:
    """Find a filter by its name; ``gabor-ANGLE`` and ``gabor-ANGLE-WAVELENGTH`` name gratings of any angle.

    Args:
        name: one of `FILTERS`, or such as ``gabor-30`` (6 pixels from stripe to stripe) or ``gabor-30-8.5``.

    Returns:
        The filter.

    Raises:
        LayerError: for an unknown name, naming the nearest, and for a grating that cannot be.

    >>> find_filter("shift-right").kernel
    ((0, 0, 0), (1, 0, 0), (0, 0, 0))
    """
    if name in FILTERS:
        return FILTERS[name]
    grating = re.fullmatch(r"gabor-([0-9]{1,3}(?:\.[0-9]{1,6})?)(?:-([0-9]{1,3}(?:\.[0-9]{1,6})?))?", name)
    if grating is None:
        raise LayerError(unknown_name("filter", name, FILTERS))
    return _grating(float(grating[1]), float(grating[2] or 6))


class FixedFilter(nn.Module):
    """Apply one fixed kernel to every channel by itself: V(x, y) = sum_m sum_n I(x + m, y + n) K(m, n).

    The kernel is not flipped (cross-correlation, as in convolutional layers), is not trained, and is no part
    of the state that is saved. The output has the size of the input, except for ``valid``. Of a kernel of
    even width the element before the middle lies on the pixel.

    Args:
        kernel: a name that `find_filter` knows, or weights along 1, 2 or 3 dimensions.
        padding_mode: at borders: ``replicate``, ``reflect``, ``circular``, ``zeros``, or ``valid`` for none.

    Raises:
        LayerError: for an unknown name or mode, and weights that are no finite numbers in equal rows.
        ShapeError: for weights of other than 1 to 3 dimensions.

    >>> image = torch.tensor([[[[0.0, 0.0, 9.0], [0.0, 0.0, 9.0], [0.0, 0.0, 9.0]]]])
    >>> FixedFilter("sobel-x")(image)[0, 0, 1].tolist()
    [0.0, 36.0, 36.0]
    """

    kernel: Tensor

    def __init__(self, kernel: str | Sequence[object] | Tensor, *, padding_mode: str = "replicate") -> None:
        super().__init__()
        check_padding_mode(padding_mode, layer="FixedFilter", modes=FILTER_BORDERS)
        weights = _weights(find_filter(kernel).kernel if isinstance(kernel, str) else kernel)
        self.register_buffer("kernel", weights, persistent=False)
        self.padding_mode = padding_mode
        padded = padding_mode != "valid"
        self.before = tuple((side - 1) // 2 if padded else 0 for side in weights.shape)
        self.after = tuple(side // 2 if padded else 0 for side in weights.shape)

    def extra_repr(self) -> str:
        """Say which kernel size and border the layer has.

        Returns:
            What stands between the brackets of its repr.
        """
        return f"{by(self.kernel.shape)}, padding_mode={self.padding_mode!r}"

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C x spatial of any C: the size of the input, or for ``valid`` less the kernel's plus 1."""
        check_features(features, layer="FixedFilter", dims=self.kernel.ndim)
        sizes = tuple(features.shape[2:])
        if self.padding_mode == "valid" and any(s < k for s, k in zip(sizes, self.kernel.shape, strict=True)):
            raise ShapeError(
                f"a kernel of {by(self.kernel.shape)} does not fit an input of {by(sizes)} without padding; "
                'padding_mode="replicate" takes any size'
            )
        channels = features.shape[1]
        weight = self.kernel.to(features.dtype).expand(channels, 1, *self.kernel.shape)
        around = surround(features, self.before, self.after, mode=self.padding_mode)
        return CONVOLVE[self.kernel.ndim](around, weight, groups=channels)


def _weights(kernel: Sequence[object] | Tensor) -> Tensor:
    try:
        weights = torch.as_tensor(kernel, dtype=torch.get_default_dtype()).detach().clone()
    except (TypeError, ValueError, RuntimeError) as error:
        raise LayerError(
            f"a kernel holds numbers in rows of equal length, and {kernel!r:.60} does not"
        ) from error
    if weights.ndim not in (1, 2, 3) or weights.numel() == 0:
        raise ShapeError(
            f"a kernel of shape {tuple(weights.shape)} cannot be; "
            "one that holds something along 1, 2 or 3 dimensions can"
        )
    if not torch.isfinite(weights).all():
        raise LayerError("a kernel with a weight that is infinite or no number cannot be; finite numbers can")
    return weights
