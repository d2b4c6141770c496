"""Empty results of the operations that most networks are made of, from the shapes of their arguments alone.

Torch can make them too, but to do so it first imports its compiler's algebra, which takes longer than to
follow the largest network. What is not known here, or does not fit, is left to torch, which then says what is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from striate.core.errors import ShapeError
from striate.geometry.calls import Call, axis_of, tensors_in
from striate.geometry.mixing import factors, reduced_axes
from striate.geometry.windows import convolution_result, pooling_result

SAME_KIND = frozenset(
    (
        *(
            "abs",
            "add",
            "addcmul",
            "celu",
            "clamp",
            "clamp_max",
            "clamp_min",
            "clone",
            "cos",
            "div",
            "elu",
            "erf",
        ),
        *(
            "exp",
            "fill",
            "gelu",
            "hardsigmoid",
            "hardswish",
            "hardtanh",
            "leaky_relu",
            "lerp",
            "log",
            "maximum",
        ),
        *(
            "minimum",
            "mish",
            "mul",
            "neg",
            "pow",
            "_prelu_kernel",
            "reciprocal",
            "relu",
            "rsqrt",
            "rsub",
            "selu",
        ),
        *("sigmoid", "silu", "sin", "softplus", "sqrt", "square", "sub", "tanh", "threshold", "_softmax"),
        *(
            "_log_softmax",
            "flip",
            "roll",
            "zeros_like",
            "ones_like",
            "empty_like",
            "full_like",
            "copy",
            "zero",
        ),
    )
)
"""Operations that give floating-point numbers of the kind they are given, of the broadcast shape."""


def quick_result(call: Call, *, written: Sequence[str]) -> Any:
    """Make the empty result of a call.

    Args:
        call: of any operation.
        written: names of the arguments that it writes over.

    Returns:
        A tensor without memory, or a tuple of them; ``None`` where torch is to make it.

    Raises:
        ShapeError: where channels or sizes do not fit each other.
    """
    if written and call.get(written[0]) is not call.first:
        return None  # it is given a tensor for its result
    if call.name in SAME_KIND:
        return _same_kind(call, in_place=bool(written))
    make = RESULTS.get(call.name)
    return None if make is None else make(call)


def _same_kind(call: Call, *, in_place: bool) -> Tensor | None:
    tensors = tensors_in(call.values)
    shape = _broadcast([tensor.shape for tensor in tensors])
    kinds = {tensor.dtype for tensor in tensors}
    if in_place:
        return call.first if shape == tuple(call.first.shape) else None
    if shape is None or len(kinds) > 1 or not call.first.is_floating_point() or call.get("dtype") is not None:
        return None
    return call.first.new_empty(shape)


def _broadcast(shapes: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    dims = max(map(len, shapes))
    found = [1] * dims
    for shape in shapes:
        for axis, size in enumerate(shape, start=dims - len(shape)):
            if size != 1 and found[axis] not in (1, size):
                return None
            found[axis] = size if found[axis] == 1 else found[axis]
    return tuple(found)


def _converted(call: Call) -> Tensor:
    return call.first.new_empty(call.first.shape, dtype=call.get("dtype") or call.first.dtype)


def _normed(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    # Of the figures that come along, no forward makes use.
    return call.first.new_empty(call.first.shape), call.first.new_empty(0), call.first.new_empty(0)


def _reduced(call: Call) -> Tensor | None:
    tensor = call.first
    if not tensor.is_floating_point() or call.get("dtype") is not None:
        return None
    axes = reduced_axes(call)
    sizes = [1 if axis in axes else size for axis, size in enumerate(tensor.shape)]
    if not call.get("keepdim"):
        sizes = [size for axis, size in enumerate(sizes) if axis not in axes]
    return tensor.new_empty(sizes)


def _product(call: Call) -> Tensor | None:
    left, right = factors(call)
    if left.ndim < 2 or left.ndim != right.ndim or left.dtype != right.dtype:
        return None
    if left.shape[-1] != right.shape[-2]:
        raise ShapeError(
            f"a product of matrices of {left.shape[-2]}x{left.shape[-1]} and "
            f"{right.shape[-2]}x{right.shape[-1]} cannot be: {left.shape[-1]} features arrive, and it takes "
            f"{right.shape[-2]}"
        )
    return left.new_empty((*left.shape[:-1], right.shape[-1]))


def _concatenated(call: Call) -> Tensor | None:
    tensors = call["tensors"]
    axis = axis_of(call["dim"], tensors[0].ndim)
    others = {(tensor.dtype, tensor.shape[:axis], tensor.shape[axis + 1 :]) for tensor in tensors}
    if len(others) > 1:
        return None
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    first: Tensor = tensors[0]
    return first.new_empty(shape)


def _resized(call: Call) -> Tensor:
    size = call["output_size"]
    return call.first.new_empty((*call.first.shape[: -len(size)], *size))


def _padded(call: Call) -> Tensor:
    sizes = list(call.first.shape)
    amounts = call["pad"]
    for axis in range(len(amounts) // 2):
        sizes[-1 - axis] += amounts[2 * axis] + amounts[2 * axis + 1]
    if min(sizes) < 1:
        raise ShapeError(f"padding {tuple(amounts)} leaves nothing of {tuple(call.first.shape)}")
    return call.first.new_empty(sizes)


def _embedded(call: Call) -> Tensor:
    weight: Tensor = call["weight"]
    return weight.new_empty((*call["indices"].shape, weight.shape[1]))


RESULTS: dict[str, Callable[[Call], Any]] = {
    "_adaptive_avg_pool2d": _resized,
    "_adaptive_avg_pool3d": _resized,
    "_to_copy": _converted,
    "addmm": _product,
    "amax": _reduced,
    "amin": _reduced,
    "avg_pool2d": pooling_result,
    "avg_pool3d": pooling_result,
    "baddbmm": _product,
    "bmm": _product,
    "cat": _concatenated,
    "constant_pad_nd": _padded,
    "convolution": convolution_result,
    "embedding": _embedded,
    "max_pool2d_with_indices": pooling_result,
    "max_pool3d_with_indices": pooling_result,
    "mean": _reduced,
    "mm": _product,
    "native_batch_norm": _normed,
    "native_group_norm": _normed,
    "native_layer_norm": _normed,
    "sum": _reduced,
    "upsample_bilinear2d": _resized,
    "upsample_linear1d": _resized,
    "upsample_nearest1d": _resized,
    "upsample_nearest2d": _resized,
    "upsample_nearest3d": _resized,
}
"""Operation -> what makes its empty result, or ``None`` where torch is to."""
