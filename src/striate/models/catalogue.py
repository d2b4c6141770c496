"""The networks that can be named, and how one is built for given images."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from striate.core.errors import RecipeError, ShapeError, unknown_name
from striate.models.alexnet import alexnet, alexnet_2012
from striate.models.cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from striate.models.compact import compact_large, compact_light, compact_medium, compact_small
from striate.models.dcgan import dcgan_trunk
from striate.models.dense_gan import dense_trunk
from striate.models.efficientnet_lite import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from striate.models.hub import hub_network, is_of_hub
from striate.models.lenet import lenet
from striate.models.mlp import mlp
from striate.models.mnist_convnet import mnist_convnet
from striate.models.plain import plain20, plain32, plain44, plain56, plain110
from striate.models.preactresnet import preactresnet18
from striate.models.r3gan import r3gan_trunk
from striate.models.residual_gan import residual_trunk
from striate.models.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from striate.models.sprint import sprint, sprint_dense
from striate.models.stacked import stacked
from striate.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from striate.models.wide_resnet import wide_resnet16_4, wide_resnet28_10, wide_resnet50_2
from striate.nn.inputs import by

CATALOGUE: dict[str, Callable[..., nn.Module]] = {
    "alexnet": alexnet,
    "alexnet-2012": alexnet_2012,
    "compact-large": compact_large,
    "compact-light": compact_light,
    "compact-medium": compact_medium,
    "compact-small": compact_small,
    "dcgan-trunk": dcgan_trunk,
    "dense-trunk": dense_trunk,
    "efficientnet-lite0": efficientnet_lite0,
    "efficientnet-lite1": efficientnet_lite1,
    "efficientnet-lite2": efficientnet_lite2,
    "lenet": lenet,
    "mlp": mlp,
    "mnist-convnet": mnist_convnet,
    "plain110": plain110,
    "plain20": plain20,
    "plain32": plain32,
    "plain44": plain44,
    "plain56": plain56,
    "preactresnet18": preactresnet18,
    "r3gan-trunk": r3gan_trunk,
    "residual-trunk": residual_trunk,
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
    "stacked": stacked,
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

ONLY_IMAGES = frozenset(
    {
        "alexnet",
        "alexnet-2012",
        "dcgan-trunk",
        "dense-trunk",
        "efficientnet-lite0",
        "efficientnet-lite1",
        "efficientnet-lite2",
        "r3gan-trunk",
        "residual-trunk",
        "sprint",
        "sprint-dense",
    }
)
"""Those that take images only; all others are built for series and volumes too."""


def is_known(name: str) -> bool:
    """Say whether a network can be built by a name.

    Args:
        name: a key of `CATALOGUE`, or one of timm's behind ``timm:``, which may turn out not to be there.

    Returns:
        Whether `build` takes it.

    >>> is_known("resnet18"), is_known("resnet19")
    (True, False)
    """
    return name in CATALOGUE or is_of_hub(name)


def takes_layers(name: str) -> bool:
    """Say whether a network can be told in words what it consists of.

    Args:
        name: of a network that can be built.

    Returns:
        Whether `build` takes ``layers`` for it.

    >>> takes_layers("stacked"), takes_layers("dcgan-trunk"), takes_layers("resnet18")
    (True, True, False)
    """
    return name in CATALOGUE and "layers" in inspect.signature(CATALOGUE[name]).parameters


def build(name: str, *, classes: int, channels: int, size: tuple[int, ...], **options: object) -> nn.Module:
    """Build a network of the catalogue for images of a kind.

    Args:
        name: a key of `CATALOGUE`, or one of timm's behind ``timm:``.
        classes: number of outputs, at least 2.
        channels: channels of the images.
        size: their height and width in pixels; or the length of series, or the three sides of volumes.
        options: what this network can be given besides, such as ``layers`` of ``stacked`` or of a trunk.

    Returns:
        The network, its weights drawn from torch's global generator.

    Raises:
        RecipeError: for an unknown name, naming the nearest, or an option that the network does not have.
        ShapeError: where the images do not fit the network.

    >>> build("compact-small", classes=3, channels=1, size=(8, 8)).head.out_features
    3
    """
    if len(size) != 2 and (name in ONLY_IMAGES or is_of_hub(name)):
        what = "series" if len(size) == 1 else "volumes"
        raise ShapeError(
            f"the model '{name}' takes images, and these are {what} of {by(size)}; compact-medium and "
            "resnet18 take "
            f"{what}"
        )
    if is_of_hub(name):
        return hub_network(name, classes=classes, channels=channels)
    if name not in CATALOGUE:
        raise RecipeError(unknown_name("model", name, CATALOGUE))
    make = CATALOGUE[name]
    parameters = inspect.signature(make).parameters
    for option in options:
        if option not in parameters:
            raise RecipeError(f"the model '{name}' has no choice of {option}; leave it out")
    given: dict[str, object] = {"size": tuple(size), "dims": len(size)}
    sized = {option: value for option, value in given.items() if option in parameters}
    return make(classes=classes, channels=channels, **sized, **options)
