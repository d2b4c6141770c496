"""Follow any network from its input to its output: sizes, parameters, costs and receptive fields by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError, StriateError, TraceError
from striate.geometry.copying import randomness_kept, stand_in
from striate.geometry.dependences import of_input
from striate.geometry.functions import FunctionCalls
from striate.geometry.modules import ModuleCalls
from striate.geometry.recording import Recorder
from striate.geometry.steps import traced_layers
from striate.geometry.traced import Trace

CODE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What code that is not ours raises where it cannot go on."""

LONGEST_REASON = 300

Shape = Sequence[int]


def trace(
    network: nn.Module, shape: Shape | Tensor | Sequence[Shape | Tensor], *, strict: bool = False
) -> Trace:
    """Follow a network layer by layer: shapes, parameters, multiply-adds, memory and receptive fields.

    The real ``forward`` runs once, in evaluation mode and for one image, on a copy of the network without
    weights, so that it costs no memory and the network stays as it is; forward hooks run with it, since they
    can be part of what is computed. What every tensor may depend on is followed through views, branches,
    sums, concatenations and functions. Where an operation is not known, or a forward writes through views,
    the receptive fields from there on are unknown, and the layer's note says why.

    Args:
        network: any module that takes tensors.
        shape: of one input without the batch, the channels first, such as ``(3, 224, 224)``; of a network of
            several inputs a list of shapes. A tensor in place of a shape is an example with its batch, of
            which shape and type are taken, such as ``torch.zeros(1, 16, dtype=torch.long)`` for a network of
            tokens.
        strict: refuse a stride that leaves elements over, instead of noting it.

    Returns:
        The layers and totals.

    Raises:
        LayerError: where the network is no module.
        ShapeError: where the input or a layer does not fit, naming the layer, with the arithmetic.
        TraceError: where the network cannot be followed, naming the module.

    Source: the arithmetic is that of Araujo et al., Computing Receptive Fields of Convolutional Neural
    Networks (Distill 2019), taken further to any operation on indices.

    >>> network = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2))
    >>> trace(network, (3, 32, 32)).layers[-1].output
    (6, 14, 14)
    """
    network = _unwrapped(network)
    examples = _examples(shape, _dtype_of(network))
    shapes = [tuple(example.shape[1:]) for example in examples]
    recorder = Recorder(strict=strict)
    with torch.no_grad(), randomness_kept():
        copy = stand_in(network)
        calls = ModuleCalls(copy, recorder)
        for number, example in enumerate(examples):
            recorder.give(example, of_input(number, shapes[number]), frozenset({-1 - number}))
        _run(copy, examples, recorder)
    return Trace(
        layers=traced_layers(recorder.steps, shapes),
        inputs=tuple(shapes),
        parameters=sum(parameter.numel() for parameter in copy.parameters()),
        kinds=calls.kinds,
    )


def _run(network: nn.Module, examples: Sequence[Tensor], recorder: Recorder) -> None:
    try:
        with recorder, FunctionCalls(recorder):
            network(*examples)
    except StriateError as error:
        raise type(error)(f"{_where(recorder, network)}: {error}") from error
    except CODE_ERRORS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_REASON]
        given = " and ".join("x".join(map(str, example.shape[1:])) for example in examples)
        raise TraceError(
            f"{_where(recorder, network)} cannot be followed with an input of {given}: {reason}"
        ) from error


def _where(recorder: Recorder, network: nn.Module) -> str:
    """Say where a network was when it failed."""
    frame = recorder.failed_at
    if frame is None or not frame.path:
        place = f"the network ({type(network).__name__})"
    else:
        place = f"layer '{frame.path}' ({type(frame.module).__name__})"
    is_layer = frame is not None and frame.is_own
    return f"{recorder.failed_in} in {place}" if recorder.failed_in and not is_layer else place


def _unwrapped(network: Any) -> nn.Module:
    """Take the network out of what torch wraps around one to run it faster."""
    if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        network = network.module
    network = getattr(network, "_orig_mod", network)  # of torch.compile
    if not isinstance(network, nn.Module):
        raise LayerError(
            f"a network to be followed is a torch.nn.Module, and this is of type {type(network).__name__}"
        )
    if isinstance(network, torch.jit.ScriptModule):
        raise TraceError(
            "a TorchScript network has no Python code to follow; trace the module that it was made from"
        )
    return network


def _examples(shape: Any, dtype: torch.dtype) -> list[Tensor]:
    """Make an input without memory for each shape."""
    if isinstance(shape, Tensor) or (shape and all(isinstance(size, int) for size in shape)):
        shape = [shape]
    if not shape:
        raise ShapeError("the input has no shape; give one without the batch, such as (3, 224, 224)")
    found = []
    for each in shape:
        if isinstance(each, Tensor):
            sizes, dtype_of_it = tuple(each.shape[1:]), each.dtype
        else:
            sizes, dtype_of_it = tuple(each) if isinstance(each, Sequence) else (each,), dtype
        if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ShapeError(
                f"an input of shape {sizes} cannot be: its sizes are whole numbers from 1, such as "
                "(3, 224, 224)"
            )
        found.append(torch.empty((1, *sizes), dtype=dtype_of_it, device="meta"))
    return found


def _dtype_of(network: nn.Module) -> torch.dtype:
    kinds = (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    return next(kinds, torch.get_default_dtype())
