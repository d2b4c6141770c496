"""What the tracer knows of each torch operation: what its output depends on, what it costs, what it makes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from striate.geometry import joining, mixing, rearranging, resampling, reshaping, windows
from striate.geometry.calls import Call, base_name
from striate.geometry.dependences import Dependence

Rule = Callable[[Call], "Dependence | list[Dependence]"]

VIEWS: dict[str, Rule] = {
    "alias": reshaping.same,
    "detach": reshaping.same,
    "expand": reshaping.expanded,
    "lift_fresh": reshaping.same,
    "permute": reshaping.permuted,
    "select": reshaping.selected,
    "slice": resampling.slicing,
    "split": reshaping.split,
    "split_with_sizes": reshaping.split,
    "squeeze": reshaping.squeezed,
    "t": reshaping.permuted,
    "transpose": reshaping.permuted,
    "unbind": reshaping.unbound,
    "unfold": rearranging.unfolded,
    "unsafe_split": reshaping.split,
    "unsafe_split_with_sizes": reshaping.split,
    "unsqueeze": reshaping.unsqueezed,
}
"""Other ways to look at a tensor; none is a layer of its own."""

SHAPES: dict[str, Rule] = {
    "_reshape_alias": reshaping.viewed,
    "_unsafe_view": reshaping.viewed,
    "reshape": reshaping.viewed,
    "unflatten": reshaping.viewed,
    "view": reshaping.viewed,
}
"""Changes of shape, which a reader wants to see though they compute nothing."""

WINDOWS: dict[str, Rule] = {
    "_adaptive_avg_pool2d": resampling.adaptive_pooling,
    "_adaptive_avg_pool3d": resampling.adaptive_pooling,
    "adaptive_max_pool2d": resampling.adaptive_pooling,
    "adaptive_max_pool3d": resampling.adaptive_pooling,
    "avg_pool2d": windows.pooling,
    "avg_pool3d": windows.pooling,
    "convolution": windows.convolution,
    "max_pool2d_with_indices": windows.pooling,
    "max_pool3d_with_indices": windows.pooling,
}

RESAMPLINGS: dict[str, Rule] = {
    "_upsample_nearest_exact1d": resampling.nearest_exact,
    "_upsample_nearest_exact2d": resampling.nearest_exact,
    "_upsample_nearest_exact3d": resampling.nearest_exact,
    "constant_pad_nd": resampling.padding,
    "flip": resampling.mirroring,
    "reflection_pad1d": resampling.padding,
    "reflection_pad2d": resampling.padding,
    "reflection_pad3d": resampling.padding,
    "replication_pad1d": resampling.padding,
    "replication_pad2d": resampling.padding,
    "replication_pad3d": resampling.padding,
    "roll": resampling.rolling,
    "upsample_bicubic2d": resampling.cubic,
    "upsample_bilinear2d": resampling.linear,
    "upsample_linear1d": resampling.linear,
    "upsample_nearest1d": resampling.nearest,
    "upsample_nearest2d": resampling.nearest,
    "upsample_nearest3d": resampling.nearest,
    "upsample_trilinear3d": resampling.linear,
}

REARRANGED: dict[str, Rule] = {
    "channel_shuffle": rearranging.shuffled,
    "im2col": rearranging.columns_of_images,
    "native_channel_shuffle": rearranging.shuffled,
    "pixel_shuffle": rearranging.pixels_of_channels,
    "pixel_unshuffle": rearranging.channels_of_pixels,
    "repeat": reshaping.repeated,
}

REDUCTIONS: dict[str, Rule] = dict.fromkeys(
    (
        *("all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "kthvalue"),
        *("linalg_vector_norm", "logsumexp", "max", "mean", "median", "min", "mode", "nanmedian", "nansum"),
        *("norm", "prod", "std", "std_mean", "sum", "var", "var_mean"),
    ),
    mixing.reduced,
)

MIXTURES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *(
                "_fft_c2c",
                "_fft_c2r",
                "_fft_r2c",
                "_log_softmax",
                "_logcumsumexp",
                "_safe_softmax",
                "_softmax",
            ),
            *("cummax", "cummin", "cumprod", "cumsum", "logcumsumexp", "sort", "topk"),
        ),
        mixing.mixed,
    ),
    "_batch_norm_no_update": mixing.batch_norm,
    "_batch_norm_with_update": mixing.batch_norm,
    "_fused_rms_norm": mixing.layer_norm,
    "_native_batch_norm_legit": mixing.batch_norm,
    "_native_batch_norm_legit_no_training": mixing.batch_norm,
    "native_batch_norm": mixing.batch_norm,
    "native_group_norm": mixing.group_norm,
    "native_layer_norm": mixing.layer_norm,
}

PRODUCTS: dict[str, Rule] = {
    **dict.fromkeys(("addmm", "addmv", "baddbmm", "bmm", "dot", "mm", "mv"), mixing.matrix_product),
    **dict.fromkeys(
        (
            "_scaled_dot_product_cudnn_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_fused_attention_overrideable",
        ),
        mixing.attention,
    ),
}

JOINTS: dict[str, Rule] = {
    **dict.fromkeys(
        # Element by element, though torch does not mark all of them so.
        (
            *(
                "_prelu_kernel",
                "_to_copy",
                "bernoulli",
                "clone",
                "complex",
                "contiguous",
                "fill",
                "hardswish",
            ),
            *("log_sigmoid_forward", "normal", "rrelu_with_noise", "tril", "triu"),
        ),
        joining.pointwise,
    ),
    **dict.fromkeys(
        (
            *("empty_like", "full_like", "new_empty", "new_full", "new_ones", "new_zeros", "ones_like"),
            *("rand_like", "randn_like", "uniform", "zero", "zeros_like"),
        ),
        joining.nothing,
    ),
    "cat": joining.concatenated,
    "copy": joining.copied,
    "embedding": joining.embedded,
    "gather": joining.gathered,
    "glu": joining.gated,
    "index": joining.indexed,
    "index_put": joining.put,
    "index_select": joining.gathered,
    "stack": joining.stacked,
}

RULES: dict[str, Rule] = {
    **VIEWS,
    **SHAPES,
    **WINDOWS,
    **RESAMPLINGS,
    **REARRANGED,
    **REDUCTIONS,
    **MIXTURES,
    **PRODUCTS,
    **JOINTS,
}
"""Operation, without overload -> the rule that says what its output depends on."""

PADDINGS = frozenset(name for name, rule in RESAMPLINGS.items() if rule is resampling.padding)

READS_VALUES = frozenset(
    {"_local_scalar_dense", "equal", "is_nonzero", "masked_select", "nonzero", "unique_dim"}
)
"""Operations whose result needs the values of a tensor, which are not there."""


def rule_of(operation: Any) -> Rule | None:
    """Find the rule for an operation.

    Args:
        operation: an overload.

    Returns:
        The rule; ``None`` where nothing is known of it.
    """
    if operation.namespace != "aten":
        return None
    name = base_name(operation)
    if name in RULES:
        return RULES[name]
    return joining.pointwise if torch.Tag.pointwise in operation.tags else None


def multiply_adds(call: Call) -> int:
    """Count the products of a weight or matrix entry with a value, each with its addition.

    Args:
        call: of any operation, with its result.

    Returns:
        Their number; 0 for what is neither a convolution nor a product of matrices.
    """
    if call.name == "convolution":
        places = call["input"].shape[2:] if call["transposed"] else call.output.shape[2:]
        return int(call["input"].shape[0] * math.prod(places) * math.prod(call["weight"].shape))
    if call.name not in PRODUCTS:
        return 0
    if "attention" in call.name:
        query, key, value = call["query"].shape, call["key"].shape, call["value"].shape
        return int(math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))
    left, right = mixing.factors(call)
    columns = right.shape[-1] if right.ndim > 1 else 1
    return int(math.prod(left.shape) * columns)
