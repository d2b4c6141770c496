"""Pure functions that measure a classifier by its logits, or generated images by their features."""

from striate.metrics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from striate.metrics.classification import accuracy, top_k_accuracy
from striate.metrics.confident_learning import confident_joint, suspect_labels
from striate.metrics.confusion import confusion_matrix, macro_f1, per_class
from striate.metrics.estimates import Estimate
from striate.metrics.evaluation import Evaluation, evaluate_logits
from striate.metrics.frechet import frechet_distance, frechet_estimates, frechet_infinite
from striate.metrics.inception import inception_estimate, inception_score
from striate.metrics.kernel import kernel_distance, kernel_estimate
from striate.metrics.multi_label import choose_thresholds, fit_label_temperature, label_f1
from striate.metrics.multi_label_evaluation import MultiLabelEvaluation, evaluate_label_logits
from striate.metrics.neighbours import (
    NeighbourEstimates,
    density_coverage,
    expected_coverage,
    neighbour_estimates,
    precision_recall,
)
from striate.metrics.overfitting import Overfitting, judge_gap
from striate.metrics.ranking import average_precision, mean_average_precision

__all__ = [
    "Estimate",
    "Evaluation",
    "MultiLabelEvaluation",
    "NeighbourEstimates",
    "Overfitting",
    "accuracy",
    "average_precision",
    "brier_score",
    "choose_thresholds",
    "confident_joint",
    "confusion_matrix",
    "density_coverage",
    "evaluate_label_logits",
    "evaluate_logits",
    "expected_calibration_error",
    "expected_coverage",
    "fit_label_temperature",
    "fit_temperature",
    "frechet_distance",
    "frechet_estimates",
    "frechet_infinite",
    "inception_estimate",
    "inception_score",
    "judge_gap",
    "kernel_distance",
    "kernel_estimate",
    "label_f1",
    "macro_f1",
    "mean_average_precision",
    "negative_log_likelihood",
    "neighbour_estimates",
    "per_class",
    "precision_recall",
    "suspect_labels",
    "top_k_accuracy",
]
