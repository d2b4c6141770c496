"""What a recipe leaves open is decided here, from the data and the machine."""

from __future__ import annotations

import math

from striate.attack.balls import L2, Linf, parse_ball
from striate.core.errors import RecipeError, unknown_name
from striate.core.recipe import Recipe
from striate.models import CATALOGUE

LARGEST_COMPACT = 128
"""The longest side in pixels for which the compact networks are the default."""

PEAK_RATES = {"muon": 0.05, "sgd": 0.05, "adamw": 0.003}
"""Default peak rates of each optimiser: of the filters under Muon, of everything otherwise."""

OTHER_RATE = 0.05
"""Default peak rate of what Muon leaves to SGD."""

OTHER_RATE_WITHOUT_NORM = 0.005
"""The same for deep networks without norms, whose dense layers want less."""

DEEP_WITHOUT_NORM = frozenset({"alexnet-2012", "vgg11", "vgg13", "vgg16", "vgg19"})
"""These: on digits the first two diverged at the rate above; the others are deeper forms of the second."""

WEIGHT_DECAY = 5e-4

BRIEF = 3
"""Under how many epochs a training is brief: the lightest network, and images that stay where they are."""

PRUNED = 0.5
"""Default share of the images learnt already that a pass leaves out."""

FEWEST_PRUNED = 10_000
"""From how many images on that is the default; fewer make a pass so short that it pays nothing."""


def resolve(
    recipe: Recipe, *, images: int, size: tuple[int, int], flip: bool, precision: str, device: str = "cpu"
) -> Recipe:
    """Decide every field that a recipe leaves open.

    Args:
        recipe: what the user asked for.
        images: how many there are to train on.
        size: their height and width, pixels.
        flip: whether an image means the same when mirrored.
        precision: what the device policy chose.
        device: the same.

    Returns:
        A recipe in which only the unused budget, the target, the share held out by default, and a size
        that is not square are ``None``.

    Raises:
        RecipeError: for a model that is not in the catalogue, naming the nearest, a shift as large as the
            images, or a ball that cannot be trained in.
        AttackError: where ``robust`` is no ball.

    >>> resolve(Recipe(), images=60000, size=(28, 28), flip=True, precision="float32").epochs
    10
    """
    decided: dict[str, object] = {}
    if recipe.model is not None and recipe.model not in CATALOGUE:
        raise RecipeError(unknown_name("model", recipe.model, CATALOGUE))
    if recipe.model is None:
        decided["model"] = _model(recipe, size)
    if recipe.size is None and size[0] == size[1]:
        decided["size"] = size[0]
    epochs = recipe.epochs
    if recipe.epochs is None and recipe.minutes is None:
        epochs = decided["epochs"] = _epochs(images)
    if recipe.batch is None:
        decided["batch"] = _batch(images)
    if recipe.prune is None:
        pays = device == "cpu" and images >= FEWEST_PRUNED and recipe.robust is None
        decided["prune"] = PRUNED if pays else 0.0
    if recipe.learning_rate is None:
        decided["learning_rate"] = PEAK_RATES[recipe.optimizer]
    if recipe.other_rate is None:
        deep = recipe.model in DEEP_WITHOUT_NORM
        decided["other_rate"] = OTHER_RATE_WITHOUT_NORM if deep else OTHER_RATE
    if recipe.weight_decay is None:
        decided["weight_decay"] = WEIGHT_DECAY
    if recipe.label_smoothing is None:
        decided["label_smoothing"] = _label_smoothing(epochs)
    if recipe.flip is None:
        decided["flip"] = flip
    if recipe.average_mirrored is None:
        decided["average_mirrored"] = flip if recipe.flip is None else recipe.flip
    if recipe.shift is None:
        decided["shift"] = _shift(recipe, size)
    elif recipe.shift >= min(size):
        raise RecipeError(
            f"a shift of {recipe.shift} pixels leaves nothing of images of {size[0]}x{size[1]}; "
            f"up to {min(size) - 1} works"
        )
    if recipe.precision is None:
        decided["precision"] = precision
    decided |= _robust(recipe)
    return recipe.changed(**decided)


def _model(recipe: Recipe, size: tuple[int, int]) -> str:
    if max(size) > LARGEST_COMPACT:
        return "resnet18"
    # On Fashion-MNIST in 17 seconds the lighter network reaches 92.2 %, the other one 91.8 %; in 30 the
    # other one is ahead.
    brief = recipe.epochs is not None and recipe.epochs < BRIEF
    return "compact-light" if brief else "compact-medium"


def _robust(recipe: Recipe) -> dict[str, object]:
    if recipe.robust is None:
        if recipe.robust_method is not None:
            raise RecipeError(
                f"robust_method is '{recipe.robust_method}', and no ball is given to be robust in; give one, "
                "such as robust='linf:8/255'"
            )
        return {}
    if recipe.prune:
        raise RecipeError(
            f"prune is {recipe.prune:g} and robust is '{recipe.robust}': images are left out by their loss, "
            "which attacks change; leave one of them out"
        )
    ball = parse_ball(recipe.robust)
    if not isinstance(ball, Linf | L2) or not 0 < ball.eps < math.inf:
        raise RecipeError(
            f"robust is '{recipe.robust}', where a ball linf:EPS or l2:EPS of a radius over 0 is wanted, "
            "such as linf:8/255"
        )
    return {"robust_method": recipe.robust_method or "fast"}


def _shift(recipe: Recipe, size: tuple[int, int]) -> int:
    # In so few passes nothing is learnt by heart, and what moves is only harder to learn: on
    # Fashion-MNIST two epochs lose 0.5 points by a shift of 1, and seven lose nothing.
    if recipe.epochs is not None and recipe.epochs < BRIEF:
        return 0
    return min(size) // 28


def _label_smoothing(epochs: float | None) -> float:
    # What is seen often is learnt by heart, unless the labels themselves forbid it: on Fashion-MNIST 10 to
    # 13 epochs gain 0.1 points by 0.2 (which is also what airbench takes), and 2 epochs lose as much.
    return 0.2 if epochs is not None and epochs >= 8 else 0.1


def _epochs(images: int) -> int:
    # Fewer images need more passes: about 600,000 images seen, within reason.
    return min(50, max(10, round(600_000 / images)))


def _batch(images: int) -> int:
    # Small sets need steps more than they need large batches: at least 20 steps an epoch.
    batch = 16
    while batch < 512 and batch * 2 * 20 <= images:
        batch *= 2
    return batch
