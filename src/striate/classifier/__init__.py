"""The classifier: a network with its preprocessing, class names and calibration; its file; what it predicts.

What is exported here is imported when it is first used, so that reading a header loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.classifier.backbone import Backbone, open_backbone
    from striate.classifier.backbone_file import BackboneHeader, read_backbone_header
    from striate.classifier.classifier import Classifier, unshifted
    from striate.classifier.evaluation import evaluate, evaluate_labels
    from striate.classifier.file import load
    from striate.classifier.header import ModelHeader, read_header
    from striate.classifier.prediction import Prediction, predict_each
    from striate.classifier.preprocessing import Preprocessing
    from striate.classifier.pretrained import Pretrained, find_pretrained, head_of, load_backbone
    from striate.classifier.published import PUBLISHED, Published, published_weights

__all__ = [
    "PUBLISHED",
    "Backbone",
    "BackboneHeader",
    "Classifier",
    "ModelHeader",
    "Prediction",
    "Preprocessing",
    "Pretrained",
    "Published",
    "evaluate",
    "evaluate_labels",
    "find_pretrained",
    "head_of",
    "load",
    "load_backbone",
    "open_backbone",
    "predict_each",
    "published_weights",
    "read_backbone_header",
    "read_header",
    "unshifted",
]

_HOMES = {
    "PUBLISHED": "published",
    "Backbone": "backbone",
    "BackboneHeader": "backbone_file",
    "Classifier": "classifier",
    "ModelHeader": "header",
    "Prediction": "prediction",
    "Preprocessing": "preprocessing",
    "Pretrained": "pretrained",
    "Published": "published",
    "evaluate": "evaluation",
    "evaluate_labels": "evaluation",
    "find_pretrained": "pretrained",
    "head_of": "pretrained",
    "load": "file",
    "load_backbone": "pretrained",
    "open_backbone": "backbone",
    "predict_each": "prediction",
    "published_weights": "published",
    "read_backbone_header": "backbone_file",
    "read_header": "header",
    "unshifted": "classifier",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate.classifier' has no attribute '{name}'")
    return getattr(import_module(f"striate.classifier.{home}"), name)
