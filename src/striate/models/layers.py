"""The layers that a family builds its networks from, by dimensions, way of downsampling and padding.

Wherever a published network has a stride, there are three ways:

- ``stride``: as published.
- ``blur``: the convolution or pooling runs at stride 1, and `BlurPool` samples behind it, behind the
  activation where there is one (Zhang, Making Convolutional Networks Shift-Invariant Again, 2019, section
  3.2). Behind a border that does not wrap it repeats the last element, where he mirrors: this takes maps of
  any size.
- ``polyphase``: likewise, but `PolyphaseSampling` takes the polyphase component with the largest norm
  (Chaman and Dokmanic, Truly Shift-Invariant Convolutional Neural Networks, 2021). With circular padding
  and a global average before the head, the logits do not change when the image is rolled.

None of it adds or renames a parameter, so the weights of one network load into all of its forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from striate.core.errors import LayerError, unknown_name
from striate.models.sampling import BlurBoth, KeepBoth, PolyphaseBoth
from striate.nn import BlurPool, PolyphaseSampling
from striate.nn.borders import check_padding_mode
from striate.nn.by_dims import BY_DIMS, Kinds
from striate.nn.inputs import check_dims

DOWNSAMPLINGS = ("stride", "blur", "polyphase")
PADDING_MODES = ("zeros", "circular")


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What a family builds its networks from.

    Args:
        dims: 1 (signals), 2 (images) or 3 (volumes, video).
        downsample: ``stride``, ``blur`` or ``polyphase``.
        padding_mode: of convolutions and poolings: ``zeros``, or ``circular`` (the other end of the image).

    Raises:
        LayerError: where one of them is none of these.
    """

    dims: int = 2
    downsample: str = "stride"
    padding_mode: str = "zeros"

    def __post_init__(self) -> None:
        check_dims(self.dims, layer="a network")
        check_padding_mode(self.padding_mode, layer="a network", modes=PADDING_MODES)
        if self.downsample not in DOWNSAMPLINGS:
            raise LayerError(unknown_name("downsample", str(self.downsample), DOWNSAMPLINGS))

    @property
    def kinds(self) -> Kinds:
        """Torch's layer classes for these dimensions."""
        return BY_DIMS[self.dims]

    @property
    def wraps(self) -> bool:
        """Whether padding is taken from the other end of the image."""
        return self.padding_mode == "circular"

    def stride(self, stride: int) -> int:
        """Give the stride that a layer has itself, where it is published with this one.

        Args:
            stride: as published.

        Returns:
            The same, or 1 where sampling follows the layer.
        """
        return stride if self.downsample == "stride" else 1

    def convolution(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Module:
        """Make a convolution; where its stride is over 1, `sampling` is wanted behind its activation.

        Args:
            inputs: channels.
            outputs: channels.
            kernel: its side.
            stride: as published.
            padding: on each side.
            groups: into which the channels fall.
            bias: whether there is one, as where no norm follows.

        Returns:
            The convolution.
        """
        return self.kinds.convolution(
            inputs,
            outputs,
            kernel,
            stride=self.stride(stride),
            padding=padding,
            groups=groups,
            bias=bias,
            padding_mode=self.padding_mode,
        )

    def norm(self, channels: int) -> nn.Module:
        """Make a batch normalisation.

        Args:
            channels: of its input.

        Returns:
            The norm.
        """
        return self.kinds.norm(channels)

    def max_pool(self, channels: int, kernel: int, *, stride: int, padding: int = 0) -> nn.Module:
        """Make a pooling by maximum, sampling included.

        Args:
            channels: of its input.
            kernel: the window's side.
            stride: from one window to the next, as published.
            padding: on each side, which never wins the maximum.

        Returns:
            The pooling.
        """
        return self._pool(self.kinds.max_pool, channels, (kernel, stride, padding))

    def average_pool(self, channels: int, kernel: int, *, stride: int) -> nn.Module:
        """Make a pooling by mean, sampling included.

        Args:
            channels: of its input.
            kernel: the window's side.
            stride: from one window to the next, as published.

        Returns:
            The pooling.
        """
        return self._pool(self.kinds.average_pool, channels, (kernel, stride, 0))

    def _pool(self, pool: Callable[..., nn.Module], channels: int, window: tuple[int, int, int]) -> nn.Module:
        kernel, stride, padding = window
        # At stride 1 a window of even width loses an odd number of elements, and what is left would not
        # divide by the stride: one more element at the end makes up for it.
        more = 1 if self.downsample == "polyphase" and kernel % 2 == 0 else 0
        parts: list[nn.Module] = []
        if self.wraps and padding + more:
            parts.append(self.kinds.circular_pad((padding, padding + more) * self.dims))
            padding = 0
        elif more:
            # The last element once more: no maximum changes, and a mean is that of the real elements.
            parts.append(self.kinds.repeating_pad((0, more) * self.dims))
        parts.append(pool(kernel, stride=self.stride(stride), padding=padding))
        if self.stride(stride) != stride:
            parts.append(self.sampling(channels, stride))
        return parts[0] if len(parts) == 1 else nn.Sequential(*parts)

    def sampling(self, channels: int, stride: int) -> nn.Module:
        """Make what samples behind the activation of a convolution with this stride.

        Args:
            channels: of its input.
            stride: of the convolution, as published.

        Returns:
            A layer without parameters.
        """
        if self.stride(stride) == stride:
            return nn.Identity()
        return self._polyphase(stride) if self.downsample == "polyphase" else self._blur(channels, stride)

    def sampling_both(self, main: int, skip: int, *, stride: int) -> nn.Module:
        """Make what samples the two paths of a residual block behind the activation of the strided layer.

        Args:
            main: channels of the main path.
            skip: channels of the skip.
            stride: as published.

        Returns:
            A layer without parameters that takes and gives both paths.
        """
        if self.stride(stride) == stride:
            return KeepBoth()
        if self.downsample == "polyphase":
            return PolyphaseBoth(self._polyphase(stride))
        return BlurBoth(self._blur(main, stride), self._blur(skip, stride))

    def subsampling(self, stride: int) -> nn.Module:
        """Make what takes the first of every so many elements of a skip that has no convolution.

        Args:
            stride: as published.

        Returns:
            A layer without parameters; where `sampling_both` samples the skip, it changes nothing.
        """
        own = self.stride(stride)
        return nn.Identity() if own == 1 else self.kinds.average_pool(1, stride=own)

    def average_to(self, size: int) -> nn.Module:
        """Make the mean over as many windows of any input as are wanted.

        Args:
            size: windows along each axis; 1 is the global average.

        Returns:
            The pooling.
        """
        return self.kinds.adaptive_average_pool(size)

    def _blur(self, channels: int, stride: int) -> BlurPool:
        return BlurPool(
            channels,
            dims=self.dims,
            # Zhang's 3 for a stride of 2; a wider step needs a wider blur.
            kernel=2 * stride - 1,
            stride=stride,
            padding_mode="circular" if self.wraps else "replicate",
        )

    def _polyphase(self, stride: int) -> PolyphaseSampling:
        return PolyphaseSampling(stride=stride, dims=self.dims)


def stage(
    block: Callable[..., nn.Module], depth: int, inputs: int, outputs: int, *, stride: int
) -> nn.Sequential:
    """Chain residual blocks, of which the first changes size and channels.

    Args:
        block: makes one from inputs, outputs and ``stride``.
        depth: how many.
        inputs: channels that the first takes.
        outputs: channels that all give.
        stride: of the first.

    Returns:
        The blocks, each taking what the one before it gives.
    """
    first = block(inputs, outputs, stride=stride)
    return nn.Sequential(first, *(block(outputs, outputs, stride=1) for _ in range(depth - 1)))


def he_initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions as He et al. do for rectifiers; their biases begin at 0.

    Weights are normal with variance 2 / (outputs times kernel elements), which keeps the variance of the
    gradient from layer to layer. Norms keep torch's 1 and 0, dense layers torch's uniform weights.

    Args:
        network: changed in place.

    Source: He et al., Delving Deep into Rectifiers (2015), section 2.2, backward case.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            draw_normal(module.weight, deviation=math.sqrt(2 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def draw_normal(weight: Tensor, *, deviation: float) -> None:
    """Draw weights from a normal distribution of mean 0.

    Args:
        weight: changed in place. On the meta device there is nothing to draw, and torch would take a second
            to find out.
        deviation: standard deviation, over 0.
    """
    if not weight.is_meta:
        nn.init.normal_(weight, std=deviation)
