"""Fit a power law that falls to a floor, such as error over the number of images, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate.core.errors import LayerError

EXPONENTS = np.linspace(0.02, 2.0, 199)
"""The exponents tried: where error falls with the number of images, from hardly to with its square."""

DRAWS = 400
"""How many curves are drawn anew for intervals."""

LEAST_SIZES = 3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """Error as ``scale (n / reference)^-exponent + floor``.

    Args:
        scale: what falls of the error at the reference, at least 0.
        exponent: how fast.
        floor: the error that stays, at least 0.
        reference: a number of images, over 0.
    """

    scale: float
    exponent: float
    floor: float
    reference: float

    def at(self, count: float) -> float:
        """Give the error at a number of images.

        Args:
            count: over 0.

        Returns:
            The error.

        >>> PowerLaw(scale=0.2, exponent=0.5, floor=0.01, reference=100).at(400)
        0.11
        """
        falls: float = (count / self.reference) ** -self.exponent
        return self.scale * falls + self.floor


@dataclass(frozen=True)
class PowerLawFit:
    """A power law fitted to repeated measurements.

    Args:
        law: the one that fits best.
        drawn: laws fitted to measurements drawn anew; none, where single measurements say nothing of others.
    """

    law: PowerLaw
    drawn: tuple[PowerLaw, ...]

    def interval(self, figure: Callable[[PowerLaw], float]) -> tuple[float, float] | None:
        """Give the 95 % interval of a figure.

        Args:
            figure: computes it from a law.

        Returns:
            Its bounds; ``None`` where nothing is known of the uncertainty.
        """
        if not self.drawn:
            return None
        low, high = np.quantile([figure(law) for law in self.drawn], [0.025, 0.975])
        return float(low), float(high)


def fit_power_law(
    counts: Sequence[float], errors: Sequence[Sequence[float]], *, seed: int = 0
) -> PowerLawFit:
    """Fit a power law to errors measured several times at several numbers of images.

    Least squares of the means, each weighted by ``1 / (e (1 - e))``, as the variance of a share goes; for
    every exponent of a grid scale and floor are solved for exactly, neither under 0. For the uncertainty
    means are drawn anew around the law, normally, with the deviation between repetitions (pooled over all
    numbers of images by the same weights) or with that of the means from the law, whichever is larger, and
    fitted again. It covers other seeds and draws of images, not other test images, and takes for granted
    that the law holds beyond what was measured.

    Args:
        counts: numbers of images, at least three different ones.
        errors: for each of them shares in [0, 1], as many for all.
        seed: what is drawn follows from it.

    Returns:
        The fit.

    Raises:
        LayerError: where there are fewer than three numbers of images.

    Source: Cortes et al., Learning Curves: Asymptotic Values and Rate of Convergence (1993); Hestness et al.,
    Deep Learning Scaling is Predictable, Empirically (2017).

    >>> round(fit_power_law([100, 400, 1600], [[0.4], [0.2], [0.1]]).law.exponent, 4)
    0.5
    """
    sizes = np.asarray(counts, dtype=float)
    if len(set(sizes.tolist())) < LEAST_SIZES:
        different = len(set(sizes.tolist()))
        raise LayerError(f"{different} numbers of images make no curve; {LEAST_SIZES} and more do")
    measured = np.asarray(errors, dtype=float)
    means = measured.mean(axis=1)
    spread = np.maximum(means * (1 - means), 1e-4)
    law = _fit(sizes, means, spread)
    repeats = measured.shape[1]
    if repeats == 1:
        return PowerLawFit(law, ())
    between = ((measured - means[:, None]) ** 2 / spread[:, None]).sum() / (len(sizes) * (repeats - 1))
    at_sizes = np.array([law.at(size) for size in sizes])
    if len(sizes) > LEAST_SIZES:
        misfit = repeats * ((means - at_sizes) ** 2 / spread).sum() / (len(sizes) - LEAST_SIZES)
        between = max(between, misfit)
    deviations = np.sqrt(between * spread / repeats)
    generator = np.random.default_rng(seed)
    drawn = [
        _fit(sizes, np.clip(at_sizes + deviations * generator.standard_normal(len(sizes)), 0, 1), spread)
        for _ in range(DRAWS)
    ]
    return PowerLawFit(law, tuple(drawn))


def _fit(sizes: Floats, errors: Floats, spread: Floats) -> PowerLaw:
    """Solve for scale and floor at every exponent at once, and keep the best."""
    reference, weights = float(sizes.max()), 1 / spread
    falls = (sizes[None] / reference) ** -EXPONENTS[:, None]
    total = weights.sum()
    mean_fall, mean_error = falls @ weights / total, float(errors @ weights / total)
    centred = falls - mean_fall[:, None]
    scales = np.maximum(0, (centred * weights) @ (errors - mean_error) / ((centred**2) @ weights))
    floors = mean_error - scales * mean_fall
    through_zero = (falls * weights) @ errors / ((falls**2) @ weights)
    scales = np.where(floors < 0, through_zero, scales)
    floors = np.maximum(0, floors)
    misfits = ((scales[:, None] * falls + floors[:, None] - errors) ** 2) @ weights
    best = int(misfits.argmin())
    return PowerLaw(float(scales[best]), float(EXPONENTS[best]), float(floors[best]), reference)
