"""Recipes: what is decided where the user left it open, from the data and the machine."""

from striate.recipes.deciding import resolve

__all__ = ["resolve"]
