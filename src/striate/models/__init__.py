"""The networks: one family a file, and a catalogue of their names."""

from striate.models.adversarial import Discriminator, Generator
from striate.models.alexnet import alexnet, alexnet_2012
from striate.models.catalogue import CATALOGUE, build, is_known, takes_layers
from striate.models.cifar_resnet import resnet20, resnet32, resnet44, resnet56, resnet110
from striate.models.compact import (
    Compact,
    LearnsFirstLayer,
    compact_large,
    compact_light,
    compact_medium,
    compact_small,
)
from striate.models.dcgan import dcgan_discriminator, dcgan_generator, dcgan_trunk
from striate.models.dense_gan import dense_discriminator, dense_generator, dense_trunk
from striate.models.efficientnet_lite import efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from striate.models.gan_catalogue import (
    GAN_FAMILIES,
    GanFamily,
    build_discriminator,
    build_generator,
    check_size,
    find_family,
)
from striate.models.inception import inception_v3
from striate.models.lenet import lenet
from striate.models.mlp import mlp
from striate.models.mnist_convnet import mnist_convnet
from striate.models.plain import plain20, plain32, plain44, plain56, plain110
from striate.models.preactresnet import preactresnet18
from striate.models.r3gan import r3gan_discriminator, r3gan_generator, r3gan_trunk
from striate.models.residual_gan import residual_discriminator, residual_generator, residual_trunk
from striate.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from striate.models.sprint import KeepsNorms, Sprint, sprint, sprint_dense
from striate.models.stacked import Stacked, stacked
from striate.models.vgg import vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from striate.models.wide_resnet import wide_resnet16_4, wide_resnet28_10, wide_resnet50_2

__all__ = [
    "CATALOGUE",
    "GAN_FAMILIES",
    "Compact",
    "Discriminator",
    "GanFamily",
    "Generator",
    "KeepsNorms",
    "LearnsFirstLayer",
    "ResNet",
    "Sprint",
    "Stacked",
    "alexnet",
    "alexnet_2012",
    "build",
    "build_discriminator",
    "build_generator",
    "check_size",
    "compact_large",
    "compact_light",
    "compact_medium",
    "compact_small",
    "dcgan_discriminator",
    "dcgan_generator",
    "dcgan_trunk",
    "dense_discriminator",
    "dense_generator",
    "dense_trunk",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
    "find_family",
    "inception_v3",
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
    "r3gan_discriminator",
    "r3gan_generator",
    "r3gan_trunk",
    "residual_discriminator",
    "residual_generator",
    "residual_trunk",
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
    "takes_layers",
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
