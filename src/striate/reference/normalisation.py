"""Batch normalisation by its definition: while training, at inference, and its gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from striate.core.errors import ShapeError
from striate.reference.inputs import Array, as_numbers, of_shape, spelled


def batch_statistics(features: ArrayLike) -> tuple[Array, Array]:
    """Compute the mean and the variance of each channel over the batch and all positions.

    ``mu = mean(x)`` and ``var = mean((x - mu)^2)``: biased, divided by the number of values.

    Args:
        features: N x C, or N x C x spatial.

    Returns:
        The means and the variances, C each.

    Raises:
        ShapeError: where there are no channels, or a channel has one value only.

    >>> mean, variance = batch_statistics([[1, 0], [3, 4]])
    >>> mean.tolist(), variance.tolist()
    ([2.0, 2.0], [1.0, 4.0])
    """
    features = _checked(features)
    axes = _all_but_channels(features)
    mean = features.mean(axis=axes)
    variance = ((features - _by_channel(mean, features)) ** 2).mean(axis=axes)
    return mean, variance


def running_statistics(
    features: ArrayLike, mean: ArrayLike, variance: ArrayLike, *, momentum: float = 0.1
) -> tuple[Array, Array]:
    """Move running statistics towards those of a batch: ``(1 - momentum) old + momentum new``.

    The new variance is the unbiased one, the sum of squares divided by the number of values less 1, as in
    torch: it estimates the variance of all images, while the batch itself is normalised by its own.

    Args:
        features: N x C, or N x C x spatial.
        mean: running means so far, C.
        variance: running variances so far, C.
        momentum: weight of the batch, from 0 to 1.

    Returns:
        The new running means and variances, C each.

    Raises:
        ShapeError: where there is not one mean and variance a channel.

    >>> mean, variance = running_statistics([[1], [3]], [0], [1])
    >>> round(float(mean[0]), 6), round(float(variance[0]), 6)
    (0.2, 1.1)
    """
    features = _checked(features)
    mean, variance = _of_channels(mean, features, "mean"), _of_channels(variance, features, "variance")
    batch_mean, batch_variance = batch_statistics(features)
    count = features.size // features.shape[1]
    unbiased = batch_variance * count / (count - 1)
    return (1 - momentum) * mean + momentum * batch_mean, (1 - momentum) * variance + momentum * unbiased


def batch_normalisation(
    features: ArrayLike, scale: ArrayLike, shift: ArrayLike, *, epsilon: float = 1e-5
) -> Array:
    """Normalise each channel by the statistics of the batch, then scale and shift it, as in training.

    ``y = scale (x - mu)/sqrt(var + epsilon) + shift``, with the biased variance.

    Args:
        features: N x C, or N x C x spatial.
        scale: gamma, C.
        shift: beta, C.
        epsilon: added to the variance.

    Returns:
        A new array of the shape of the features.

    Raises:
        ShapeError: where there is not one scale and shift a channel, or a channel has one value only.

    Source: Ioffe and Szegedy, Batch normalization (2015), algorithm 1.

    >>> batch_normalisation([[1], [3]], [10], [5], epsilon=0).tolist()
    [[-5.0], [15.0]]
    """
    features = _checked(features)
    mean, variance = batch_statistics(features)
    return batch_normalisation_inference(
        features, scale, shift, mean=mean, variance=variance, epsilon=epsilon
    )


def batch_normalisation_backward(
    gradient: ArrayLike, features: ArrayLike, scale: ArrayLike, *, epsilon: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Bring a gradient back through `batch_normalisation`.

    Each value moves the mean and the variance too. With ``n = (x - mu)/sqrt(var + epsilon)``:
    ``dx = scale/sqrt(var + epsilon) (dy - mean(dy) - n mean(dy n))``, ``dscale = sum(dy n)``,
    ``dshift = sum(dy)``.

    Args:
        gradient: of the loss by the output, of the shape of the features.
        features: what was normalised.
        scale: gamma, C.
        epsilon: added to the variance.

    Returns:
        The gradients of the loss by the features, the scale and the shift.

    Raises:
        ShapeError: as `batch_normalisation`, and where the gradient has another shape than the features.

    Source: Ioffe and Szegedy (2015), section 3, its chain of derivatives written as one formula.

    >>> d_features, d_scale, d_shift = batch_normalisation_backward([[0], [4]], [[1], [3]], [1], epsilon=0)
    >>> d_features.tolist(), d_scale.tolist(), d_shift.tolist()  # two values always become -1 and 1
    ([[0.0], [0.0]], [4.0], [4.0])
    """
    features = _checked(features)
    gradient = of_shape(gradient, features.shape, "gradient")
    scale = _of_channels(scale, features, "scale")
    axes = _all_but_channels(features)
    mean, variance = batch_statistics(features)
    deviation = np.sqrt(variance + epsilon)
    normal = (features - _by_channel(mean, features)) / _by_channel(deviation, features)
    d_mean = gradient.mean(axis=axes, keepdims=True)
    d_normal = (gradient * normal).mean(axis=axes, keepdims=True)
    d_features = _by_channel(scale / deviation, features) * (gradient - d_mean - normal * d_normal)
    return d_features, (gradient * normal).sum(axis=axes), gradient.sum(axis=axes)


