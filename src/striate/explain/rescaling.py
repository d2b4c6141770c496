"""The rules of DeepLIFT: which share of an output's change a change of the input has, over any distance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from striate.core.errors import LayerError
from striate.explain.activations import ACTIVATIONS
from striate.explain.replacing import Call, Pull, name_of, operations_behind, replaced
from striate.nn.inputs import by

ELEMENTWISE = ACTIVATIONS | {
    *(
        "abs",
        "absolute",
        "arctan",
        "asinh",
        "atan",
        "clamp",
        "clamp_max",
        "clamp_min",
        "clip",
        "cos",
        "erf",
        "erfc",
    ),
    *("exp", "exp2", "expm1", "hardshrink", "log", "log10", "log1p", "log2", "maximum"),
    *(
        "minimum",
        "pow",
        "rdiv",
        "reciprocal",
        "rpow",
        "rsqrt",
        "sin",
        "softshrink",
        "sqrt",
        "square",
        "tanhshrink",
    ),
}
"""The functions of one number each, which have the rescale rule."""

LARGEST = frozenset(
    {"amax", "max"}
    | {
        f"{kind}max_pool{dims}d{end}"
        for kind in ("", "adaptive_")
        for dims in (1, 2, 3)
        for end in ("", "_with_indices")
    }
)
"""The functions that give the largest of some of their values."""

SMALLEST = frozenset({"amin", "min"})
"""The functions that give the smallest of some of their values."""

RULED = ELEMENTWISE | LARGEST | SMALLEST
"""The functions that have a rule."""

_ADDITIVE = frozenset(
    {
        *(
            "AccumulateGrad",
            "AdaptiveAvgPool2D",
            "AdaptiveAvgPool3D",
            "Add",
            "Alias",
            "AsStrided",
            "AvgPool2D",
        ),
        *("AvgPool3D", "Cat", "Clone", "Col2Im", "ConstantPadNd", "Copy", "CopySlices", "CudnnBatchNorm"),
        *(
            "Cumsum",
            "Diagonal",
            "Expand",
            "Flip",
            "Gather",
            "Im2Col",
            "Index",
            "IndexAdd",
            "IndexPut",
            "IndexSelect",
        ),
        *("MaskedFill", "Mean", "NativeBatchNorm", "Neg", "Permute", "PixelShuffle", "PixelUnshuffle"),
        *("ReflectionPad1D", "ReflectionPad2D", "ReflectionPad3D", "Repeat", "ReplicationPad1D"),
        *(
            "ReplicationPad2D",
            "ReplicationPad3D",
            "ReshapeAlias",
            "Roll",
            "Rsub",
            "Scatter",
            "Select",
            "Slice",
        ),
        *("SliceScatter", "Split", "SplitWithSizes", "Squeeze", "Stack", "Sub", "Sum", "T", "ToCopy"),
        *("Transpose", "Tril", "Triu", "Unbind", "Unfold", "UnsafeSplit", "UnsafeView", "Unsqueeze"),
        *("UpsampleBicubic2D", "UpsampleBilinear2D", "UpsampleLinear1D", "UpsampleNearest1D"),
        *("UpsampleNearest2D", "UpsampleNearest3D", "UpsampleNearestExact1D", "UpsampleNearestExact2D"),
        *("UpsampleNearestExact3D", "UpsampleTrilinear3D", "View", "Where", "_Blurring", "_Replaced"),
    }
)
"""The operations of torch's graph that are linear in all that they take, or that carry a rule."""

_PRODUCTS = frozenset(
    {
        *("Addbmm", "Addcmul", "Addmm", "Addmv", "Baddbmm", "Bmm", "Convolution", "Dot", "Linear", "Matmul"),
        *("MkldnnConvolution", "MkldnnLinear", "Mm", "Mul", "Mv"),
    }
)
"""The operations that are linear as long as one of what they take depends on the image."""


