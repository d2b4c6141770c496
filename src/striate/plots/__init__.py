"""Every picture that striate draws: PNG files, made without pyplot, whole or absent."""

from striate.plots.confusion import confusion_matrix
from striate.plots.curves import training_curves
from striate.plots.sheet import prediction_sheet

__all__ = ["confusion_matrix", "prediction_sheet", "training_curves"]
