"""The networks that a search draws: the layers of ``stacked`` by a dozen parameters, for a size of images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from striate.geometry import trace
from striate.models import stacked
from striate.studies.search_parameters import Choice, Draw, Parameter, Real, Value, Whole

SMALLEST = 4
"""The smallest side of images that a network is drawn for, pixels."""

LEFT_BEHIND_STEM = 8
"""A stem may stride as far as it leaves so many places along each side."""

POOLINGS = ("max", "mean")
ENDS = ("max", "mean", "flatten")
STEMS = ("white", "conv")


@dataclass(frozen=True)
class Networks:
    """The networks for images of a size.

    A network is a stem, which may stride; levels of convolutions of one width, with a pooling behind the
    first convolution of each level but the first; the maximum, the mean or all of what is left; and dense
    layers with dropout. The compact networks are among them.

    Args:
        size: height and width of the images in pixels, each at least 4.

    >>> Networks((28, 28)).text(lambda parameter: Networks((28, 28)).start()[parameter.name])
    'whitek4s2,conv32,conv64,max2,conv64,conv128,max2,conv128,max'
    """

    size: tuple[int, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, those included that only some networks have."""
        most = max(self._most_poolings(int(stride)) for stride in self._strides)
        return (
            Choice("stem", STEMS),
            Choice("stride", self._strides),
            Whole("kernel", 3, 5, 2),
            Whole("maps_1", 16, 64, 8),
            Whole("maps_2", 32, 128, 16),
            Whole("maps_3", 64, 256, 32),
            Whole("convolutions", 1, 3),
            Whole("poolings", 1, most),
            Choice("pooling", POOLINGS),
            Choice("end", ENDS),
            Real("dropout", 0.0, 0.5, 0.1),
            Whole("hidden_layers", 0, 2),
            Whole("hidden_units", 64, 512, 64),
        )

    def start(self) -> dict[str, Value]:
        """Give the values that make a network like ``compact-medium``.

        Returns:
            The values of the parameters that it has, by name.
        """
        side = min(self.size)
        stride = 1 if side < 20 else 2 if side < 56 else 4
        poolings = max(1, math.ceil(math.log2(side / stride / 4)))
        return {
            "stem": "white",
            "stride": str(stride),
            "kernel": 3,
            "maps_1": 32,
            "maps_2": 64,
            "maps_3": 128,
            "convolutions": 2,
            "poolings": min(poolings, self._most_poolings(stride)),
            "pooling": "max",
            "end": "max",
            "dropout": 0.0,
            "hidden_layers": 0,
        }

    def text(self, draw: Draw) -> str:
        """Draw a network.

        Args:
            draw: gives the value of each parameter; it is asked for those that the network has.

        Returns:
            The layers of ``stacked``.
        """
        by_name = {parameter.name: parameter for parameter in self.parameters}

        def whole(name: str) -> int:
            return int(draw(by_name[name]))

        stem, stride, kernel = draw(by_name["stem"]), whole("stride"), whole("kernel")
        maps = [whole("maps_1"), whole("maps_2"), whole("maps_3")]
        convolutions, poolings = whole("convolutions"), whole("poolings")
        pooling, end = draw(by_name["pooling"]), draw(by_name["end"])
        first = 2 * stride if stride > 1 else 3 if stem == "white" else kernel
        begun = "white" if stem == "white" else f"conv{maps[0]}"
        words = [f"{begun}k{first}s{stride}", *[_convolution(maps[0], kernel)] * (convolutions - 1)]
        for level in range(1, min(poolings, self._most_poolings(stride)) + 1):
            convolution = _convolution(maps[min(level, 2)], kernel)
            words += [convolution, f"{pooling}2", *[convolution] * (convolutions - 1)]
        if end != "flatten":
            words.append(str(end))
        dropout = round(float(draw(by_name["dropout"])), 1)
        dropped = [f"drop{dropout}"] if dropout else []
        words += dropped
        hidden = whole("hidden_layers")
        units = whole("hidden_units") if hidden else 0
        return ",".join(words + [f"dense{units}", *dropped] * hidden)

    @property
    def _strides(self) -> tuple[str, ...]:
        fitting = tuple(str(stride) for stride in (1, 2, 4) if min(self.size) >= LEFT_BEHIND_STEM * stride)
        return fitting or ("1",)

    def _most_poolings(self, stride: int) -> int:
        """Count how often the maps can be halved until 2 or 3 places are left along the shorter side."""
        side = min(self.size)
        behind = side if stride == 1 else (side - 2) // stride + 1
        return max(1, math.floor(math.log2(behind / 2)))


def multiply_adds(layers: str, *, channels: int, size: tuple[int, ...]) -> int:
    """Count the multiply-adds that a network takes for an image, without making its weights.

    Args:
        layers: of ``stacked``.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        How many, with those of a layer to two classes.

    >>> multiply_adds("conv8,max", channels=1, size=(10, 10))
    7216
    """
    with torch.device("meta"):
        network = stacked(classes=2, channels=channels, size=size, layers=layers)
    return trace(network, (channels, *size)).multiply_adds


def _convolution(maps: int, kernel: int) -> str:
    return f"conv{maps}" if kernel == 3 else f"conv{maps}k{kernel}"