def batch_normalisation_inference(
    features: ArrayLike,
    scale: ArrayLike,
    shift: ArrayLike,
    *,
    mean: ArrayLike,
    variance: ArrayLike,
    epsilon: float = 1e-5,
) -> Array:
    """Normalise each channel by given statistics, then scale and shift it, as a trained network does.

    ``y = scale (x - mean)/sqrt(variance + epsilon) + shift``: every image for itself.

    Args:
        features: N x C, or N x C x spatial.
        scale: gamma, C.
        shift: beta, C.
        mean: what is subtracted, C.
        variance: by whose root is divided, C.
        epsilon: added to the variance.

    Returns:
        A new array of the shape of the features.

    Raises:
        ShapeError: where there is not one of each a channel.

    >>> batch_normalisation_inference([[7]], [10], [5], mean=[1], variance=[9], epsilon=0).tolist()
    [[25.0]]
    """
    features = _with_channels(features)
    scale, shift = _of_channels(scale, features, "scale"), _of_channels(shift, features, "shift")
    mean, variance = _of_channels(mean, features, "mean"), _of_channels(variance, features, "variance")
    centred = features - _by_channel(mean, features)
    normal = centred / _by_channel(np.sqrt(variance + epsilon), features)
    return normal * _by_channel(scale, features) + _by_channel(shift, features)


def batch_normalisation_inference_backward(
    gradient: ArrayLike,
    features: ArrayLike,
    scale: ArrayLike,
    *,
    mean: ArrayLike,
    variance: ArrayLike,
    epsilon: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """Bring a gradient back through `batch_normalisation_inference`, whose statistics are constants.

    With ``n = (x - mean)/sqrt(variance + epsilon)``: ``dx = dy scale/sqrt(variance + epsilon)``,
    ``dscale = sum(dy n)``, ``dshift = sum(dy)``.

    Args:
        gradient: of the loss by the output, of the shape of the features.
        features: what was normalised.
        scale: gamma, C.
        mean: what was subtracted, C.
        variance: by whose root was divided, C.
        epsilon: added to the variance.

    Returns:
        The gradients of the loss by the features, the scale and the shift.

    Raises:
        ShapeError: where there is not one of each a channel, or the gradient has another shape.

    >>> d_features, d_scale, _ = batch_normalisation_inference_backward(
    ...     [[6]], [[7]], [10], mean=[1], variance=[9], epsilon=0
    ... )
    >>> d_features.tolist(), d_scale.tolist()
    ([[20.0]], [12.0])
    """
    features = _with_channels(features)
    gradient = of_shape(gradient, features.shape, "gradient")
    scale = _of_channels(scale, features, "scale")
    mean, variance = _of_channels(mean, features, "mean"), _of_channels(variance, features, "variance")
    axes = _all_but_channels(features)
    deviation = np.sqrt(variance + epsilon)
    normal = (features - _by_channel(mean, features)) / _by_channel(deviation, features)
    d_features = gradient * _by_channel(scale / deviation, features)
    return d_features, (gradient * normal).sum(axis=axes), gradient.sum(axis=axes)


def _with_channels(features: ArrayLike) -> Array:
    array = as_numbers(features, "features")
    if array.ndim < 2 or array.size == 0:
        raise ShapeError(
            f"features of shape {spelled(array.shape)} have no batch and channels: N x C is needed"
        )
    return array


def _checked(features: ArrayLike) -> Array:
    array = _with_channels(features)
    if array.size == array.shape[1]:
        raise ShapeError(
            f"features of shape {spelled(array.shape)} have 1 value a channel, which has no variance; "
            "at least 2 are needed"
        )
    return array


def _of_channels(values: ArrayLike, features: Array, name: str) -> Array:
    return of_shape(values, (features.shape[1],), name)


def _all_but_channels(features: Array) -> tuple[int, ...]:
    return (0, *range(2, features.ndim))


def _by_channel(values: Array, features: Array) -> Array:
    """Lay C numbers along the second axis, so that they meet their channels."""
    return values.reshape(1, -1, *(1,) * (features.ndim - 2))
