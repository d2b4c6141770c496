"""Whole recipes for generators by family of networks, and what a recipe leaves open decided from the data."""

from __future__ import annotations

from collections.abc import Callable

from striate.core.errors import DataError, RecipeError
from striate.gan.recipe import GanRecipe

FEW_IMAGES = 5_000
"""Under so many images a discriminator can learn them by heart, so that they are changed at random."""


def dense() -> GanRecipe:
    """Give the recipe of dense networks, the first that were published.

    Returns:
        The recipe.

    Source: Goodfellow et al., Generative Adversarial Nets (2014); Adam, leaky ReLUs and the rates after
    Radford et al., Unsupervised Representation Learning with DCGANs (2016).

    >>> dense().loss
    'non-saturating'
    """
    return GanRecipe(
        family="dense",
        width=256,
        latent_size=64,
        batch=128,
        loss="non-saturating",
        discriminator_steps=1,
        gradient_penalty=0,
        r1=0,
        r2=0,
        penalty_every=1,
        generator_rate=2e-4,
        discriminator_rate=2e-4,
        beta1=0.5,
        beta2=0.999,
        decay=0.2,
        ema=20_000,
    )


def dcgan() -> GanRecipe:
    """Give the recipe of DCGAN: convolutions with batch norm, cross-entropy, and slow momentum.

    Returns:
        The recipe.

    Source: Radford et al., Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks (2016), section 4; the running average of the weights is ours.

    >>> dcgan().beta1
    0.5
    """
    return dense().changed(family="dcgan", width=64, latent_size=100)


def residual() -> GanRecipe:
    """Give the recipe of residual networks with spectral normalisation and the hinge loss.

    Returns:
        The recipe.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), section 4 and
    appendix B: Adam with 2e-4, 0 and 0.9, batches of 64, five steps of the discriminator for one of the
    generator, rates that fall linearly to 0.

    >>> residual().discriminator_steps
    5
    """
    return dense().changed(
        family="residual",
        width=32,
        latent_size=128,
        batch=64,
        loss="hinge",
        discriminator_steps=5,
        beta1=0,
        beta2=0.9,
        decay=1,
    )


def r3gan() -> GanRecipe:
    """Give the recipe of R3GAN: the relativistic loss with R1 and R2, and nothing else.

    Returns:
        The recipe.

    Source: Huang et al., The GAN is dead; long live the GAN! A Modern Baseline GAN (2024), section 4 and
    appendix D; their schedules of the weights and rates over the training are left out.

    >>> r3gan().loss
    'relativistic'
    """
    return dense().changed(
        family="r3gan",
        width=32,
        loss="relativistic",
        r1=1,
        r2=1,
        penalty_every=1,
        beta1=0,
        beta2=0.99,
        ema=50_000,
    )


def brisk() -> GanRecipe:
    """Give the recipe that learns most within minutes on a few cores; the default.

    It is DCGAN's with half its channels, smaller batches and higher rates: a step of the residual networks
    takes two to four times as long. On Fashion-MNIST, after 54 seconds of one core, the Frechet distance in
    the features of ``striate-fashion-watch-v1`` was 17.9 (4,000 samples, 78,912 images seen, one seed, rates
    not yet falling), and 22.3 after 114 seconds by r3gan's networks of width 32 with a penalty every eighth
    step.

    Returns:
        The recipe.

    >>> brisk().family
    'dcgan'
    """
    return dcgan().changed(
        width=32, latent_size=64, batch=64, generator_rate=4e-4, discriminator_rate=4e-4, decay=0.3
    )


RECIPES: dict[str, Callable[[], GanRecipe]] = {
    "brisk": brisk,
    "dense": dense,
    "dcgan": dcgan,
    "residual": residual,
    "r3gan": r3gan,
}
"""The recipes that can be named."""


def decide(
    wanted: GanRecipe, *, size: int, channels: int, images: int, classes: int, precision: str
) -> GanRecipe:
    """Decide every field that a recipe leaves open.

    Args:
        wanted: what the user asked for.
        size: side of the images, pixels.
        channels: 1 or 3.
        images: how many there are to learn from.
        classes: how many they have.
        precision: what the device policy chose.

    Returns:
        A recipe in which only the unused budget, the share held out by default and the fit may be ``None``.

    Raises:
        RecipeError: where classes are asked for and there is one only.
        DataError: where there are fewer images than a batch.

    >>> decide(GanRecipe(), size=28, channels=1, images=60000, classes=10, precision="float32").augment
    'none'
    """
    base = RECIPES[wanted.family]() if wanted.family else brisk()
    if wanted.classes and classes < 2:
        raise RecipeError("classes are to be told to the networks, and the images have one class only")
    if wanted.augment is not None:
        augment = wanted.augment
    elif images >= FEW_IMAGES:
        augment = "none"
    else:
        augment = "colour,translation,cutout" if channels == 3 else "translation,cutout"
    decided = GanRecipe.from_dict(
        base.to_dict() | {"size": size, "augment": augment, "precision": precision} | wanted.to_dict()
    )
    if decided.epochs is None and decided.minutes is None:
        decided = decided.changed(minutes=10)
    if decided.batch is not None and images < decided.batch:
        raise DataError(
            f"there are {images:,} images to learn from, fewer than a batch of {decided.batch:,}; a batch of "
            f"at most {images:,} fits, or more images"
        )
    return decided
