"""The errors that striate raises on purpose; each message says what was wrong and what would work.

::

    StriateError
    ├── AttackError      an attack that cannot be made on a model and images as they are given
    ├── DataError        a source of images cannot be used
    ├── DeviceError      a device or precision that this machine does not have
    ├── LayerError       an input or argument of a kind that a layer or an analysis does not take
    ├── ModelFileError   a model file that is not ours, is damaged, or is newer than this program
    ├── ProcessError     processes that train together and lost each other, or do not fit each other
    ├── RecipeError      a training choice out of range, or a name that does not exist
    ├── RunError         a run directory that is locked, finished, missing or cannot be written
    ├── ShapeError       sizes that do not fit each other, with the arithmetic
    ├── TraceError       a network that cannot be followed layer by layer, and where
    └── TrainingError    a training that cannot go on, such as a loss that is not a number

The command line shortens these, and only these, to one sentence and exits with status 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StriateError(Exception):
    """Base of every error that is the input's doing rather than a defect of striate."""


class AttackError(StriateError):
    """Raised when an attack cannot be made on a model and images as they are given."""


class DataError(StriateError):
    """Raised when a source of images cannot be used."""


class DeviceError(StriateError):
    """Raised when a device or precision is asked for that this machine does not have."""


class LayerError(StriateError):
    """Raised when a layer or an analysis is given an argument or input of a kind that it does not take."""


class ModelFileError(StriateError):
    """Raised when a model file is not ours, is damaged, or is newer than this program."""


class ProcessError(StriateError):
    """Raised when processes that train together have lost each other, or do not fit each other."""


class RecipeError(StriateError):
    """Raised when a choice of a recipe is out of range or names something that does not exist."""


class RunError(StriateError):
    """Raised when a run directory is locked, finished, missing or cannot be written."""


class ShapeError(StriateError):
    """Raised when sizes do not fit each other; the message holds the arithmetic."""


class TraceError(StriateError):
    """Raised when a network cannot be followed layer by layer; the message says where."""


class TrainingError(StriateError):
    """Raised when a training cannot go on, such as after a loss that is not a number."""


def unknown_name(kind: str, value: str, options: Iterable[str]) -> str:
    """Say that a name does not exist, suggest the nearest one, and list the others.

    Args:
        kind: what the name was meant to name, such as ``"model"``.
        value: the name that was given.
        options: the names that exist.

    Returns:
        One sentence for the message of an error.

    >>> unknown_name("model", "resnet8", ["compact", "resnet18"])
    "there is no model 'resnet8'; did you mean 'resnet18'? (there are: compact, resnet18)"
    """
    names = list(options)
    nearest = difflib.get_close_matches(value, names, n=1, cutoff=0.4)
    hint = f" did you mean '{nearest[0]}'?" if nearest else ""
    listed = f";{hint} (there are: {', '.join(names)})" if names else ""
    return f"there is no {kind} '{value}'{listed}"
