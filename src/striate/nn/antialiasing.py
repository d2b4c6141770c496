"""Sampling that does not depend on where the grid lies: blurred (BlurPool), or by choice (polyphase)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.geometry import Window, each_axis, output_size, sizes_that_fit
from striate.nn.blurred_borders import Blur
from striate.nn.blurring import blur
from striate.nn.borders import check_padding_mode
from striate.nn.inputs import by, check_dims, check_features


class BlurPool(nn.Module):
    """Blur with binomial weights, then sample with a stride, which without the blur would alias.

    The weights along each axis are binom(kernel - 1, t) / 2^(kernel - 1), so that a constant image stays as
    it is, to rounding (with zeros around it, only inside). The output has ceil(W/stride) elements along each
    axis. Nothing is trained, and nothing is part of the state that is saved.

    Args:
        channels: of the features, at least 1.
        dims: spatial dimensions: 1, 2 or 3.
        kernel: weights along each axis, at least 1; the paper has 1 to 7.
        stride: from one window to the next, at least 1.
        padding_mode: at borders: ``reflect``, ``replicate``, ``circular`` or ``zeros``.

    Raises:
        LayerError: where channels, dims or padding_mode are none of these.
        ShapeError: where kernel or stride are none.

    Source: Zhang, Making Convolutional Networks Shift-Invariant Again (2019), sections 3.2 and 4.1.

    >>> BlurPool(1, dims=1)(torch.tensor([[[0.0, 4.0, 0.0, 8.0]]])).tolist()
    [[[2.0, 3.0]]]
    """

    weights: Tensor

    def __init__(
        self,
        channels: int,
        *,
        dims: int = 2,
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 2,
        padding_mode: str = "reflect",
    ) -> None:
        super().__init__()
        check_dims(dims, layer="BlurPool")
        check_padding_mode(padding_mode, layer="BlurPool")
        if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
            raise LayerError(f"BlurPool: {channels!r} cannot be a number of channels; 1 and more can")
        sides = each_axis(kernel, dims=dims, name="kernel")
        strides = each_axis(stride, dims=dims, name="stride")
        windows = tuple(
            Window(kernel=side, stride=step, before=(side - 1) // 2, after=side // 2)
            for side, step in zip(sides, strides, strict=True)
        )
        self.channels, self.dims = channels, dims
        self.rule = Blur(tuple(map(_binomial, sides)), windows, padding_mode)
        self.register_buffer("weights", self.rule.weights(channels), persistent=False)

    def extra_repr(self) -> str:
        """Say which channels, kernel, stride and border the layer has.

        Returns:
            What stands between the brackets of its repr.
        """
        sides, strides = by(self.weights.shape[2:]), by(self.rule.along("stride"))
        return f"{self.channels}, kernel={sides}, stride={strides}, padding_mode={self.rule.mode!r}"

    def forward(self, features: Tensor) -> Tensor:
        """Give N x C x spatial, each size divided by the stride and rounded up, of N x C x spatial."""
        check_features(features, layer="BlurPool", dims=self.dims, channels=self.channels)
        return blur(features, self.weights, self.rule)

    def windows_on(self, size: tuple[int, ...]) -> tuple[Window, ...]:
        """Give how the windows lie along each axis.

        Args:
            size: of the features along each axis; here they lie alike on any.

        Returns:
            One window an axis.
        """
        del size
        return self.rule.windows

    def multiply_adds_on(self, size: tuple[int, ...]) -> int:
        """Count the products of weights and values for one image.

        Args:
            size: of the features along each axis.

        Returns:
            Outputs of all channels times weights of a window.
        """
        outputs = math.prod(map(output_size, size, self.rule.windows))
        return self.channels * outputs * math.prod(self.weights.shape[2:])


class PolyphaseSampling(nn.Module):
    """Take of each image that polyphase component which has the largest norm, whatever the grid's position.

    The components of x with stride s are x[i::s, j::s]. A shift of the image permutes and rolls them, and so
    the one with the largest norm stays the same one, up to a roll: with circular padding and sizes that
    divide, a network of convolutions, activations and this layer follows every shift.

    Args:
        stride: from one element to the next, at least 1.
        dims: spatial dimensions: 1, 2 or 3.
        norm: p of the p-norm over all channels and places, over 0; ``inf`` is the largest absolute value.

    Raises:
        LayerError: where dims or norm are none of these.
        ShapeError: where a stride is none.

    Source: Chaman and Dokmanic, Truly Shift-Invariant Convolutional Neural Networks (2021), section 3.

    >>> sampling = PolyphaseSampling(dims=1)
    >>> features = torch.tensor([[[1.0, 5.0, 2.0, 6.0]], [[5.0, 2.0, 6.0, 1.0]]])
    >>> sampling(features).tolist(), sampling.choose(features).tolist()
    ([[[5.0, 6.0]], [[5.0, 6.0]]], [1, 0])
    """

    def __init__(self, *, stride: int | Sequence[int] = 2, dims: int = 2, norm: float = 2.0) -> None:
        super().__init__()
        check_dims(dims, layer="PolyphaseSampling")
        self.strides = each_axis(stride, dims=dims, name="stride")
        # The stride is checked before the window, so that an error is of what was given.
        self.windows = tuple(replace(Window(kernel=1, stride=step), kernel=step) for step in self.strides)
        if isinstance(norm, bool) or not isinstance(norm, int | float) or not norm > 0:
            raise LayerError(
                f"PolyphaseSampling: norm {norm!r} cannot be; a number over 0 can, such as 2 or math.inf"
            )
        self.norm = float(norm)

    def extra_repr(self) -> str:
        """Say which stride and norm the layer has.

        Returns:
            What stands between the brackets of its repr.
        """
        return f"stride={by(self.strides)}, norm={self.norm:g}"

    def forward(self, features: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Give N x C x spatial, each size divided by the stride; ``chosen``: as another layer chose."""
        return self.sample(features, self.choose(features) if chosen is None else chosen)

    def choose(self, features: Tensor) -> Tensor:
        """Find the component with the largest norm.

        Args:
            features: N x C x spatial, each size a multiple of the stride.

        Returns:
            Its number for each image, int64 N: that of [i::s, j::s] is i s + j; of equal norms the smallest.

        Raises:
            ShapeError: where a size is no multiple of the stride.
        """
        components = self._components(features)
        dims = len(self.strides)
        over = (1, *range(2, 2 * dims + 2, 2))
        # In bfloat16 the sums of many squares would tie.
        precise = torch.promote_types(features.dtype, torch.float32)
        norms = torch.linalg.vector_norm(components.detach(), self.norm, dim=over, dtype=precise)
        chosen: Tensor = norms.flatten(1).argmax(dim=1)
        return chosen

    def sample(self, features: Tensor, chosen: Tensor) -> Tensor:
        """Take one component of each image.

        Args:
            features: N x C x spatial, each size a multiple of the stride.
            chosen: numbers of components as `choose` gives them, int64 N.

        Returns:
            N x C x spatial, each size divided by the stride.

        Raises:
            ShapeError: where a size is no multiple of the stride, or there is not one number for each image.
        """
        components = self._components(features)
        if chosen.shape != features.shape[:1]:
            raise ShapeError(
                f"PolyphaseSampling got {by(chosen.shape)} numbers of components for {len(features)} images; "
                "it takes one for each"
            )
        images = torch.arange(len(features), device=features.device)
        index: list[Tensor | slice] = [images, slice(None)]
        for axis, step in enumerate(self.strides):
            later = math.prod(self.strides[axis + 1 :])
            index += [slice(None), chosen // later % step]
        sampled: Tensor = components[tuple(index)]
        return sampled

    def windows_on(self, size: tuple[int, ...]) -> tuple[Window, ...]:
        """Give how the windows lie along each axis, of whose elements each image takes one.

        Args:
            size: of the features along each axis; here they lie alike on any.

        Returns:
            One window an axis.
        """
        del size
        return self.windows

    def multiply_adds_on(self, size: tuple[int, ...]) -> int:
        """Count the products of weights and values, of which there are none.

        Args:
            size: of the features along each axis.

        Returns:
            0.
        """
        del size
        return 0

    def _components(self, features: Tensor) -> Tensor:
        """View features as N x C x (places x components) along each axis."""
        check_features(features, layer="PolyphaseSampling", dims=len(self.strides))
        shape: list[int] = list(features.shape[:2])
        for size, window in zip(features.shape[2:], self.windows, strict=True):
            if size % window.stride:
                less, more = sizes_that_fit(size, window)
                cure = f"{less} and {more} do" if less else f"{more} does"
                raise ShapeError(
                    f"polyphase sampling with stride {window.stride} does not fit {by(features.shape[2:])}: "
                    f"{size}/{window.stride} = {size / window.stride:.2f}, and {cure}"
                )
            shape += [size // window.stride, window.stride]
        return features.reshape(shape)


def _binomial(kernel: int) -> tuple[float, ...]:
    return tuple(math.comb(kernel - 1, tap) / 2 ** (kernel - 1) for tap in range(kernel))
