"""A dense head as the equal convolution, so that a network trained at one size slides over larger images."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from math import prod

from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.nn.by_dims import BY_DIMS
from striate.nn.inputs import by, check_dims

# What works on each value by itself does the same to a feature map as to a row of values.
_EACH_VALUE = (
    nn.AlphaDropout,
    nn.CELU,
    nn.Dropout,
    nn.ELU,
    nn.GELU,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Identity,
    nn.LeakyReLU,
    nn.Mish,
    nn.ReLU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
)


def dense_as_conv(head: nn.Module, *, size: Sequence[int]) -> nn.Module:
    """Turn a trained flatten-plus-dense head into the equal convolution.

    The first dense layer becomes a convolution whose kernel covers a feature map of the size that the head
    was trained on, later ones convolutions of 1; weights are copied. On a larger feature map the head is
    applied at each place, as if that part had been cut out.

    Args:
        head: a Linear, or a Sequential of Flatten, Linear, BatchNorm1d, Dropout and activations.
        size: of the feature map that the head was trained on, along each of its 1, 2 or 3 axes.

    Returns:
        A module from N x C x spatial to N x classes x places along each axis: 1 place at the size itself.

    Raises:
        ShapeError: where the dense layer's inputs are no whole number of channels of that size.
        LayerError: where the head holds no dense layer, or a layer that no convolution equals.

    Source: Sermanet et al., OverFeat (2014), section 3.5; Long et al., Fully Convolutional Networks (2015),
    section 3.1.

    >>> import torch
    >>> slides = dense_as_conv(nn.Linear(2 * 4 * 4, 3), size=(4, 4))
    >>> slides(torch.zeros(1, 2, 6, 5)).shape
    torch.Size([1, 3, 3, 2])
    """
    if isinstance(size, int):
        raise ShapeError(
            f"size={size} does not say how many axes there are; ({size}, {size}) is that of images"
        )
    check_dims(len(size), layer="dense_as_conv")
    if any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in size):
        raise ShapeError(f"a feature map of {by(size)} cannot be; each axis has at least 1 element")
    layers: list[nn.Module] = []
    kernel = tuple(size)
    for layer in _plain_layers(head):
        layers.append(_as_convolutional(layer, kernel))
        if isinstance(layer, nn.Linear):
            kernel = (1,) * len(size)
    if not any(isinstance(layer, nn.Linear) for layer in _plain_layers(head)):
        raise LayerError(
            f"dense_as_conv takes a head with an nn.Linear, and {type(head).__name__} holds none"
        )
    slides = nn.Sequential(*layers)
    slides.training = head.training  # a layer may be frozen by a mode of its own, which it keeps
    return slides


def _plain_layers(head: nn.Module) -> Iterator[nn.Module]:
    """Give the layers in their order, those of nested sequences too, without the flattening."""
    if isinstance(head, nn.Sequential):
        for layer in head:
            yield from _plain_layers(layer)
    elif isinstance(head, nn.Flatten):
        if (head.start_dim, head.end_dim) != (1, -1):
            raise LayerError(
                f"dense_as_conv takes Flatten() of all axes but the first, and the head has {head}"
            )
    else:
        yield head


def _as_convolutional(layer: nn.Module, kernel: tuple[int, ...]) -> nn.Module:
    """Give what does to a feature map what a layer does to a row; ``kernel``: of the next dense layer."""
    if isinstance(layer, nn.Linear):
        return _convolution(layer, kernel)
    if isinstance(layer, nn.BatchNorm1d):
        if prod(kernel) != 1:
            raise LayerError(
                "BatchNorm1d before the first Linear normalises each place of the feature map by itself, "
                "which no convolution does; behind the first Linear it can be turned"
            )
        return _norm(layer, len(kernel))
    if isinstance(layer, nn.Softmax | nn.LogSoftmax) and layer.dim in (1, -1):
        return type(layer)(dim=1)
    by_channel = isinstance(layer, nn.PReLU) and (layer.num_parameters == 1 or prod(kernel) == 1)
    if by_channel or isinstance(layer, _EACH_VALUE):
        return copy.deepcopy(layer)
    raise LayerError(
        f"dense_as_conv knows no convolution that equals {layer}; it takes Flatten, Linear, BatchNorm1d, "
        "Dropout and activations"
    )


def _convolution(dense: nn.Linear, kernel: tuple[int, ...]) -> nn.Module:
    channels, rest = divmod(dense.in_features, prod(kernel))
    if rest or not channels:
        raise ShapeError(
            f"a Linear of {dense.in_features} inputs does not fit a feature map of {by(kernel)}: "
            f"{dense.in_features}/{prod(kernel)} = {dense.in_features / prod(kernel):.2f} channels, which is "
            "no whole number of at least 1; size= is that of the map before it is flattened"
        )
    # Made without memory: its weights are those of the dense layer, and drawing others would take long.
    convolution = BY_DIMS[len(kernel)].convolution(
        channels, dense.out_features, kernel, bias=dense.bias is not None, device="meta"
    )
    convolution.weight = _copy(dense.weight, (dense.out_features, channels, *kernel))
    if dense.bias is not None:
        convolution.bias = _copy(dense.bias, (dense.out_features,))
    return convolution


def _copy(parameter: Tensor, shape: Sequence[int]) -> nn.Parameter:
    return nn.Parameter(parameter.detach().clone().view(shape), requires_grad=parameter.requires_grad)


def _norm(norm: nn.BatchNorm1d, dims: int) -> nn.Module:
    copied = BY_DIMS[dims].norm(
        norm.num_features,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
    )
    like = next(iter((*norm.parameters(), *norm.buffers())), None)
    if like is not None:
        copied.to(like.device, like.dtype)
    copied.load_state_dict(norm.state_dict())
    return copied.train(norm.training)
