"""Latents in a file: one safetensors file with their classes, checked against the generator that reads it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from striate.core.errors import ModelFileError, RunError
from striate.core.tensors import load_tensors, save_tensors
from striate.gan.latent import check_latents
from striate.models.adversarial import Generator, check_labels

FORMAT = "striate.latents"


def write_latents(path: Path | str, latents: Tensor, labels: Tensor | None = None) -> None:
    """Write latents, and the classes that they are of, to a file, atomically.

    Args:
        path: the file to be made or replaced.
        latents: N x D.
        labels: (N) int64, of a conditional generator.

    Raises:
        RunError: where the file cannot be written.
    """
    tensors = {"latents": latents} if labels is None else {"latents": latents, "labels": labels}
    try:
        save_tensors(path, tensors, {"format": FORMAT})
    except OSError as error:
        raise RunError(f"cannot write the latents {path}: {error.strerror or error}") from error


def read_latents(path: Path | str, network: Generator) -> tuple[Tensor, Tensor | None]:
    """Read latents for a generator.

    Args:
        path: what `write_latents` wrote.
        network: that is to make images of them.

    Returns:
        N x latent_size, float32; and (N) int64 for a conditional generator.

    Raises:
        ModelFileError: where the file is missing, damaged, or holds no latents.
        ShapeError: where they are of another length than the generator takes.
        LayerError: where they are not finite, or the classes are not the generator's.
    """
    tensors, metadata = load_tensors(path)
    if metadata.get("format") != FORMAT or not {"latents"} <= tensors.keys() <= {"latents", "labels"}:
        raise ModelFileError(
            f"{path} holds no latents; 'striate gan sample' and 'striate gan project' write some by --keep"
        )
    latents, labels = tensors["latents"], tensors.get("labels")
    check_latents(latents, network.latent_size)
    check_labels(labels, classes=network.classes, count=len(latents), network="generator")
    return latents.to(torch.float32), labels
