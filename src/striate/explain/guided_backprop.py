"""Guided backpropagation: the gradient of a score, with what speaks against it cut off at each rectifier."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.engine.borrowing import borrowed_for_gradients
from striate.explain.attribution import Attribution
from striate.explain.differentiating import input_gradients
from striate.explain.layers import check_images, unwrapped
from striate.explain.replacing import Call, Intercepted, name_of, operations_behind, replaced
from striate.explain.scores import scores_of
from striate.explain.scoring import Targets

_UNSEEN = frozenset({"DifferentiableGraph", "Relu"})

FLAW = (
    "it hardly depends on what the network has learned: it comes close to restoring the edges of the image, "
    "also with random weights and for any class"
)
"""What is known against the method (Adebayo 2018, Nie 2018)."""


def guided_backprop(
    network: nn.Module, images: Tensor, targets: Targets = None, *, on_event: OnEvent = ignore
) -> Attribution:
    """Compute the gradient of a score with only what is over 0 let back through each rectifier.

    Backwards over ``a = relu(z)`` goes ``relu(df/da) [z > 0]`` instead of ``df/da [z > 0]``. Rectifiers are
    ReLUs, as modules, functions, methods or in place; other activations keep their gradient.

    Its flaw is known, and the map must not be taken as evidence of what a network uses: it hardly depends on
    the weights and on the class, and comes close to restoring the edges of the image (Adebayo et al., Sanity
    checks for saliency maps, 2018; Nie, Zhang and Patel, A theoretical explanation for perplexing behaviors
    of backpropagation-based visualizations, 2018).

    Args:
        network: any module that gives N x classes and calls rectifiers; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial; the flaw is its note.

    Raises:
        LayerError: where the network calls no rectifier or one where it cannot be seen, as in a scripted
            part, where it cannot take the images, or where a class does not exist.
        ShapeError: where the network does not give N x classes, or there are not as many targets as images.

    Source: Springenberg, Dosovitskiy, Brox and Riedmiller, Striving for simplicity: the all convolutional net
    (2015).

    >>> import torch
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> network[1].weight.data, network[1].bias.data = torch.ones(2, 1), torch.zeros(2)
    >>> network[3].weight.data = torch.tensor([[5.0, -3.0]])
    >>> guided_backprop(network, torch.ones(1, 1, 1)).map.item()
    5.0
    """
    check_images(images)
    network = unwrapped(network)
    with borrowed_for_gradients(network):
        gradients, chosen = input_gradients(network, images, targets, on_event, forward=_guided_scores)
        return Attribution("guided_backprop", gradients.float(), chosen, note=FLAW, per_channel=True)


def _guided_scores(network: nn.Module, images: Tensor) -> Tensor:
    guided = 0

    def guide(call: Call) -> Any:
        nonlocal guided
        if not call.differentiable:
            return call.run()
        guided += 1
        slopes = call.slopes(call.values)
        return replaced(call, lambda gradient: gradient.clamp(min=0) * slopes)

    with Intercepted({"relu"}, guide):
        scores = scores_of(network, images)
    if not _UNSEEN.isdisjoint(name_of(node) for node in operations_behind(scores)):
        raise LayerError(
            "guided_backprop cannot see a rectifier of the network, as in a part that was scripted; it would "
            "leave that one as it is"
        )
    if not guided:
        raise LayerError(
            "guided_backprop changes the gradient of ReLUs, and the network calls none; saliency does without"
        )
    return scores
