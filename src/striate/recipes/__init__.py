"""Recipes: what is decided where the user left it open, and whole ones by task and machine."""

from striate.recipes.cifar10 import cifar10_on_cpu, cifar10_sprint
from striate.recipes.deciding import resolve

__all__ = ["cifar10_on_cpu", "cifar10_sprint", "resolve"]
