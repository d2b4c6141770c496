"""The networks that can be named, and how one is built for given images."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from striate.core.errors import RecipeError, unknown_name
from striate.models.alexnet import alexnet, alexnet_2012
from striate.models.cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from striate.models.compact import compact_large, compact_light, compact_medium, compact_small
from striate.models.lenet import lenet
from striate.models.mlp import mlp
from striate.models.mnist_convnet import mnist_convnet
from striate.models.plain import plain20, plain32, plain44, plain56, plain110
from striate.models.preactresnet import preactresnet18
from striate.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from striate.models.sprint import sprint, sprint_dense
from striate.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from striate.models.wide_resnet import wide_resnet16_4, wide_resnet28_10, wide_resnet50_2

CATALOGUE: dict[str, Callable[..., nn.Module]] = {
    "alexnet": alexnet,
    "alexnet-2012": alexnet_2012,
    "compact-large": compact_large,
    "compact-medium": compact_medium,
    "compact-light": compact_light,
    "compact-small": compact_small,
    "lenet": lenet,
    "mlp": mlp,
    "mnist-convnet": mnist_convnet,
    "plain110": plain110,
    "plain20": plain20,
    "plain32": plain32,
    "plain44": plain44,
    "plain56": plain56,
    "preactresnet18": preactresnet18,
    "resnet101": resnet101,
    "resnet110": resnet110,
    "resnet152": resnet152,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet34": resnet34,
    "resnet44": resnet44,
    "resnet50": resnet50,
    "resnet56": resnet56,
    "sprint": sprint,
    "sprint-dense": sprint_dense,
    "vgg11": vgg11,
    "vgg11-bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg13-bn": vgg13_bn,
    "vgg16": vgg16,
    "vgg16-bn": vgg16_bn,
    "vgg19": vgg19,
    "vgg19-bn": vgg19_bn,
    "wide-resnet16-4": wide_resnet16_4,
    "wide-resnet28-10": wide_resnet28_10,
    "wide-resnet50-2": wide_resnet50_2,
}
"""Name on the command line and in recipes -> function that builds the network."""


def build(name: str, *, classes: int, channels: int, size: tuple[int, int]) -> nn.Module:
    """Build a network of the catalogue for images of a kind.

    Args:
        name: a key of `CATALOGUE`.
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: their height and width in pixels.

    Returns:
        The network, its weights drawn from torch's global generator.

    Raises:
        RecipeError: for an unknown name, naming the nearest.
        ShapeError: where the images do not fit the network.

    >>> build("compact-small", classes=3, channels=1, size=(8, 8)).head.out_features
    3
    """
    if name not in CATALOGUE:
        raise RecipeError(unknown_name("model", name, CATALOGUE))
    make = CATALOGUE[name]
    sized = {"size": size} if "size" in inspect.signature(make).parameters else {}
    return make(classes=classes, channels=channels, **sized)
