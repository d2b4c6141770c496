"""Find the network that a word on the command line means: a name, a run, a model file or the user's code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from striate.core.errors import LayerError, RecipeError, ShapeError, StriateError, TraceError, unknown_name

if TYPE_CHECKING:
    from torch import nn

USUAL_SIDE = 224
USUAL_CHANNELS = 3
SMALL_SIDE = 32
MOST_CLASSES_OF_SMALL = 100
"""Networks made for so few classes, such as those for CIFAR, are made for small images."""

_OWN_CODE = re.compile(r"[^:\\/]+:[\w.]+")
_ALIASES = {
    "classes": ("classes", "num_classes"),
    "channels": ("channels", "in_channels", "in_chans"),
    "size": ("size",),
}


@dataclass(frozen=True)
class Wanted:
    """What was asked for of a network, as options; ``None`` where it was left open."""

    size: tuple[int, ...] | None
    channels: int | None
    classes: int | None

    def given(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Found:
    """A network, and the shape of one input without the batch."""

    network: nn.Module
    shape: tuple[int, ...]


def read_size(text: str | None) -> tuple[int, ...] | None:
    """Read a size as it is written on the command line.

    Args:
        text: such as ``224``, ``224x192`` or ``16x112x112``; ``None`` for none.

    Returns:
        One number, which is meant for every axis, or one an axis.

    Raises:
        ShapeError: where it is no size.

    >>> read_size("224"), read_size("224x192")
    ((224,), (224, 192))
    """
    if text is None:
        return None
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5}){0,2}", text):
        raise ShapeError(
            f"--size {text} is no size; give pixels such as 224, or height and width such as 224x192"
        )
    return tuple(map(int, text.split("x")))


def find_network(word: str, wanted: Wanted) -> Found:
    """Find a network.

    Args:
        word: a name of the catalogue, the path of a run or model file, or ``module:factory``.
        wanted: what else was asked for.

    Returns:
        The network and the shape of its input.

    Raises:
        RecipeError: where there is none of that name, naming the nearest.
        ModelFileError: where a path holds no model.
        TraceError: where the user's code cannot be imported or gives no network.
        LayerError: where an option has no meaning for it.
        ShapeError: where the size does not fit it.
    """
    from striate.models import CATALOGUE

    if word in CATALOGUE:
        return _from_catalogue(word, wanted)
    if Path(word).exists() or word.endswith(".safetensors"):
        return _from_file(word, wanted)
    if _OWN_CODE.fullmatch(word):
        return _from_code(word, wanted)
    raise RecipeError(
        f"{unknown_name('model', word, CATALOGUE)}; a run, a model file or module:factory can be named too"
    )


def _from_catalogue(name: str, wanted: Wanted) -> Found:
    import torch

    from striate.models.catalogue import CATALOGUE, ONLY_IMAGES

    make = CATALOGUE[name]
    parameters = inspect.signature(make).parameters
    for option in ("channels", "classes"):
        if option in wanted.given() and option not in parameters:
            raise LayerError(f"{name} has no choice of {option}; leave --{option} out")
    small = (_default(parameters, "classes") or 0) <= MOST_CLASSES_OF_SMALL
    size = wanted.size or _default(parameters, "size") or (SMALL_SIDE if small else USUAL_SIDE,)
    size = tuple(size) if len(size) > 1 else tuple(size) * 2
    options: dict[str, Any] = {**wanted.given(), "size": size}
    if len(size) != 2:
        options["dims"] = len(size)
        if name in ONLY_IMAGES:
            raise ShapeError(f"{name} takes images of 2 axes, and not of {len(size)}")
    with torch.device("meta"):  # its weights would only be drawn to be thrown away
        network = make(**{option: value for option, value in options.items() if option in parameters})
    return Found(network, (wanted.channels or _default(parameters, "channels") or USUAL_CHANNELS, *size))


def _from_file(word: str, wanted: Wanted) -> Found:
    from striate.classifier import load

    classifier = load(word, device="cpu", precision="float32")
    for option in ("channels", "classes"):
        if option in wanted.given():
            raise LayerError(f"{word} is trained, and its {option} are what they are; leave --{option} out")
    dims = len(classifier.size)
    size = wanted.size or classifier.size
    size = size * dims if len(size) == 1 else size
    if len(size) != dims:
        raise ShapeError(f"{word} takes inputs of {dims} axes, and --size names {len(size)}")
    return Found(classifier.network, (classifier.channels, *size))


def _from_code(word: str, wanted: Wanted) -> Found:
    from torch import nn

    made = _made(word, wanted)
    if not isinstance(made, nn.Module):
        raise TraceError(
            f"{word} gives a value of type {type(made).__name__}, where a torch.nn.Module is wanted"
        )
    channels, dims = _first_layer(made)
    if dims == 0 and wanted.size is None and wanted.channels is None:
        return Found(made, (channels,))
    size = wanted.size or (USUAL_SIDE,)
    size = size * (dims or 2) if len(size) == 1 else size
    return Found(made, (wanted.channels or (channels if dims else USUAL_CHANNELS), *size))


def _first_layer(network: nn.Module) -> tuple[int, int]:
    """Give the channels and axes that the first layer with weights takes; 0 axes where it takes features."""
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    for module in network.modules():
        if isinstance(module, _ConvNd):
            return module.in_channels or USUAL_CHANNELS, len(module.kernel_size)
        if isinstance(module, nn.Linear):
            return module.in_features, 0
    return USUAL_CHANNELS, 2


def _made(word: str, wanted: Wanted) -> Any:
    """Import the user's code and call what is named there, with the options that it takes."""
    from torch import nn

    path, _, name = word.partition(":")
    if path.endswith(".py"):
        raise TraceError(f"{word} names a file, where a module is wanted: {path.removesuffix('.py')}:{name}")
    with _running(f"importing '{path}'"), _current_folder_importable():
        _check_exists(path)
        module = importlib.import_module(path)
    thing: Any = module
    for part in name.split("."):
        if not hasattr(thing, part):
            raise TraceError(f"in {path}, {unknown_name('function or class', part, _callables(thing))}")
        thing = getattr(thing, part)
    if isinstance(thing, nn.Module):
        if wanted.given().keys() - {"size"}:
            raise LayerError(f"{word} is a network already, which --channels and --classes cannot change")
        return thing
    if not callable(thing):
        raise TraceError(
            f"{word} is of type {type(thing).__name__}, where a network, or what makes one, is wanted"
        )
    options = _accepted(word, thing, wanted)
    with _running(f"calling {word}"):
        return thing(**options)


