"""Generators and discriminators: what all families of adversarial networks have in common.

Images are in [-1, 1] inside these networks. A conditional generator is given a learned vector of the class
beside the latents (Mirza and Osindero, Conditional Generative Adversarial Nets, 2014); a conditional
discriminator projects its features on one (Miyato and Koyama, cGANs with Projection Discriminator, 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.models.adversarial_maps import width_words
from striate.models.fitting import Expected, expect_counts
from striate.models.layers import draw_normal


class Generator(nn.Module):
    """A dense layer of the latents, and a body that makes images of what it gives.

    ``G(z, y) = tanh(body(first([z, e_y])))`` with the vector ``e_y`` of the class; without classes
    ``tanh(body(first(z)))``.

    Args:
        body: maps N x features to N x C x S x S.
        features: outputs of the first layer.
        latent_size: numbers in a latent.
        size: height and width S of the images in pixels.
        channels: channels C of the images.
        classes: how many there are to choose from; ``None``: images are of no class in particular.

    Raises:
        LayerError: where a number is no whole one from 1 on.
    """

    def __init__(
        self,
        body: nn.Module,
        *,
        features: int,
        latent_size: int,
        size: int,
        channels: int,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        expect_counts(features=features, latent_size=latent_size, size=size, channels=channels)
        self.latent_size = latent_size
        self.size = size
        self.channels = channels
        self.classes = classes
        self.embedding = _embedding(classes, latent_size, deviation=1.0)
        self.first = nn.Linear(latent_size if classes is None else 2 * latent_size, features)
        self.body = body

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Give images in [-1, 1], N x C x S x S, of latents, N x latent_size, and classes, (N,)."""
        if latents.ndim != 2 or latents.shape[1] != self.latent_size:
            got = "x".join(map(str, latents.shape))
            raise ShapeError(f"the generator takes latents of N x {self.latent_size} numbers, and got {got}")
        if not latents.is_floating_point():
            raise LayerError(f"the generator takes floating-point latents, and got {latents.dtype}")
        check_labels(labels, classes=self.classes, count=len(latents), network="generator")
        given = latents
        if self.embedding is not None and labels is not None:
            given = torch.cat([latents, self.embedding(labels).to(latents.dtype)], dim=1)
        images: Tensor = self.body(self.first(given))
        # In the latents' own precision: half of it would round bright pixels to 1/128.
        return torch.tanh(images.to(latents.dtype))


class Discriminator(nn.Module):
    """A trunk of layers, and a score of what it sees: high for real images.

    ``D(x, y) = <w + v_y, trunk(x)> + b`` with the vector ``v_y`` of the class; without classes
    ``<w, trunk(x)> + b``.

    Args:
        trunk: maps images to N x features; it is what a classifier can start from.
        features: outputs of the trunk.
        model: the trunk's name in `striate.models.CATALOGUE`.
        width: which it was built with.
        size: height and width S of the images in pixels.
        channels: channels C of the images.
        classes: how many there are to tell apart; ``None``: none.

    Raises:
        LayerError: where a number is no whole one from 1 on.
    """

    def __init__(
        self,
        trunk: nn.Sequential,
        *,
        features: int,
        model: str,
        width: int,
        size: int,
        channels: int,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        expect_counts(features=features, width=width, size=size, channels=channels)
        self.expected = Expected(layer="the discriminator", channels=channels, dims=2, size=(size, size))
        self.model = model
        self.layers = width_words(width)
        self.size = size
        self.channels = channels
        self.classes = classes
        self.trunk = trunk
        self.score = nn.Linear(features, 1)
        self.embedding = _embedding(classes, features, deviation=features**-0.5)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Give scores, (N,), of images in [-1, 1], N x C x S x S, and their classes, (N,)."""
        self.expected.check(images)
        check_labels(labels, classes=self.classes, count=len(images), network="discriminator")
        direction: Tensor = self.score.weight
        if self.embedding is not None and labels is not None:
            direction = direction + self.embedding(labels)
        # Not by the layer itself, which would round scores to 8 bits where it computes in bfloat16.
        scores: Tensor = (self.trunk(images) * direction).sum(dim=1) + self.score.bias
        return scores


class TrunkClassifier(nn.Module):
    """The trunk of a discriminator with a linear head.

    Args:
        trunk: maps images to N x features.
        features: outputs of the trunk.
        classes: number of outputs.
        channels: channels of the images.
        size: their height and width in pixels.

    Raises:
        LayerError: where a number is no whole one from 1 on.
    """

    def __init__(
        self, trunk: nn.Sequential, *, features: int, classes: int, channels: int, size: tuple[int, ...]
    ) -> None:
        super().__init__()
        expect_counts(classes=classes, channels=channels)
        self.expected = Expected(layer="trunk", channels=channels, dims=2, size=size)
        self.trunk = trunk
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits, N x classes, of normalised images, N x C x H x W."""
        self.expected.check(images)
        logits: Tensor = self.head(self.trunk(images))
        return logits


def check_labels(labels: Tensor | None, *, classes: int | None, count: int, network: str) -> None:
    """Refuse labels that do not fit a network and what it is given with them.

    Args:
        labels: class of each image; ``None``: they are not told.
        classes: that the network knows; ``None``: none.
        count: how many images or latents there are.
        network: what it is called in errors.

    Raises:
        LayerError: where the network knows no classes and is told some, or the reverse, or labels are no
            whole numbers of classes that there are.
        ShapeError: where there is not one label for each.
    """
    if classes is None:
        if labels is not None:
            raise LayerError(f"the {network} was built without classes, and got labels; leave them out")
        return
    if labels is None:
        raise LayerError(f"the {network} was built for {classes} classes, and got no labels")
    if labels.dtype != torch.int64:
        raise LayerError(f"the {network} takes labels of int64, and got {labels.dtype}")
    if tuple(labels.shape) != (count,):
        got = "x".join(map(str, labels.shape)) or "one number"
        raise ShapeError(f"the {network} takes one label for each of {count}, and got {got}")
    # Elsewhere to look at them would wait for all that the device still has to do.
    if labels.device.type == "cpu" and count and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        wrong = int(labels.max()) if int(labels.min()) >= 0 else int(labels.min())
        raise LayerError(f"the {network} knows classes 0 to {classes - 1}, and got {wrong}")


def _embedding(classes: int | None, width: int, *, deviation: float) -> nn.Embedding | None:
    if classes is None:
        return None
    expect_counts(classes=classes)
    embedding = nn.Embedding(classes, width)
    draw_normal(embedding.weight, deviation=deviation)
    return embedding
