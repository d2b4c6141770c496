"""The layers of any network by name: which there are, which have maps, and what they give for images.

A layer is named by its path, as in ``named_modules()``. Where a pass calls it again, that
call is ``path (2)``.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from striate.core.errors import LayerError, ShapeError, StriateError, unknown_name
from striate.engine.borrowing import borrowed
from striate.geometry.functions import first_tensor
from striate.geometry.tracing import trace
from striate.nn.inputs import by

See: TypeAlias = Callable[[str, Tensor | None, Tensor], None]
"""Takes a layer's name, what the layer was given, and what it gives, during a pass."""

Tell: TypeAlias = Callable[[str, Any, Any], None]
"""Takes a call's name, all that was given, and all that came out."""

_LISTED = 12
_CALL = re.compile(r"(.*) \(([1-9]\d*)\)")


class _Enough(BaseException):
    """Ends a pass where all that was wanted has been seen; nothing on the way may catch it."""


@dataclass(frozen=True, kw_only=True)
class LayerCall:
    """One call of a module in a pass.

    Args:
        name: the module's path, with the number of the call behind it from the second on.
        module: what was called.
        output: shape of what it gave, with the batch; ``None`` where that is no floating-point tensor.
    """

    name: str
    module: nn.Module
    output: tuple[int, ...] | None


def unwrapped(network: nn.Module) -> nn.Module:
    """Take the network out of what ``torch.compile`` and data parallelism put around it.

    Hooks have to be on the modules that run.

    Args:
        network: any module.

    Returns:
        The module inside; the same where there is none.

    Raises:
        LayerError: where it is no module.

    >>> unwrapped(nn.DataParallel(nn.Identity()))
    Identity()
    """
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        network = network.module
    network = getattr(network, "_orig_mod", network)
    if not isinstance(network, nn.Module):
        raise LayerError(f"a network is a torch.nn.Module, and this is of type {type(network).__name__}")
    return network


def find_layer(network: nn.Module, name: str) -> nn.Module:
    """Find a layer by its name.

    Args:
        network: any module.
        name: a path as in ``named_modules()``, where a call's number may follow, as in ``relu (2)``.

    Returns:
        The module.

    Raises:
        LayerError: where there is none of that name, naming the nearest.

    >>> find_layer(nn.Sequential(nn.Flatten(), nn.ReLU()), "1")
    ReLU()
    """
    modules: dict[str, nn.Module] = dict(unwrapped(network).named_modules(remove_duplicate=False))
    path, _ = split_call(name)
    if path in modules:
        return modules[path]
    names = [each for each in modules if each]
    if len(names) > _LISTED:
        names = difflib.get_close_matches(path, names, n=_LISTED, cutoff=0.0)
    raise LayerError(unknown_name("layer", str(name), names))


def layer_calls(network: nn.Module, images: Tensor) -> tuple[LayerCall, ...]:
    """List every call of a module in a pass, in the order in which they end.

    Args:
        network: any module; it is left as it was. Itself it is listed only where it has no parts.
        images: N x C x spatial as the network takes them; the first is used.

    Returns:
        The calls.

    Raises:
        LayerError: where the network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> [call.name for call in layer_calls(nn.Sequential(nn.ReLU(), nn.Flatten()), torch.zeros(1, 1, 4, 4))]
    ['0', '1']
    """
    network = unwrapped(network)
    check_images(images)
    modules = {
        path: module
        for path, module in network.named_modules()
        if path and ".parametrizations." not in f".{path}."
    } or {"": network}
    found: list[LayerCall] = []

    def tell(name: str, given: Any, output: Any) -> None:
        del given
        tensor, (path, _) = _floating(output), split_call(name)
        shape = None if tensor is None else tuple(tensor.shape)
        found.append(LayerCall(name=name, module=modules[path], output=shape))

    with borrowed(network):
        _run(network, images[:1], modules, tell)
    return tuple(found)


def spatial_layers(network: nn.Module, images: Tensor) -> tuple[str, ...]:
    """Name the layers that give maps of more than one place, in the order in which they end.

    A map has as many axes as the images. A part that holds others is listed too, after the last of them.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.

    Returns:
        Their names; none for a network without maps.

    Raises:
        LayerError: where the network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> spatial_layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()), torch.zeros(1, 1, 5, 5))
    ('0', '1')
    """
    return tuple(call.name for call in layer_calls(network, images) if _has_places(call.output, images))


def last_spatial_layer(network: nn.Module, images: Tensor) -> str:
    """Name the last layer that gives maps of more than one place.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them; the first is used.

    Returns:
        Its name.

    Raises:
        LayerError: where there is none, or the network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> last_spatial_layer(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), torch.zeros(1, 1, 5, 5))
    '0'
    """
    names = spatial_layers(network, images)
    if not names:
        raise LayerError(
            f"no layer of the network ({type(unwrapped(network)).__name__}) gives maps of more than one "
            f"place for images of {by(images.shape[1:])}, so that nothing in it has a place in the image"
        )
    return names[-1]