def _accepted(word: str, make: Callable[..., Any], wanted: Wanted) -> dict[str, Any]:
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):  # of some builtins
        return {}
    options = {}
    for option, value in wanted.given().items():
        name = next((alias for alias in _ALIASES[option] if alias in parameters), None)
        if name is not None:
            options[name] = value * 2 if option == "size" and len(value) == 1 else value
        elif option != "size":
            raise LayerError(f"{word} takes no argument '{option}'; leave --{option} out")
    return options


def _check_exists(path: str) -> None:
    """Refuse a module that is not there; that a module of the user's lacks another is another error."""
    parts = path.split(".")
    try:
        missing = importlib.util.find_spec(parts[0]) is None
    except ValueError:
        missing = True
    if missing:
        here = sorted(each.stem for each in Path().glob("*.py"))
        raise TraceError(f"{unknown_name('module', parts[0], here)}, neither in this folder nor installed")


def _callables(thing: Any) -> list[str]:
    own = thing.__name__ if isinstance(thing, ModuleType) else None
    return sorted(
        name
        for name, value in vars(thing).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", own) == own
    )


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    # It stays so: the network may import more when it is called.
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    yield


@contextmanager
def _running(what: str) -> Iterator[None]:
    """Say what the user's code was doing where it fails."""
    from striate.geometry.tracing import CODE_ERRORS

    try:
        yield
    except StriateError:
        raise
    except SyntaxError as error:
        raise TraceError(f"{what} fails: {error.filename}, line {error.lineno}: {error.msg}") from error
    except SystemExit as error:
        raise TraceError(
            f"{what} ends the program; put what runs there under: if __name__ == '__main__'"
        ) from error
    except CODE_ERRORS as error:
        raise TraceError(f"{what} fails: {type(error).__name__}: {error}") from error


def _default(parameters: Any, name: str) -> Any:
    """Give the default of a parameter; ``None`` where there is no such parameter, or no default."""
    parameter = parameters.get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default
