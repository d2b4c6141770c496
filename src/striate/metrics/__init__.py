"""Pure functions that measure a classifier from its logits and the true labels; nothing here keeps state."""

from striate.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from striate.metrics.classification import accuracy, top_k_accuracy
from striate.metrics.confident_learning import confident_joint, suspect_labels
from striate.metrics.confusion import confusion_matrix, macro_f1, per_class
from striate.metrics.evaluation import Evaluation, evaluate_logits
from striate.metrics.multi_label import choose_thresholds, fit_label_temperature, label_f1
from striate.metrics.multi_label_evaluation import MultiLabelEvaluation, evaluate_label_logits
from striate.metrics.overfitting import Overfitting, judge_gap
from striate.metrics.ranking import average_precision, mean_average_precision

__all__ = [
    "Evaluation",
    "MultiLabelEvaluation",
    "Overfitting",
    "accuracy",
    "average_precision",
    "brier_score",
    "choose_thresholds",
    "confident_joint",
    "confusion_matrix",
    "evaluate_label_logits",
    "evaluate_logits",
    "expected_calibration_error",
    "fit_label_temperature",
    "fit_temperature",
    "judge_gap",
    "label_f1",
    "macro_f1",
    "mean_average_precision",
    "negative_log_likelihood",
    "per_class",
    "suspect_labels",
    "top_k_accuracy",
]
