"""Measure what gradients do on their way through a network: where they shrink, grow or end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed_in_training
from striate.engine.randomness import borrowed_generators, seed_generators
from striate.explain.flow import GradientFlow, LayerFlow
from striate.explain.recording import Record, norm, recorded, weights_of
from striate.explain.verdicts import judge
from striate.metrics.inputs import checked_labels

Loss: TypeAlias = Callable[[Any, Tensor], Any]


def gradient_flow(
    network: nn.Module, images: Tensor, labels: Tensor, *, loss: Loss = F.cross_entropy
) -> GradientFlow:
    """Measure the gradients at every layer of a network by one pass forwards and one backwards.

    Listed are the modules that have weights, and the activations, whether modules or functions called by
    name. Going backwards over a layer ``a = f(W b)`` the gradient is multiplied by ``W'`` and by ``f'``; in
    a chain of sigmoids the product of these factors is at most ``(|W| / 4)^layers``, and with a skip
    connection ``a = b + f(W b)`` each is ``1 + f' W``. What is measured is the norm of the gradient at each
    layer's output, from one to the next the local factor, and at the weights their gradient.

    The verdict rests on ``reach``, the norm at the first layer with weights over that at the last:
    ``vanishing`` under 1/1000, ``exploding`` over 1000, ``healthy`` between, for one learning rate has to
    serve both ends, and the rates that serve a network at all span about three powers of ten; ``not finite``
    where a number is inf or NaN. `striate.explain.verdicts.judge` says more.

    The network computes in training mode, as when it learns: norms use the images' own figures, and dropout
    drops, the same units each time. Everything is as before afterwards, also after an error: weights,
    ``.grad``, modes, running figures of norms, random generators and hooks.

    Args:
        network: any module that takes the images and gives what the loss takes.
        images: as the network takes them, floating point, N first; some tens or hundreds are enough.
        labels: int64 (N).
        loss: takes the network's output and the labels, gives one number; the default takes logits
            (N, classes).

    Returns:
        A figure of each layer, the verdict, and what to do about it.

    Raises:
        LayerError: where the network has no weights or cannot take the images, where images or labels are of
            a wrong type, or where no gradient reaches a layer with weights.
        ShapeError: where the numbers of images and labels differ, there are none, the output is not what
            the loss takes, or a label names no class.

    >>> network = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Linear(8, 8), nn.Sigmoid())))
    >>> flow = gradient_flow(network, torch.rand(16, 8), torch.zeros(16, dtype=torch.long))
    >>> flow.verdict, flow.reach < 1e-9, len(flow.layers)
    ('vanishing', True, 40)
    """
    # What torch.compile gives only wraps the network; the hooks must be on the modules that run.
    network = getattr(network, "_orig_mod", network)
    _check_network(network)
    _check_inputs(images, labels)
    device = str(images.device)
    with borrowed_in_training(network), borrowed_generators(device), torch.inference_mode(False):
        seed_generators(derive(0, "gradient flow"), device)
        with torch.enable_grad():
            records, value, weights = _measured(network, images, labels, loss)
    layers = tuple(_layer(record, weights) for record in records)
    if not any(layer.weights and layer.output_gradient is not None for layer in layers):
        raise LayerError("no gradient reaches a layer with weights: the network detaches what it computes")
    judgement = judge(layers, value)
    return GradientFlow(
        layers=layers,
        images=len(images),
        loss=value,
        verdict=judgement.verdict,
        reach=judgement.reach,
        finding=judgement.finding,
        advice=judgement.advice,
    )


def _check_network(network: nn.Module) -> None:
    if any(nn.parameter.is_lazy(parameter) for parameter in network.parameters()):
        raise LayerError("the network has lazy layers, whose sizes are not known yet; run it on images once")
    if not any(weights_of(module) for module in network.modules()):
        raise LayerError(f"the network ({type(network).__name__}) has no weights, so no gradients to measure")


def _check_inputs(images: Tensor, labels: Tensor) -> None:
    named: tuple[tuple[str, object], ...] = (("images", images), ("labels", labels))
    for name, given in named:
        if not isinstance(given, Tensor):
            raise LayerError(f"{name} are of the type {type(given).__name__}, where a tensor is wanted")
    if not images.is_floating_point():
        raise LayerError(
            f"images are {_type(images)}, where floating point as the network takes it is wanted; "
            "images.float() / 255 makes uint8 numbers in [0, 1]"
        )
    if labels.dtype != torch.int64:
        raise LayerError(f"labels are {_type(labels)}, where int64 is wanted")
    if images.ndim == 0 or images.numel() == 0:
        raise ShapeError(f"images have the shape {tuple(images.shape)}, which holds none; give at least one")
    if labels.ndim != 1 or len(labels) != len(images):
        raise ShapeError(
            f"labels have the shape {tuple(labels.shape)}; to {len(images)} images fits ({len(images)},)"
        )
    broken = int((~torch.isfinite(images)).sum())
    if broken:
        raise LayerError(f"{broken} of {images.numel()} values of the images are inf or NaN; leave these out")


def _measured(
    network: nn.Module, images: Tensor, labels: Tensor, loss: Loss
) -> tuple[list[Record], float, dict[int, Tensor]]:
    """Run both passes; give the records, the loss, and the gradients of weights by their identity."""
    # The images take part in the derivatives, so that they reach through layers that are frozen.
    pixels = images.detach().clone().requires_grad_()
    with recorded(network) as records:
        try:
            # A copy, since a first layer that writes in place may not write on a leaf.
            outputs = network(pixels.clone())
        except (RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise LayerError(f"the network cannot take images of {_spelled(images)}: {reason}") from error
    if loss is F.cross_entropy:
        _check_logits(outputs, labels)
    value = loss(outputs, labels)
    if not isinstance(value, Tensor) or value.numel() != 1:
        given = _spelled(value) if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ShapeError(f"the loss gives {given}, where one number is wanted, such as its mean")
    if not value.requires_grad:
        raise LayerError("the loss does not depend on the images by anything that has a derivative")
    weights = {id(weight): weight for record in records for weight in record.weights if weight.requires_grad}
    wanted = [pixels, *weights.values()]
    found = torch.autograd.grad(value.reshape(()), wanted, allow_unused=True)
    gradients = zip(weights, found[1:], strict=True)
    return records, value.item(), {key: each for key, each in gradients if each is not None}


def _check_logits(outputs: Any, labels: Tensor) -> None:
    count = len(labels)
    if not isinstance(outputs, Tensor):
        raise ShapeError(
            f"the network gives a {type(outputs).__name__}, where cross entropy takes logits of "
            f"{count} x classes; give a loss= that takes it"
        )
    if outputs.ndim != 2 or len(outputs) != count or not outputs.is_floating_point():
        raise ShapeError(
            f"the network gives {_type(outputs)} of {_spelled(outputs)} for {count} images, where cross "
            f"entropy takes logits of {count} x classes; give a loss= that takes it"
        )
    checked_labels(labels, outputs.shape[1], "the network gives")


def _layer(record: Record, gradients: dict[int, Tensor]) -> LayerFlow:
    trained = [weight for weight in record.weights if id(weight) in gradients]
    size = _joined([norm(weight) for weight in trained])
    moved = _joined([norm(gradients[id(weight)]) for weight in trained])
    count = sum(weight.numel() for weight in trained)
    before, here = record.before, record.gradient
    there = before.gradient if before is not None else None
    return LayerFlow(
        name=record.name,
        kind=record.kind,
        output=record.shape,
        weights=sum(weight.numel() for weight in record.weights),
        weight_gradient=moved if trained else None,
        weight_gradient_rms=moved / math.sqrt(count) if trained else None,
        relative=moved / size if trained and size else None,
        output_gradient=here,
        output_gradient_rms=None if here is None else here / math.sqrt(record.elements),
        before=None if before is None else before.name,
        factor=there / here if there is not None and here else None,
        units=record.units,
        dead=record.dead,
        saturated=record.saturated,
        finite=record.finite,
    )


def _joined(norms: Sequence[float]) -> float:
    return math.hypot(*norms)


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _spelled(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
