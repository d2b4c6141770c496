"""Generate: train a generator against a discriminator, look at its latents, and measure what it makes.

What is exported here is imported when it is first used, so that the command line loads no torch for help.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.gan.backbone import write_backbone
    from striate.gan.comparing import score_images
    from striate.gan.defence import projected
    from striate.gan.diagnosis import Reference, diagnose
    from striate.gan.directions import Directions, find_directions
    from striate.gan.eyes import eyes_page
    from striate.gan.feature_networks import FeatureNetwork, Features, find_feature_network
    from striate.gan.generator_file import TrainedGenerator, load_generator
    from striate.gan.latent import draw_latents, truncated
    from striate.gan.latent_file import read_latents, write_latents
    from striate.gan.latent_paths import arithmetic, lerp, plane, route, slerp
    from striate.gan.projection import Descent, Projection, project
    from striate.gan.recipe import GanRecipe
    from striate.gan.recipes import RECIPES
    from striate.gan.run import GanRun
    from striate.gan.scores import Score, Scores
    from striate.gan.scoring import generated_images, score
    from striate.gan.start import train_gan
    from striate.gan.watching import Watch

__all__ = [
    "RECIPES",
    "Descent",
    "Directions",
    "FeatureNetwork",
    "Features",
    "GanRecipe",
    "GanRun",
    "Projection",
    "Reference",
    "Score",
    "Scores",
    "TrainedGenerator",
    "Watch",
    "arithmetic",
    "diagnose",
    "draw_latents",
    "eyes_page",
    "find_directions",
    "find_feature_network",
    "generated_images",
    "lerp",
    "load_generator",
    "plane",
    "project",
    "projected",
    "read_latents",
    "route",
    "score",
    "score_images",
    "slerp",
    "train_gan",
    "truncated",
    "write_backbone",
    "write_latents",
]

_HOMES = {
    "RECIPES": "recipes",
    "Descent": "projection",
    "Directions": "directions",
    "FeatureNetwork": "feature_networks",
    "Features": "feature_networks",
    "GanRecipe": "recipe",
    "GanRun": "run",
    "Projection": "projection",
    "Reference": "diagnosis",
    "Score": "scores",
    "Scores": "scores",
    "TrainedGenerator": "generator_file",
    "Watch": "watching",
    "arithmetic": "latent_paths",
    "diagnose": "diagnosis",
    "draw_latents": "latent",
    "eyes_page": "eyes",
    "find_directions": "directions",
    "find_feature_network": "feature_networks",
    "generated_images": "scoring",
    "lerp": "latent_paths",
    "load_generator": "generator_file",
    "plane": "latent_paths",
    "project": "projection",
    "projected": "defence",
    "read_latents": "latent_file",
    "route": "latent_paths",
    "score": "scoring",
    "score_images": "comparing",
    "slerp": "latent_paths",
    "train_gan": "start",
    "truncated": "latent",
    "write_backbone": "backbone",
    "write_latents": "latent_file",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'striate.gan' has no attribute '{name}'")
    return getattr(import_module(f"striate.gan.{home}"), name)
