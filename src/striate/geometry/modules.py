"""Calls of modules while a network is traced: which are layers, and what goes into them."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from striate.core.errors import ShapeError
from striate.geometry.dependences import unknown
from striate.geometry.functions import first_tensor
from striate.geometry.recording import Frame, Recorder
from striate.geometry.steps import Step
from striate.geometry.windowed import Windowed
from striate.geometry.windows import note_lost, through_windows

LAYER_ROOMS = ("torch.nn.modules.", "torch.nn.utils.", "torch.ao.nn.", "striate.nn")
"""Where the classes live whose modules are one layer each, whatever they are made of."""

CONTAINERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)


class ModuleCalls:
    """Tells a recorder where the call of each module of a network begins and ends.

    Args:
        network: a stand-in, which gets hooks.
        recorder: sees the operations in between.
    """

    def __init__(self, network: nn.Module, recorder: Recorder) -> None:
        self._recorder = recorder
        self.paths = {id(module): path for path, module in network.named_modules()}
        self.kinds = {path: kind_of(module) for path, module in network.named_modules()}
        for module in network.modules():
            module.register_forward_pre_hook(self._enter, prepend=True)
            module.register_forward_hook(self._leave, always_call=True)

    def _enter(self, module: nn.Module, args: Any) -> None:
        recorder = self._recorder
        parent = recorder.frames[-1] if recorder.frames else None
        path, step = self.paths[id(module)], None
        recorder.failed_at = None  # what failed before was caught
        if parent is not None:
            parent.has_parts = True
            step = parent.step
        is_own = step is None and is_layer(module)
        if is_own:
            step = Step(path, self.kinds[path], functional=False)
        is_hidden = is_own and is_windowed(type(module))
        recorder.hidden += is_hidden
        recorder.frames.append(Frame(path, module, step, is_own, is_hidden, len(recorder.steps)))
        with torch._C.DisableTorchFunction():
            _check_input(module, first_tensor(args))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        del module
        recorder = self._recorder
        frame = recorder.frames.pop()
        recorder.hidden -= frame.is_hidden
        if output is None and sys.exc_info()[0] is not None:
            recorder.failed_at = recorder.failed_at or frame  # the innermost is left first
            return
        with torch._C.DisableTorchFunction():
            if frame.is_own:
                self._close(frame, first_tensor(args), first_tensor(output))
            elif not frame.has_parts and frame.step is None and recorder.frames:
                self._gather(frame, first_tensor(output))

    def _close(self, frame: Frame, given: Tensor | None, output: Tensor | None) -> None:
        recorder, step = self._recorder, frame.step
        assert step is not None
        if output is None or isinstance(frame.module, nn.Identity):
            step.is_shown = False
        elif frame.is_hidden and given is not None:
            assert isinstance(frame.module, Windowed)
            _run_windows(recorder, step, frame.module, given, output)
        else:
            before = recorder.makers_of([output])
            if step not in before and recorder.depends(output):  # such as dropout, which computes nothing now
                step.reads |= before
                recorder.give(output, recorder.depends(output), frozenset({step}))
        recorder.close(step, output)

    def _gather(self, frame: Frame, output: Tensor | None) -> None:
        """Make one layer of a module of functions, of which one at most has weights or windows."""
        recorder = self._recorder
        parts = recorder.steps[frame.first :]
        if output is None or not parts or sum(part.windows for part in parts) > 1:
            return
        step = Step(frame.path, self.kinds[frame.path], functional=False)
        del recorder.steps[frame.first :]
        step.take_in(parts)
        recorder.close(step, output)


def kind_of(module: nn.Module) -> str:
    """Give the name of a module's class, without what torch's parametrisations put before it.

    Args:
        module: any.

    Returns:
        Such as ``Conv2d``.

    >>> kind_of(nn.ReLU())
    'ReLU'
    """
    return type(module).__name__.removeprefix("Parametrized")


def is_layer(module: nn.Module) -> bool:
    """Tell whether a module is one layer, whatever operations and modules it is made of.

    Args:
        module: any.

    Returns:
        True of torch's and striate's own layers, and of those that say themselves what they read.
    """
    if is_windowed(type(module)) or isinstance(module, nn.MultiheadAttention):
        return True
    return _is_layer_class(type(module)) and module._modules.keys() <= {"parametrizations"}


def is_windowed(kind: type[nn.Module]) -> bool:
    """Tell whether the modules of a class say themselves what they read.

    Args:
        kind: the class.

    Returns:
        True where it has the methods of `Windowed`.
    """
    return issubclass(kind, Windowed)


def _is_layer_class(kind: type[nn.Module]) -> bool:
    return any(base.__module__.startswith(LAYER_ROOMS) for base in kind.__mro__ if base not in CONTAINERS)


def _run_windows(recorder: Recorder, step: Step, module: Windowed, given: Tensor, output: Tensor) -> None:
    """Note what a layer gives that says itself what its windows read."""
    sizes = tuple(given.shape[2:])
    windows = module.windows_on(sizes)
    note_lost(step.notes, sizes, windows, strict=recorder.strict)
    step.multiply_adds += module.multiply_adds_on(sizes)
    before = recorder.depends(given)
    if output.ndim == given.ndim and len(windows) == len(sizes):
        found = through_windows(before, windows, sizes=sizes, outputs=output.shape[2:], first=2)
    else:
        found = unknown(before, "its windows do not have the axes of its output")
    step.reads |= recorder.makers_of([given]) - {step}
    recorder.own(step, output)
    recorder.give(output, found, frozenset({step}))


def _check_input(module: nn.Module, given: Tensor | None) -> None:
    """Refuse what does not fit a layer, in words; torch's own are of matrices and weights."""
    if given is None:
        return
    if isinstance(module, _ConvNd):
        dims, channels = len(module.kernel_size), module.in_channels
        if given.ndim != dims + 2:
            axes = "1 axis" if dims == 1 else f"{dims} axes"
            such = "x".join([str(channels or 3), *["32"] * dims])
            raise ShapeError(f"it takes {axes} after the channels, such as {such}, and got {_shape(given)}")
        if channels and given.shape[1] != channels:  # a lazy layer has 0 until it is called
            raise ShapeError(f"it takes {channels} channels, and got {given.shape[1]} (of {_shape(given)})")
    elif isinstance(module, nn.Linear) and module.in_features and given.shape[-1] != module.in_features:
        raise ShapeError(
            f"it takes {module.in_features} features, and got {given.shape[-1]} (of {_shape(given)}); "
            "the size of the network's input decides how many arrive"
        )


def _shape(tensor: Tensor) -> str:
    sizes = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    return "x".join(map(str, sizes))
