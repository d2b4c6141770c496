"""Saliency: the gradient of a score by the pixels, as it is, times the pixels, or smoothed by noise."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.quickening import quicker
from striate.explain.attribution import Attribution
from striate.explain.differentiating import input_gradients, plain_scores, summed_gradients
from striate.explain.layers import check_images, unwrapped
from striate.explain.scoring import Targets, chosen_targets, counted


def saliency(
    network: nn.Module, images: Tensor, targets: Targets = None, *, on_event: OnEvent = ignore
) -> Attribution:
    """Compute how fast the score of a class changes with each value of the images: ``|df/dx|``.

    It says where a small change would count, not what the score is made of: for f = w x it is |w|, whatever
    x.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, or nothing has a
            derivative.
        ShapeError: where the network does not give N x classes, or there are not as many targets as images.

    Source: Simonyan, Vedaldi and Zisserman, Deep inside convolutional networks (2014), section 3; there the
    largest value of the channels is drawn, here all are given, and `Attribution.heat` sums them.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    >>> network[1].weight.data = torch.tensor([[3.0, -4.0]])
    >>> saliency(network, torch.zeros(1, 1, 2)).map.tolist()
    [[[3.0, 4.0]]]
    """
    check_images(images)
    network = unwrapped(network)
    with borrowed_for_gradients(network):
        gradients, chosen = input_gradients(network, images, targets, on_event)
        return Attribution("saliency", gradients.abs().float(), chosen, per_channel=True)


def gradient_times_input(
    network: nn.Module, images: Tensor, targets: Targets = None, *, on_event: OnEvent = ignore
) -> Attribution:
    """Multiply each value of the images by the gradient of the score: ``x df/dx``.

    Where a network has no biases and only rectifiers, averages and maxima between its linear layers, the map
    sums to the score. What is 0, such as black in [0, 1], has no share, whatever the network makes of it.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, or nothing has a
            derivative.
        ShapeError: where the network does not give N x classes, or there are not as many targets as images.

    Source: Shrikumar, Greenside, Shcherbina and Kundaje, Not just a black box (2016).

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    >>> network[1].weight.data = torch.tensor([[3.0, -4.0]])
    >>> gradient_times_input(network, torch.tensor([[[2.0, 1.0]]])).map.tolist()
    [[[6.0, -4.0]]]
    """
    check_images(images)
    network = unwrapped(network)
    with borrowed_for_gradients(network):
        gradients, chosen = input_gradients(network, images, targets, on_event)
        products = (gradients * images.detach()).float()
        return Attribution("gradient_times_input", products, chosen, per_channel=True)


def smooth_grad(
    network: nn.Module,
    images: Tensor,
    targets: Targets = None,
    *,
    generator: Generator | None = None,
    samples: int = 50,
    noise: float = 0.15,
    on_event: OnEvent = ignore,
) -> Attribution:
    """Average the gradient of the score over noisy copies of each image: ``|mean of df/dx at x + noise|``.

    The noise is normal. All images get the same, each scaled to its own range, so that an image has the same
    map alone as among others.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them.
        targets: the class of each image, or one for all; ``None``: the one predicted without noise.
        generator: of the noise; by default the same noise each time.
        samples: noisy copies of each image, at least 1.
        noise: its standard deviation as a share of an image's range, largest less smallest value; from 0.
        on_event: is given the progress.

    Returns:
        The map, N x C x spatial.

    Raises:
        LayerError: where the network cannot take the images, a class does not exist, nothing has a
            derivative, or a choice is out of range.
        ShapeError: where the network does not give N x classes, or there are not as many targets as images.

    Source: Smilkov, Thorat, Kim, Viegas and Wattenberg, SmoothGrad: removing noise by adding noise (2017),
    sections 2 and 3: there 10 to 20 % noise and 50 samples; the absolute value, with which they draw, is
    taken after the mean.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    >>> network[1].weight.data = torch.tensor([[3.0, -4.0]])
    >>> smooth_grad(network, torch.tensor([[[0.0, 1.0]]]), samples=3).map.round(decimals=3).tolist()
    [[[3.0, 4.0]]]
    """
    check_images(images)
    if samples < 1 or not 0 <= noise < float("inf"):
        raise LayerError(f"{samples} samples with noise of {noise} cannot be; 1 sample and 0 are the least")
    network = unwrapped(network)
    generator = generator or Generator(images.device).manual_seed(derive(0, "smooth_grad"))
    shape = (samples, *images.shape[1:])
    with borrowed_for_gradients(network), quicker(network, images):
        pixels = images.detach().to(torch.promote_types(images.dtype, torch.float32), copy=True)
        drawn = torch.randn(shape, generator=generator, device=generator.device).to(pixels)
        flat = pixels.flatten(1)
        sizes = noise * (flat.amax(dim=1) - flat.amin(dim=1)).view(-1, *[1] * (images.ndim - 1))
        chosen = chosen_targets(plain_scores(network, pixels), targets)
        total = summed_gradients(
            network,
            len(pixels),
            chosen,
            lambda which, number: pixels[which] + sizes[which] * drawn[number],
            torch.full((samples,), 1 / samples, device=pixels.device),
            counted("adding noise", len(images) * samples, on_event),
        )
        note = f"mean of {samples} samples with noise of {noise:g} of each image's range"
        return Attribution("smooth_grad", total.abs().float(), chosen, note=note, per_channel=True)
