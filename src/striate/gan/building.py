"""Build what a generator's training trains: two networks with their optimisers, as a recipe says."""

from __future__ import annotations

import numpy as np
import torch

from striate.core.device import Policy
from striate.core.seeds import derive
from striate.data import NAMES, Dataset
from striate.engine.randomness import seed_generators
from striate.engine.uncompiled import uncompiled
from striate.gan.contest import Contest
from striate.gan.generator_file import TrainedGenerator
from striate.gan.recipe import GanRecipe
from striate.models.adversarial import Discriminator, Generator
from striate.models.gan_catalogue import build_discriminator, build_generator


def new_contest(dataset: Dataset, recipe: GanRecipe, policy: Policy) -> Contest:
    """Build untrained networks and set them against each other.

    Args:
        dataset: says the channels and classes.
        recipe: with everything decided.
        policy: where and how they compute.

    Returns:
        The contest.

    Raises:
        RecipeError: where the family cannot make images of the size.
    """
    generator, discriminator = new_networks(dataset, recipe, policy)
    optimizers = (
        _adam(generator, recipe.generator_rate, recipe),
        _adam(discriminator, recipe.discriminator_rate, recipe),
    )
    return Contest(generator, discriminator, optimizers, recipe, policy)


def new_networks(
    dataset: Dataset, recipe: GanRecipe, policy: Policy, *, restarts: int = 0
) -> tuple[Generator, Discriminator]:
    """Build the untrained networks that a recipe asks for.

    Args:
        dataset: says the channels and classes.
        recipe: names family, sizes and the seed of the weights.
        policy: where and how they compute.
        restarts: how often weights were drawn before.

    Returns:
        The generator and the discriminator, on their device, in their memory format.

    Raises:
        RecipeError: where the family cannot make images of the size.
    """
    family, size = recipe.family or "", recipe.size or 0
    settings = {
        "channels": dataset.channels,
        "classes": len(dataset.classes) if recipe.classes else None,
        "width": recipe.width,
    }
    seed_generators(derive(recipe.seed, "weights", restarts), policy.device)
    generator = build_generator(family, size=size, latent_size=recipe.latent_size, **settings)
    discriminator = build_discriminator(family, size=size, **settings)
    for network in (generator, discriminator):
        network.to(policy.device)
        if policy.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return generator, discriminator


def trained(
    network: Generator, dataset: Dataset, recipe: GanRecipe, policy: Policy, *, images_seen: int
) -> TrainedGenerator:
    """Give a generator with what is known of its making.

    Args:
        network: the generator, or the average of its weights.
        dataset: what it learns from.
        recipe: with everything decided.
        policy: where and how it computes.
        images_seen: real images that its discriminator has been shown.

    Returns:
        The generator, with this very network.
    """
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    return TrainedGenerator(
        network,
        family=recipe.family or "",
        width=recipe.width or 1,
        class_names=dataset.classes if recipe.classes else (),
        class_shares=tuple((counts / counts.sum()).tolist()) if recipe.classes else (),
        policy=policy,
        details={
            "recipe": recipe.to_dict(),
            # Paths are the user's own matter: a generator is given to others.
            "source": dataset.source if dataset.source in NAMES else None,
            "fingerprint": dataset.fingerprint,
            "images_seen": images_seen,
        },
    )


def _adam(network: torch.nn.Module, rate: float | None, recipe: GanRecipe) -> torch.optim.Optimizer:
    betas = recipe.beta1 or 0.0, recipe.beta2 or 0.0
    optimizer = uncompiled(torch.optim.Adam)(network.parameters(), lr=rate or 0.0, betas=betas, fused=True)
    for group in optimizer.param_groups:
        group["peak"] = group["lr"]
    return optimizer
