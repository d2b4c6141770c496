"""The networks: one family a file, and a catalogue of their names."""

from striate.models.alexnet import alexnet, alexnet_2012
from striate.models.catalogue import CATALOGUE, build, is_known
from striate.models.cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from striate.models.compact import (
    Compact,
    LearnsFirstLayer,
    compact_large,
    compact_light,
    compact_medium,
    compact_small,
)
from striate.models.efficientnet_lite import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from striate.models.lenet import lenet
from striate.models.mlp import mlp
from striate.models.mnist_convnet import mnist_convnet
from striate.models.plain import plain20, plain32, plain44, plain56, plain110
from striate.models.preactresnet import preactresnet18
from striate.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from striate.models.sprint import KeepsNorms, Sprint, sprint, sprint_dense
from striate.models.stacked import Stacked, stacked
from striate.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from striate.models.wide_resnet import wide_resnet16_4, wide_resnet28_10, wide_resnet50_2

__all__ = [
    "CATALOGUE",
    "Compact",
    "KeepsNorms",
    "LearnsFirstLayer",
    "ResNet",
    "Sprint",
    "Stacked",
    "alexnet",
    "alexnet_2012",
    "build",
    "compact_large",
    "compact_light",
    "compact_medium",
    "compact_small",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "is_known",
    "lenet",
    "mlp",
    "mnist_convnet",
    "plain20",
    "plain32",
    "plain44",
    "plain56",
    "plain110",
    "preactresnet18",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "sprint",
    "sprint_dense",
    "stacked",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet16_4",
    "wide_resnet28_10",
    "wide_resnet50_2",
]