class References:
    """What every function that has a rule was given for the baselines, to be met again by the images.

    Its two handlers are for `striate.explain.replacing.Intercepted`, one after the other.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[str, Tensor]] = []
        self._left = iter(self._kept)

    def record(self, call: Call) -> Any:
        """Handle a call that is made for the baselines.

        Args:
            call: is carried out.

        Returns:
            What it gives.
        """
        self._kept.append((call.kind, call.values.detach().clone()))
        return call.run()

    def rescale(self, call: Call) -> Any:
        """Handle the same call when it is made for the images.

        Args:
            call: is carried out with the rule as its derivative.

        Returns:
            What it gives.

        Raises:
            LayerError: where it is another call.
        """
        here, met = f"{call.kind} of {by(call.values.shape)}", next(self._left, None)
        if met is None:
            raise _other_way(here, "nothing more")
        kind, reference = met
        if kind != call.kind or reference.shape != call.values.shape:
            raise _other_way(here, f"{kind} of {by(reference.shape)}")
        if not call.differentiable:
            return call.run()
        if call.kind in ELEMENTWISE:
            return replaced(call, rescaled(call, call.values.detach(), reference))
        if any(isinstance(each, Tensor) for each in (*call.more, *call.named.values())):
            return call.run()  # torch.max of two tensors
        return replaced(call, routed(call, call.values.detach().clone(), reference))

    def check_all_met(self) -> None:
        """Refuse where the pass of the images made fewer calls than that of the baselines.

        Raises:
            LayerError: where one is left.
        """
        for kind, reference in self._left:
            raise _other_way("nothing more", f"{kind} of {by(reference.shape)}")


def rescaled(call: Call, here: Tensor, there: Tensor) -> Pull:
    """Make the rescale rule of a function of one number: ``(f(x) - f(x0)) / (x - x0)``, f'(x) where x = x0.

    Args:
        call: of the function.
        here: the values x for the images.
        there: the values x0 for the baselines.

    Returns:
        The rule: what comes back is multiplied by that.

    Raises:
        LayerError: where the function gives another shape than it takes.

    >>> call = Call("relu", torch.relu, torch.zeros(2), (), {})
    >>> rescaled(call, torch.tensor([3.0, 1.0]), torch.tensor([-1.0, 1.0]))(torch.ones(2))
    tensor([0.7500, 1.0000])
    """
    # The quotient of small differences keeps its digits in double precision, where the device has it.
    wide = torch.float32 if here.device.type == "mps" else torch.float64
    one, other = here.to(wide), there.to(wide)
    change = one - other
    with torch.no_grad():
        output = call.at(one)
        if output.shape != one.shape:
            raise LayerError(
                f"deep_lift has no rule for {call.kind} that makes {by(output.shape)} of {by(one.shape)}"
            )
        quotient = (output - call.at(other)) / change
        multipliers = torch.where(change == 0, call.slopes(one), quotient)
    multipliers = multipliers.to(torch.promote_types(here.dtype, torch.float32))
    return lambda gradient: gradient * multipliers


def routed(call: Call, here: Tensor, there: Tensor) -> Pull:
    """Make the rule of a maximum: its change counts for the value that reached the larger of the two maxima.

    That value changed at least as much. Where the maximum is larger for the image, it is the image's largest
    value, else that of the baseline; a minimum is the mirror image. Where a value did not change at all its
    multiplier is the derivative.

    Args:
        call: of the maximum or minimum.
        here: the values for the images.
        there: the values for the baselines.

    Returns:
        The rule.

    >>> call = Call("amax", torch.amax, torch.zeros(1, 2), (1,), {})
    >>> routed(call, torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 2.0]]))(torch.ones(1)).abs()
    tensor([[0.5000, 0.0000]])
    """
    wide = torch.promote_types(here.dtype, torch.float32)

    def pull(gradient: Tensor) -> Tensor:
        with torch.enable_grad():
            one, other = here.to(wide).requires_grad_(), there.to(wide).requires_grad_()
            top, bottom = call.at(one), call.at(other)
        gradient = gradient.to(wide)
        change = (top - bottom).detach()
        here_decides = change > 0 if call.kind in LARGEST else change < 0
        part = gradient * torch.where(here_decides, change, 0)
        rest = gradient * torch.where(here_decides, 0, change)
        (share,) = torch.autograd.grad(top, one, part, retain_graph=True)
        (other_share,) = torch.autograd.grad(bottom, other, rest)
        (slopes,) = torch.autograd.grad(top, one, gradient)
        moved = (one - other).detach()
        return torch.where(moved == 0, slopes, (share + other_share) / moved)

    return pull


def operation_without_rule(scores: Tensor) -> str | None:
    """Look for an operation on the way from images to scores that is not linear and has no rule.

    Args:
        scores: with their graph.

    Returns:
        What is wrong, as the end of a sentence; ``None`` where all is well.

    >>> leaf = torch.ones(1, 2, requires_grad=True)
    >>> operation_without_rule((2 * leaf).softmax(dim=1)), operation_without_rule(2 * leaf)
    ('Softmax', None)
    """
    for node in operations_behind(scores):
        name = name_of(node)
        before = [each is not None for each, _ in node.next_functions]
        if name in _PRODUCTS:
            if sum(before) > 1:
                return f"{name} of two values that both depend on the image"
        elif name == "Div":
            if sum(before[1:]):
                return f"{name} by a value that depends on the image"
        elif name not in _ADDITIVE:
            return name
        elif getattr(node, "_saved_training", False):
            return f"{name} by the figures of the images themselves"
    return None


def _other_way(image: str, baseline: str) -> LayerError:
    return LayerError(
        "deep_lift compares each step of the network for an image with the same step for the baseline, and "
        f"the network goes another way for it: where it comes to {image} for the image, it comes to "
        f"{baseline} for the baseline"
    )
