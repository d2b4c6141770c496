"""Training: from data and a recipe to a run directory that holds a classifier and its evidence."""

from striate.training.run import Run
from striate.training.start import train

__all__ = ["Run", "train"]
