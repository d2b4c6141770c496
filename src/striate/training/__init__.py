"""Training: from data and a recipe to a run directory that holds a classifier and its evidence."""

from striate.training.reusing import forget_recordings
from striate.training.run import Run
from striate.training.start import open_for, train

__all__ = ["Run", "forget_recordings", "open_for", "train"]
