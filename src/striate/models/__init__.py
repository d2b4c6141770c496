"""The networks: one family a file, and a catalogue of their names."""

from striate.models.catalogue import CATALOGUE, build
from striate.models.compact import Compact, LearnsFirstLayer, compact_large, compact_medium, compact_small
from striate.models.resnet import ResNet, resnet18

__all__ = [
    "CATALOGUE",
    "Compact",
    "LearnsFirstLayer",
    "ResNet",
    "build",
    "compact_large",
    "compact_medium",
    "compact_small",
    "resnet18",
]