def activations(
    network: nn.Module,
    images: Tensor,
    layers: Sequence[str],
    *,
    keep: Callable[[Tensor], Tensor] = torch.clone,
) -> dict[str, Tensor]:
    """Compute what layers give for images, in evaluation mode, in one pass that ends after the last of them.

    Args:
        network: any module; it is left as it was.
        images: N x C x spatial as the network takes them.
        layers: names; of a module that the pass calls several times its first call, and ``path (2)`` the
            second.
        keep: takes each layer's output at the moment when it is there, since later layers may write over
            it, and gives what is kept of it; the default keeps a copy.

    Returns:
        Layer -> what is kept, on the images' device.

    Raises:
        LayerError: for an unknown layer, one that the pass does not call or that gives no tensor, or where
            the network cannot take the images.
        ShapeError: where they are of a wrong size, with the arithmetic.

    >>> activations(nn.Sequential(nn.ReLU(inplace=True)), torch.tensor([[[-1.0, 2.0]]]), ["0"])
    {'0': tensor([[[0., 2.]]])}
    """
    found: dict[str, Tensor] = {}

    def see(name: str, given: Tensor | None, output: Tensor) -> None:
        del given
        found[name] = keep(output.detach()).to(images.device)

    names = [layers] if isinstance(layers, str) else list(layers)
    network = unwrapped(network)
    with borrowed(network):
        observe(network, images, names, see)
    return {name: found[name] for name in names}


def observe(network: nn.Module, images: Tensor, layers: Sequence[str], see: See) -> None:
    """Run images through a network and show what layers give, at once; the pass ends after the last of them.

    Args:
        network: any module, borrowed by the caller.
        images: N x C x spatial as the network takes them.
        layers: names, as for `activations`.
        see: is given each layer's name, its input and its output.

    Raises:
        LayerError: as `activations`.
        ShapeError: as `activations`.
    """
    check_images(images)
    wanted: dict[str, list[str]] = {}
    modules: dict[str, nn.Module] = {}
    for name in layers:
        path, call = split_call(name)
        modules[path] = find_layer(network, name)
        wanted.setdefault(call, []).append(name)

    def tell(call: str, given: Any, output: Any) -> None:
        names = wanted.pop(call, [])
        tensor = _floating(output)
        for name in names:
            if tensor is None:
                raise LayerError(f"layer '{name}' gives no floating-point tensor; layers that do can be seen")
            see(name, first_tensor(given), tensor)
        if not wanted:
            raise _Enough

    if wanted:
        _run(network, images, modules, tell)
    if wanted:
        name = next(iter(wanted.values()))[0]
        raise LayerError(f"the network does not call its layer '{name}' for these images")


@contextmanager
def called(modules: Mapping[str, nn.Module], tell: Tell) -> Iterator[None]:
    """Tell of every call of modules inside the block, with all that they are given and give.

    Args:
        modules: path -> module.
        tell: takes the call's name, the arguments and the output.

    Yields:
        Nothing; at the end of the block every hook is gone, also after a crash.
    """
    calls: Counter[str] = Counter()

    def leave(path: str, module: nn.Module, args: Any, named: Any, output: Any) -> None:
        del module
        calls[path] += 1
        tell(_numbered(path, calls[path]), [args, named], output)

    handles: list[RemovableHandle] = []
    try:
        for path, module in modules.items():
            handles.append(module.register_forward_hook(partial(leave, path), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of images as a network takes them.

    Args:
        images: to be checked.

    Raises:
        LayerError: where they are no tensor, not of a floating type, or hold inf or NaN.
        ShapeError: where they are none, or have no channels and spatial axes.

    >>> check_images(torch.zeros(1, 3, 8, 8))
    """
    if not isinstance(images, Tensor):
        raise LayerError(f"images are of the type {type(images).__name__}, where a tensor is wanted")
    if not images.is_floating_point():
        raise LayerError(
            f"images are {str(images.dtype).removeprefix('torch.')}, where floating point as the network "
            "takes it is wanted; images.float() / 255 makes uint8 numbers in [0, 1]"
        )
    if images.ndim < 3 or images.numel() == 0:
        raise ShapeError(
            f"images have the shape {tuple(images.shape)}, where N x C x spatial is wanted, each from 1"
        )
    broken = images.numel() - int(torch.isfinite(images).sum())
    if broken:
        raise LayerError(f"{broken} of {images.numel()} values of the images are inf or NaN; leave these out")


def split_call(name: str) -> tuple[str, str]:
    """Take the name of a call apart.

    Args:
        name: of a layer, perhaps with the number of a call, from 1.

    Returns:
        The path of the module, and the name of the call as passes tell it.

    >>> split_call("relu (2)"), split_call("relu (1)")
    (('relu', 'relu (2)'), ('relu', 'relu'))
    """
    found = _CALL.fullmatch(name)
    return (found[1], _numbered(found[1], int(found[2]))) if found else (name, name)


def _has_places(output: tuple[int, ...] | None, images: Tensor) -> bool:
    return output is not None and len(output) == images.ndim and math.prod(output[2:]) > 1


def _floating(output: Any) -> Tensor | None:
    tensor = first_tensor(output)
    return tensor if tensor is not None and tensor.is_floating_point() else None


def _numbered(path: str, number: int) -> str:
    return path if number == 1 else f"{path} ({number})"


def _run(network: nn.Module, images: Tensor, modules: Mapping[str, nn.Module], tell: Tell) -> None:
    """Run images through a network, in its own precision and where it is."""
    weight = next((each for each in network.parameters() if each.is_floating_point()), None)
    if weight is not None:
        images = images.to(device=weight.device, dtype=weight.dtype)
    try:
        with torch.no_grad(), called(modules, tell):
            network(images)
    except _Enough:
        return
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        # The trace names the layer and has the arithmetic; the hooks, which would run with it, are gone.
        try:
            trace(network, tuple(images.shape[1:]))
        except ShapeError as found:
            raise ShapeError(f"the network cannot take images of {by(images.shape)}: {found}") from error
        except StriateError:
            pass
        raise LayerError(f"the network cannot take images of {by(images.shape)}: {reason}") from error
