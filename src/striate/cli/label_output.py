"""How results are printed where images may have several labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from striate.cli import output

if TYPE_CHECKING:
    from striate.classifier import Prediction
    from striate.metrics import MultiLabelEvaluation


def precision_line(part: str, evaluation: MultiLabelEvaluation) -> str:
    """Say a mean average precision with its interval.

    Args:
        part: what it was measured on.
        evaluation: what was measured.

    Returns:
        One line.
    """
    low, high = evaluation.interval
    interval = f"95 % interval {output.percent(low)} to {output.percent(high)}"
    mean = output.percent(evaluation.mean_average_precision)
    return f"{part} mean average precision {mean} ({interval}, {evaluation.images:,} images)"


def say_label_evaluation(evaluation: MultiLabelEvaluation, part: str) -> None:
    """Print what was measured: figures of all labels, and a table with a row for each.

    Args:
        evaluation: what was measured.
        part: what it was measured on.
    """
    low, high = evaluation.exact_match_interval
    output.say(precision_line(part, evaluation))
    output.say(
        f"all labels right          {output.percent(evaluation.exact_match)} of the images (95 % interval "
        f"{output.percent(low)} to {output.percent(high)})"
    )
    output.say(f"F1, mean over labels      {evaluation.macro_f1:.4f}")
    output.say(f"F1, all answers together  {evaluation.micro_f1:.4f}")
    output.say(f"negative log-likelihood   {evaluation.negative_log_likelihood:.4f} an answer")
    output.say(f"Brier score               {evaluation.brier:.4f}")
    output.say(
        f"calibration error         {evaluation.calibration_error:.4f} with temperature "
        f"{evaluation.temperature:.3f}, {evaluation.calibration_error_uncalibrated:.4f} without"
    )
    output.say()
    columns = (
        "label",
        "average precision",
        "95 % interval",
        "said from",
        "precision",
        "recall",
        "F1",
        "images",
    )
    output.say_table(
        columns, (_row(evaluation, place) for place in range(len(evaluation.classes))), numbers=range(1, 8)
    )


def _row(evaluation: MultiLabelEvaluation, place: int) -> tuple[str, ...]:
    value, interval = evaluation.average_precision[place], evaluation.average_precision_intervals[place]
    if value is None or interval is None:
        figures = ("-", "-")
    else:
        figures = (
            output.percent(value),
            f"{output.percent(interval[0], 1)} to {output.percent(interval[1], 1)}",
        )
    return (
        evaluation.classes[place],
        *figures,
        output.percent(evaluation.thresholds[place], 1),
        output.percent(evaluation.precision[place]),
        output.percent(evaluation.recall[place]),
        f"{evaluation.f1[place]:.4f}",
        f"{evaluation.support[place]:,}",
    )


def say_label_predictions(predictions: Iterable[Prediction]) -> None:
    """Print the labels that are said of pictures, and the likeliest of the others.

    Args:
        predictions: of a classifier whose images may have several labels.
    """
    rows = []
    for one in predictions:
        others = [pair for pair in one.top if pair not in one.labels]
        said = _pairs(one.labels) or ("" if one.error else "no label")
        rows.append((str(one.name), said, one.error or _pairs(others)))
    output.say_table(("picture", "labels", "others"), rows)


def _pairs(pairs: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {output.percent(probability, 1)}" for name, probability in pairs)
