"""Lay one small picture over another, as an affine map fits best, and correlate their details."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from striate.data.shrinking import Floats
from striate.data.sketching import SIDE

LEVELS = ((1.6, 8.0, 4), (0.8, 4.0, 6))
"""From coarse to fine: details are what lies between two Gaussian blurs (pixels); and how many steps."""

LARGEST_CHANGE = 0.12
"""How far, in half sides, a point may be moved by each part of the map."""

LEAST_OVERLAP = 0.6
"""Of the area that has to lie over each other."""

NOISE = 0.5
"""How far grey values deviate by chance, in levels of 256: fainter details correlate with nothing."""

_AT_ONCE = 512
_DAMPING = 1e-3


def correlate_as_they_lie(fixed: Floats, moving: Floats) -> Floats:
    """Correlate the details of pairs of pictures without moving them, which is twenty times as fast.

    Args:
        fixed: (P, 32, 32) grey values.
        moving: likewise, the other one of each pair.

    Returns:
        float32 (P) in [-1, 1].

    >>> picture = np.eye(32, dtype=np.float32)[None] * 200
    >>> round(float(correlate_as_they_lie(picture, picture + 9)[0]), 2)
    1.0
    """
    fine, coarse, _ = LEVELS[-1]
    everywhere = np.ones((1, SIDE, SIDE), np.float32)
    here, _ = _normalised(_details(fixed, fine, coarse), everywhere)
    there, _ = _normalised(_details(moving, fine, coarse), everywhere)
    correlation: Floats = (here * there).sum(axis=(1, 2))
    return correlation


def correlate_registered(fixed: Floats, moving: Floats) -> Floats:
    """Correlate the details of pairs of pictures after laying one over the other.

    For each pair the affine map is sought, from the identity by Gauss-Newton steps, under which the details
    of the second picture correlate best with those of the first. Details are differences of two Gaussian
    blurs, so that neither brightness nor contrast nor broad shapes count.

    Args:
        fixed: (P, 32, 32) grey values.
        moving: likewise, the other one of each pair.

    Returns:
        float32 (P) in [-1, 1]: the highest correlation on the way, where at least 0.6 of the area overlaps.

    Source: Lucas and Kanade, An iterative image registration technique, IJCAI 1981; normalised as in
    Evangelidis and Psarakis, Parametric image alignment using enhanced correlation coefficient
    maximization, PAMI 2008.

    >>> picture = np.random.default_rng(0).normal(128, 40, (1, 32, 32)).astype(np.float32)
    >>> round(float(correlate_registered(picture, picture / 2 + 5)[0]), 2)
    1.0
    """
    parts = [
        _correlate(fixed[start : start + _AT_ONCE], moving[start : start + _AT_ONCE])
        for start in range(0, len(fixed), _AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _correlate(fixed: Floats, moving: Floats) -> Floats:
    change = np.zeros((len(fixed), 2, 3), np.float32)  # of x and y, by 1, x and y
    best = np.full(len(fixed), -1, np.float32)
    for fine, coarse, steps in LEVELS:
        here, there = _details(fixed, fine, coarse), _details(moving, fine, coarse)
        finest = (fine, coarse, steps) == LEVELS[-1]
        for step in range(steps + finest):
            warped, inside = _warped(there, change)
            target, _ = _normalised(here, inside)
            source, scale = _normalised(warped, inside)
            if finest:
                correlation = (target * source).sum(axis=(1, 2))
                enough = inside.mean(axis=(1, 2)) >= LEAST_OVERLAP
                best = np.where(enough, np.maximum(best, correlation), best)
            if step < steps:
                change += _step(target - source, warped, inside, scale)
                np.clip(change, -LARGEST_CHANGE, LARGEST_CHANGE, out=change)
    return best


def _step(error: Floats, warped: Floats, inside: Floats, scale: Floats) -> Floats:
    """Give the change of the maps that would take the error away if pictures were linear."""
    to_units = (SIDE - 1) / 2
    slopes = np.stack([np.gradient(warped, axis=2), np.gradient(warped, axis=1)], axis=1) * to_units
    slopes *= (inside / scale[:, None, None])[:, None]
    down, across = _places()
    by = np.stack([np.ones_like(across), across, down])
    jacobian = (slopes[:, :, None] * by[None, None]).reshape(len(error), 6, -1)
    normal = jacobian @ jacobian.transpose(0, 2, 1)
    damping = _DAMPING * np.trace(normal, axis1=1, axis2=2) + 1e-6
    normal += damping[:, None, None] * np.eye(6, dtype=np.float32)
    right = jacobian @ error.reshape(len(error), -1, 1)
    found: Floats = np.linalg.solve(normal, right).reshape(-1, 2, 3).astype(np.float32)
    return found


def _warped(pictures: Floats, change: Floats) -> tuple[Floats, Floats]:
    """Sample pictures at the places that their maps send a grid to; and say which of these lie inside."""
    down, across = _places()
    x = across + change[:, 0, 0, None, None] + change[:, 0, 1, None, None] * across
    x = (x + change[:, 0, 2, None, None] * down + 1) * (SIDE - 1) / 2
    y = down + change[:, 1, 0, None, None] + change[:, 1, 1, None, None] * across
    y = (y + change[:, 1, 2, None, None] * down + 1) * (SIDE - 1) / 2
    inside = ((x >= 0) & (x <= SIDE - 1) & (y >= 0) & (y <= SIDE - 1)).astype(np.float32)
    left = np.clip(np.floor(x), 0, SIDE - 2).astype(np.int64)
    top = np.clip(np.floor(y), 0, SIDE - 2).astype(np.int64)
    right_share = np.clip(x - left, 0, 1)
    bottom_share = np.clip(y - top, 0, 1)
    flat = pictures.reshape(-1)
    first = (np.arange(len(pictures)) * SIDE * SIDE)[:, None, None] + top * SIDE + left
    upper = flat[first] * (1 - right_share) + flat[first + 1] * right_share
    lower = flat[first + SIDE] * (1 - right_share) + flat[first + SIDE + 1] * right_share
    return (upper * (1 - bottom_share) + lower * bottom_share).astype(np.float32), inside


def _normalised(pictures: Floats, inside: Floats) -> tuple[Floats, Floats]:
    """Bring what is inside to mean 0 and length 1, or less where it is faint; give the divisors too."""
    count = np.maximum(inside.sum(axis=(1, 2), keepdims=True), 1)
    centred = (pictures - (pictures * inside).sum(axis=(1, 2), keepdims=True) / count) * inside
    energy = (centred**2).sum(axis=(1, 2)) + NOISE**2 * count[:, 0, 0]
    length = np.sqrt(energy).astype(np.float32)
    return centred / length[:, None, None], length


def _details(pictures: Floats, fine: float, coarse: float) -> Floats:
    one, other = _blur(fine), _blur(coarse)
    details = one @ pictures @ one.T - other @ pictures @ other.T
    return details.astype(np.float32, copy=False)


@lru_cache(maxsize=8)
def _blur(deviation: float) -> Floats:
    """Give the matrix of a Gaussian blur of a line; at its ends it averages over what is there."""
    places = np.arange(SIDE)
    weights = np.exp(-((places[:, None] - places[None]) ** 2) / (2 * deviation**2))
    matrix: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


@lru_cache(maxsize=1)
def _places() -> tuple[Floats, Floats]:
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    down, across = np.meshgrid(line, line, indexing="ij")
    return down, across
