"""The classifier: a network with its preprocessing, class names and calibration; its file; what it predicts.

What is exported here is imported when it is first used, so that reading a header loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.classifier.classifier import Classifier
    from striate.classifier.evaluation import evaluate
    from striate.classifier.file import load
    from striate.classifier.header import ModelHeader, read_header
    from striate.classifier.prediction import Prediction, predict_each
    from striate.classifier.preprocessing import Preprocessing

__all__ = [
    "Classifier",
    "ModelHeader",
    "Prediction",
    "Preprocessing",
    "evaluate",
    "load",
    "predict_each",
    "read_header",
]

_HOMES = {
    "Classifier": "classifier",
    "ModelHeader": "header",
    "Prediction": "prediction",
    "Preprocessing": "preprocessing",
    "evaluate": "evaluation",
    "load": "file",
    "predict_each": "prediction",
    "read_header": "header",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate.classifier' has no attribute '{name}'")
    return getattr(import_module(f"striate.classifier.{home}"), name)
