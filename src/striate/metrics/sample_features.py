"""Checks of the features that scores of generated images are computed from."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.core.errors import ShapeError, TrainingError


def checked_features(real: Tensor, generated: Tensor, *, least: int = 2) -> tuple[Tensor, Tensor]:
    """Check that two sets of features can be compared, and bring them to the CPU at full precision.

    Args:
        real: N x D, of real images.
        generated: M x D, of generated images.
        least: how many images each set needs.

    Returns:
        Both as float64 on the CPU.

    Raises:
        ShapeError: where they are no tables of the same width, or one has too few rows.
        TrainingError: where a feature is not a finite number.

    >>> checked_features(torch.zeros(5, 3), torch.zeros(5, 4))
    Traceback (most recent call last):
    striate.core.errors.ShapeError: real images have 3 features and generated ones 4; one network gives both
    """
    for kind, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or not features.is_floating_point() or features.shape[1] == 0:
            kept = str(features.dtype).removeprefix("torch.")
            raise ShapeError(
                f"the features of {kind} images are {kept} of the shape {tuple(features.shape)}, where "
                "floats of the shape (N, D) are wanted"
            )
        if len(features) < least:
            raise ShapeError(f"{len(features)} {kind} images are too few; this takes at least {least}")
    if real.shape[1] != generated.shape[1]:
        raise ShapeError(
            f"real images have {real.shape[1]} features and generated ones {generated.shape[1]}; one network "
            "gives both"
        )
    return _finite(real, "real"), _finite(generated, "generated")


def _finite(features: Tensor, kind: str) -> Tensor:
    features = features.detach().to("cpu").double()
    broken = int((~torch.isfinite(features).all(dim=1)).sum())
    if broken:
        raise TrainingError(
            f"the features of {broken} of {len(features)} {kind} images are not finite numbers, as where "
            "pixels are none, which a generator gives whose training diverged"
        )
    return features
