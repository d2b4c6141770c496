"""Networks that a text spells out layer by layer, such as ``conv32k5,max2,conv64,max,dense128,drop0.2``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import ShapeError
from striate.geometry import Window
from striate.models.compact import NORM_MOMENTUM, whiten
from striate.models.fitting import Expected, Steps, expect_counts, expect_size, follow, least_size
from striate.models.layer_words import Layer, read_layers
from striate.nn.by_dims import BY_DIMS, Kinds
from striate.nn.inputs import by

DEFAULT_LAYERS = "conv32,max2,conv64,max2,conv128,mean"
"""What a network has whose layers nobody names."""

WHITENED_MAPS = 48
"""The most feature maps that whitened patches give: the 24 directions of largest variance, in both signs."""


class GlobalMax(nn.Module):
    """Keep the largest value of each feature map."""

    def forward(self, features: Tensor) -> Tensor:
        """Give N x channels of N x channels x spatial."""
        return features.amax(dim=tuple(range(2, features.ndim)))


class Stacked(nn.Module):
    """The layers of a text, one after the other, and a linear head.

    A norm and a rectifier follow each convolution, behind the maximum that comes next, if one does: there
    they have fewer values to go through. A rectifier follows each dense layer.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3).
        layers: what lies on the image comes first.

    Raises:
        ShapeError: where nothing would be left of the images before the last layer.
    """

    def __init__(
        self, *, classes: int, channels: int, size: tuple[int, ...], layers: Sequence[Layer]
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        steps = _steps(layers)
        left = follow(size, steps, network="these layers")
        on_maps = [layer for layer in layers if layer.is_on_maps]
        self._whitens = bool(on_maps) and on_maps[0].kind == "white"
        kinds = BY_DIMS[len(size)]
        least = least_size(steps)
        if self._whitens:
            least = max(least, on_maps[0].kernel)
            _check_patches(size, least, on_maps[0])
        self.features, maps = _features(kinds, on_maps, channels)
        pools = [layer for layer in layers if layer.is_global]
        self.pooling: nn.Module = nn.Identity()
        values = maps * math.prod(left)
        if pools:
            self.pooling = GlobalMax() if pools[0].kind == "max" else kinds.adaptive_average_pool(1)
            values = maps
        self.dense, values = _dense([layer for layer in layers if layer.is_behind_maps], values)
        self.head = nn.Linear(values, classes)
        self.expected = Expected(
            layer="features", channels=channels, dims=len(size), least=least, size=None if pools else size
        )

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x spatial."""
        self.expected.check(images)
        values = torch.flatten(self.pooling(self.features(images)), 1)
        logits: Tensor = self.head(self.dense(values))
        return logits

    def learn_first_layer(self, images: Tensor) -> None:
        """Compute the first layer where it is one of whitened patches; do nothing where it is not.

        Args:
            images: normalised, N x C x H x W; as many of them are used as are needed.
        """
        if self._whitens:
            first = self.features[0]
            assert isinstance(first, nn.Conv2d)
            whiten(first, images)


def stacked(
    *,
    classes: int = 10,
    channels: int = 3,
    size: tuple[int, ...] = (32, 32),
    layers: str = DEFAULT_LAYERS,
) -> nn.Module:
    """Build the network that a text spells out.

    The words, separated by commas:

    - ``conv32``: 32 feature maps of 3x3 windows; ``conv32k5s2``: of 5x5 windows with a stride of 2. (On
    series
      and volumes windows have one and three sides, which are alike.) Images are padded so that an odd window
      without stride keeps their size. A norm and a rectifier follow.
    - ``whitek4s2``: 4x4 patches with a stride of 2, whitened: computed from the images before the training.
      It can only be the first, and only of images.
    - ``max2``, ``mean2``: the largest value, or the mean, of each 2x2 window; ``max``, ``mean``: of the whole
      map, behind which the network takes images of any size.
    - ``dense128``: 128 hidden units and a rectifier.
    - ``drop0.2``: sets each value to 0 with this probability while training.

    Args:
        classes: number of outputs.
        channels: channels of the images.
        size: of the images along each axis, as many numbers as there are axes (1, 2 or 3).
        layers: the text.

    Returns:
        The network, with a linear layer to the classes at its end.

    Raises:
        LayerError: where the text holds a word that is no layer, or one at the wrong place.
        ShapeError: where the images are too small for the layers.

    >>> stacked(channels=1, size=(8, 8), layers="conv8,max2,dense16,drop0.1").head.in_features
    16
    """
    sides = expect_size(size)
    return Stacked(classes=classes, channels=channels, size=sides, layers=read_layers(layers))


def _steps(layers: Sequence[Layer]) -> Steps:
    return [
        (
            layer.word,
            Window(kernel=layer.kernel, stride=layer.stride, before=layer.padding, after=layer.padding),
        )
        for layer in layers
        if layer.is_window
    ]


def _check_patches(size: Sequence[int], least: int, layer: Layer) -> None:
    if len(size) != 2:
        raise ShapeError(
            f"{layer.word} whitens the patches of images, and these are "
            f"{'series' if len(size) == 1 else 'volumes'} of "
            f"{by(size)}; a convolution such as conv32k5 can come first"
        )
    if min(size) < layer.kernel:
        raise ShapeError(
            f"images of {size[0]}x{size[1]} pixels are too small for {layer.word}, whose patches have "
            f"{layer.kernel}x{layer.kernel}; {least}x{least} and larger fit, and size={least} enlarges them"
        )


def _features(kinds: Kinds, layers: Sequence[Layer], channels: int) -> tuple[nn.Sequential, int]:
    """Make the layers that lie on the image, and count the maps that they give."""
    modules: list[nn.Module] = []
    waiting: list[nn.Module] = []
    for layer in layers:
        if layer.kind == "max":
            modules += [kinds.max_pool(layer.kernel), *waiting]
            waiting = []
            continue
        modules += waiting
        waiting = []
        if layer.kind == "mean":
            modules.append(kinds.average_pool(layer.kernel))
        elif layer.kind == "drop":
            modules.append(nn.Dropout(layer.amount))
        else:
            maps = round(layer.amount)
            if layer.kind == "white":
                maps = min(2 * channels * layer.kernel**2, WHITENED_MAPS)
            modules.append(_convolution(kinds, layer, channels, maps))
            if layer.kind == "conv":
                waiting.append(kinds.norm(maps, momentum=NORM_MOMENTUM))
            waiting.append(nn.ReLU(inplace=True))
            channels = maps
    return nn.Sequential(*modules, *waiting), channels


def _convolution(kinds: Kinds, layer: Layer, inputs: int, outputs: int) -> nn.Module:
    convolution = kinds.convolution(
        inputs,
        outputs,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        bias=layer.kind == "white",
    )
    assert isinstance(convolution.weight, Tensor)
    if layer.kind == "conv" and not convolution.weight.is_meta:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    return convolution


def _dense(layers: Sequence[Layer], values: int) -> tuple[nn.Sequential, int]:
    modules: list[nn.Module] = []
    for layer in layers:
        if layer.kind == "drop":
            modules.append(nn.Dropout(layer.amount))
        else:
            modules += [nn.Linear(values, round(layer.amount)), nn.ReLU(inplace=True)]
            values = round(layer.amount)
    return nn.Sequential(*modules), values
