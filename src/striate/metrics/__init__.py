"""Pure functions that measure a classifier from its logits and the true labels; nothing here keeps state."""

from striate.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from striate.metrics.classification import accuracy, top_k_accuracy
from striate.metrics.confident_learning import confident_joint, suspect_labels
from striate.metrics.confusion import confusion_matrix, per_class
from striate.metrics.evaluation import Evaluation, evaluate_logits

__all__ = [
    "Evaluation",
    "accuracy",
    "brier_score",
    "confident_joint",
    "confusion_matrix",
    "evaluate_logits",
    "expected_calibration_error",
    "fit_temperature",
    "negative_log_likelihood",
    "per_class",
    "suspect_labels",
    "top_k_accuracy",
]
