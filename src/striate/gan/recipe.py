"""The recipe of a generator's training: everything it needs to know beyond its data, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from striate.core.device import PRECISIONS
from striate.core.recipe import FITS
from striate.core.recipe_form import Range, RecipeForm, check_fields

FAMILIES = ("dense", "dcgan", "residual", "r3gan")
LOSS_NAMES = ("non-saturating", "least-squares", "wasserstein", "hinge", "relativistic")
ON_COLLAPSE = ("stop", "continue", "restart")


@dataclass(frozen=True, kw_only=True)
class GanRecipe(RecipeForm):
    """Everything a generator's training needs beyond its data; round-trips through TOML.

    A field that is ``None`` is decided when training starts, by the family's recipe in
    `striate.gan.recipes` and from the data; the recipe that a run keeps has the decisions written in.

    Args:
        family: of networks: ``dense``, ``dcgan``, ``residual`` or ``r3gan``; ``None``: that of the default
            recipe.
        width: channels of the networks' middle layers, at least 1.
        latent_size: numbers from which an image is made, at least 1.
        size: side in pixels of the images that are learnt and made; ``None``: that of images that are all
            alike, else 64, or the nearest side that the family can make.
        fit: how a picture of another shape becomes a square: ``pad`` keeps all of it, ``crop`` fills the
            square, ``stretch`` keeps all of it and distorts; ``None``: crop for photos, else pad.
        validation: share of the training part that is never learnt from, to tell memorising from learning,
            in (0, 0.5]; ``None``: 0.15, but at most 5,000 images. Unused where the data has such a part.
        classes: tell both networks the class of each image, so that images of a chosen class can be made.
        epochs: how long to train, in passes of the discriminator over the training part, over 0.
        minutes: training time, over 0; at most one of ``epochs`` and ``minutes``; by default 10.
        batch: real images a step, and as many generated ones, at least 2.
        loss: ``non-saturating``, ``least-squares``, ``wasserstein``, ``hinge`` or ``relativistic``.
        discriminator_steps: steps of the discriminator for each of the generator, at least 1.
        gradient_penalty: weight of the squared distance of the slope from 1 between real and generated
            images, at least 0; Wasserstein wants about 10.
        r1: weight of half the squared slope at real images, at least 0.
        r2: the same at generated images.
        penalty_every: steps from one penalty to the next, which then counts as much more, at least 1.
        generator_rate: learning rate, over 0.
        discriminator_rate: the same of the discriminator.
        beta1: how much of its running mean gradient Adam keeps a step, in [0, 1).
        beta2: the same of the mean squared gradient.
        decay: share of the budget, at its end, in which the rates fall to 0, in [0, 1].
        ema: images after which half of the running average of the generator's weights is of newer ones, at
            least 0; images are made by that average; 0: by the last weights.
        augment: how real and generated images are changed before they are judged, against memorising small
            sets: ``colour``, ``translation`` and ``cutout`` with commas in between, or ``none``; ``None``:
            all that apply for under 5,000 images, else none.
        flip: learn mirrored images too.
        sheets: how many pictures of the same latents are kept to see it learn, at least 1.
        on_collapse: what to do where all images become alike: ``stop``, ``continue`` or ``restart`` (new
            weights by another seed, within the same budget).
        precision: ``bfloat16`` or ``float32``; ``None``: bfloat16 where the hardware computes it. Penalties
            are computed in float32 always.
        seed: the one seed of everything random.

    Raises:
        RecipeError: where a value is out of range or unknown, naming the nearest.

    >>> GanRecipe(minutes=2).changed(family="dcgan").family
    'dcgan'
    >>> GanRecipe(loss="hing")
    Traceback (most recent call last):
    striate.core.errors.RecipeError: there is no loss 'hing'; did you mean 'hinge'? (there are: \
non-saturating, least-squares, wasserstein, hinge, relativistic)
    """

    family: str | None = None
    width: int | None = None
    latent_size: int | None = None
    size: int | None = None
    fit: str | None = None
    validation: float | None = None
    classes: bool = False
    epochs: float | None = None
    minutes: float | None = None
    batch: int | None = None
    loss: str | None = None
    discriminator_steps: int | None = None
    gradient_penalty: float | None = None
    r1: float | None = None
    r2: float | None = None
    penalty_every: int | None = None
    generator_rate: float | None = None
    discriminator_rate: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    decay: float | None = None
    ema: float | None = None
    augment: str | None = None
    flip: bool = False
    sheets: int = 10
    on_collapse: str = "continue"
    precision: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, choices=_CHOICES, ranges=_RANGES)


_CHOICES = {
    "family": FAMILIES,
    "fit": FITS,
    "loss": LOSS_NAMES,
    "on_collapse": ON_COLLAPSE,
    "precision": PRECISIONS,
}

_RANGES: tuple[Range, ...] = (
    ("width", 1, 4096, False, False),
    ("latent_size", 1, 4096, False, False),
    ("size", 1, 4096, False, False),
    ("validation", 0, 0.5, True, False),
    ("epochs", 0, 1e6, True, False),
    ("minutes", 0, 1e6, True, False),
    ("batch", 2, 1e6, False, False),
    ("discriminator_steps", 1, 1000, False, False),
    ("gradient_penalty", 0, 1e6, False, False),
    ("r1", 0, 1e6, False, False),
    ("r2", 0, 1e6, False, False),
    ("penalty_every", 1, 1e6, False, False),
    ("generator_rate", 0, 1e3, True, False),
    ("discriminator_rate", 0, 1e3, True, False),
    ("beta1", 0, 1, False, True),
    ("beta2", 0, 1, False, True),
    ("decay", 0, 1, False, False),
    ("ema", 0, 1e9, False, False),
    ("sheets", 1, 10_000, False, False),
    ("seed", 0, 2**63 - 1, False, False),
)
