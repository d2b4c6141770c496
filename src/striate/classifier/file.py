"""The model file: a classifier as one safetensors file, whose header says how to rebuild it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from striate.classifier.classifier import Classifier
from striate.classifier.fitting import check_fit, entries_of
from striate.classifier.header import ModelHeader, model_file, read_header
from striate.core.device import choose_policy
from striate.core.errors import ModelFileError, RunError, StriateError, unknown_name
from striate.core.tensors import load_tensors, save_tensors
from striate.core.version import VERSION
from striate.models import CATALOGUE, build, is_known


def save(classifier: Classifier, path: Path | str) -> None:
    """Write a classifier to one safetensors file, atomically.

    Args:
        classifier: what is to be kept.
        path: the file to be made or replaced.

    Raises:
        RunError: where the file cannot be written; what was there is then untouched.
    """
    header = ModelHeader(
        model=classifier.model,
        arguments=classifier.arguments,
        classes=classifier.classes,
        preprocessing=classifier.preprocessing,
        temperature=classifier.temperature,
        # What made the weights: a classifier that was loaded keeps the versions it came with.
        details={"versions": _versions(), **classifier.details},
        thresholds=classifier.thresholds,
    )
    try:
        save_tensors(path, classifier.network.state_dict(), header.to_metadata())
    except OSError as error:
        raise RunError(f"cannot write the model file {path}: {error.strerror or error}") from error


def load(path: Path | str, *, device: str | None = None, precision: str | None = None) -> Classifier:
    """Read a classifier from a model file.

    The header is checked before anything is built, and the network is built without memory and
    held against the header before it gets any; a file can so ask for no more than its own size.

    Args:
        path: a model file, or a run directory, of which its ``model.safetensors`` is read.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        precision: ``bfloat16`` or ``float32``; ``None`` chooses.

    Returns:
        The classifier, in evaluation mode, its tensors in the memory formats they were saved in.

    Raises:
        ModelFileError: where the file is missing, damaged, not ours, of a newer format, or does not
            fit the network that it names.
        DeviceError: where this machine does not have the device.
    """
    file = model_file(path)
    header = read_header(file)
    policy = choose_policy(device, precision)
    if precision is None:
        policy = policy.suited_to(header.preprocessing.dims)
    if not is_known(header.model):
        raise ModelFileError(f"{file}: {unknown_name('model', header.model[:80], CATALOGUE)}")
    with torch.device("meta"):
        wanted = entries_of(_built(header, file).state_dict())
    check_fit(wanted, header.tensors, file=file, model=header.model)
    # Built once more, with memory: a network may hold tensors that no file keeps.
    with torch.random.fork_rng(devices=[]):
        network = _built(header, file)
    state, _ = load_tensors(file)
    network.load_state_dict(state, assign=True)
    classifier = Classifier(
        network,
        model=header.model,
        arguments=header.arguments,
        classes=header.classes,
        preprocessing=header.preprocessing,
        temperature=header.temperature,
        policy=policy,
        details=header.details,
    )
    classifier.thresholds = header.thresholds
    return classifier.eval()


def _built(header: ModelHeader, file: Path) -> nn.Module:
    try:
        return build(header.model, **header.arguments)
    except (StriateError, TypeError, ValueError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ModelFileError(
            f"{file} is damaged: the network '{header.model}' cannot be built as its header says: {error}"
        ) from error


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in ("torch", "safetensors", "numpy")}
    return {"striate": VERSION, **libraries, "python": platform.python_version()}
