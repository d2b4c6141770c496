"""Recipes: what is decided for data that the user said nothing about, and recipes with measured results."""

from striate.recipes.deciding import resolve

__all__ = ["resolve"]
