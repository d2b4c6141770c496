"""Train convolutional networks fast, see what they learned, know where they break.

::

    import striate

    run = striate.train("fashion-mnist", epochs=6)
    classifier = striate.load("runs/fashion-mnist")
    classifier.predict("shirt.png")

Importing this loads no torch: what is exported here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from striate.core.version import VERSION as __version__

if TYPE_CHECKING:
    from striate.classifier import Classifier, Prediction, load
    from striate.core.errors import StriateError
    from striate.core.recipe import Recipe
    from striate.data import Dataset, open_dataset
    from striate.gan import GanRecipe, GanRun, load_generator, train_gan
    from striate.training import Run, train

__all__ = [
    "Classifier",
    "Dataset",
    "GanRecipe",
    "GanRun",
    "Prediction",
    "Recipe",
    "Run",
    "StriateError",
    "__version__",
    "load",
    "load_generator",
    "open_dataset",
    "train",
    "train_gan",
]

_HOMES = {
    "Classifier": "striate.classifier",
    "Dataset": "striate.data",
    "GanRecipe": "striate.gan",
    "GanRun": "striate.gan",
    "Prediction": "striate.classifier",
    "Recipe": "striate.core.recipe",
    "Run": "striate.training",
    "StriateError": "striate.core.errors",
    "load": "striate.classifier",
    "load_generator": "striate.gan",
    "open_dataset": "striate.data",
    "train": "striate.training",
    "train_gan": "striate.gan",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
