"""What a recipe leaves open is decided here, from the data and the machine."""

from __future__ import annotations

from striate.core.errors import RecipeError, unknown_name
from striate.core.recipe import Recipe
from striate.data.augment_language import parse_policy
from striate.data.trivial import Trivial
from striate.models import CATALOGUE, is_known
from striate.models.stacked import DEFAULT_LAYERS

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

FINE_TUNING_RATES = {"muon": 0.0003, "sgd": 0.005, "adamw": 0.0002}
"""The same as `PEAK_RATES` for networks that are pre-trained, whose last block they are for."""

FINE_TUNING_OTHER_RATE = 0.005
"""The same as `OTHER_RATE` for these."""

MOST_FINE_TUNED = 32
"""Images a step, at most, by default: photos are large, and few steps are many."""

WEIGHT_DECAY = 5e-4


def resolve(recipe: Recipe, *, images: int, size: tuple[int, int], flip: bool, precision: str) -> Recipe:
    """Decide every field that a recipe leaves open.

    Args:
        recipe: what the user asked for.
        images: how many there are to train on.
        size: their height and width, pixels.
        flip: whether an image means the same when mirrored.
        precision: what the device policy chose.

    Returns:
        A recipe in which only the unused budget, the target, the share held out by default, a size that is
        not square, and what is no part of this training are ``None``.

    Raises:
        RecipeError: where ``augment`` cannot be read or contradicts ``flip``, for a model that is not
            in the catalogue, naming the nearest, layers for another model than ``stacked``, something
            frozen where nothing is pre-trained, or a shift as large
            as the images.

    >>> resolve(Recipe(), images=60000, size=(28, 28), flip=True, precision="float32").epochs
    10
    """
    decided: dict[str, object] = {}
    if recipe.augment is not None:
        recipe = recipe.changed(flip=_mirrors(recipe, flip), shift=recipe.shift or 0)
    pretrained = recipe.pretrained not in (None, "none")
    if recipe.pretrained == "none":
        decided["pretrained"] = None
    if recipe.freeze is not None and not pretrained:
        raise RecipeError(
            f"freeze is '{recipe.freeze}', and nothing is pre-trained that could be frozen; name it by "
            "pretrained, such as efficientnet-lite0"
        )
    if recipe.model is not None and not is_known(recipe.model):
        raise RecipeError(unknown_name("model", recipe.model, CATALOGUE))
    if recipe.layers is not None and recipe.model not in (None, "stacked"):
        raise RecipeError(
            f"layers are a choice of the model 'stacked', and the model is '{recipe.model}'; leave one of "
            "them out"
        )
    if recipe.layers is not None:
        decided["model"] = "stacked"
    elif recipe.model == "stacked":
        decided["layers"] = DEFAULT_LAYERS
    elif recipe.model is None:
        decided["model"] = "compact-medium" if max(size) <= LARGEST_COMPACT else "resnet18"
    if recipe.fit is None:
        decided["fit"] = "pad"
    if recipe.size is None and size[0] == size[1]:
        decided["size"] = size[0]
    epochs = recipe.epochs
    if recipe.epochs is None and recipe.minutes is None:
        epochs = decided["epochs"] = _fine_tuning_epochs(images) if pretrained else _epochs(images)
    if recipe.batch is None:
        decided["batch"] = min(_batch(images), MOST_FINE_TUNED) if pretrained else _batch(images)
    if recipe.learning_rate is None:
        decided["learning_rate"] = (FINE_TUNING_RATES if pretrained else PEAK_RATES)[recipe.optimizer]
    if recipe.other_rate is None:
        deep = recipe.model in DEEP_WITHOUT_NORM
        rate = OTHER_RATE_WITHOUT_NORM if deep else OTHER_RATE
        decided["other_rate"] = FINE_TUNING_OTHER_RATE if pretrained else rate
    if recipe.weight_decay is None:
        decided["weight_decay"] = WEIGHT_DECAY
    if recipe.label_smoothing is None:
        decided["label_smoothing"] = _label_smoothing(epochs)
    if recipe.flip is None:
        # Without chance in the images, a frozen backbone computes its features once.
        decided["flip"] = flip and recipe.freeze != "backbone"
    if recipe.average_mirrored is None:
        decided["average_mirrored"] = decided.get("flip", recipe.flip)
    if recipe.shift is None:
        decided["shift"] = _shift(recipe, size)
    elif recipe.shift >= min(size):
        raise RecipeError(
            f"a shift of {recipe.shift} pixels leaves nothing of images of {size[0]}x{size[1]}; "
            f"up to {min(size) - 1} works"
        )
    if recipe.precision is None:
        decided["precision"] = precision
    return recipe.changed(**decided)


def _mirrors(recipe: Recipe, usual: bool) -> bool:
    policy = parse_policy(recipe.augment or "none")
    if recipe.flip is None:
        automatic = any(isinstance(change, Trivial) for change in policy.changes)
        return policy.flip or (automatic and usual)
    if policy.flip and not recipe.flip:
        raise RecipeError(
            f"augment '{recipe.augment}' mirrors images, and flip is false; leave one of them out"
        )
    return recipe.flip


def _shift(recipe: Recipe, size: tuple[int, int]) -> int:
    # In so few passes nothing is learnt by heart, and what moves is only harder to learn: on
    # Fashion-MNIST two epochs lose 0.5 points by a shift of 1, and seven lose nothing.
    if recipe.freeze == "backbone" or (recipe.epochs is not None and recipe.epochs < 4):
        return 0
    return min(size) // 28


def _label_smoothing(epochs: float | None) -> float:
    # What is seen often is learnt by heart, unless the labels themselves forbid it: on Fashion-MNIST 10 to
    # 13 epochs gain 0.1 points by 0.2 (which is also what airbench takes), and 2 epochs lose as much.
    return 0.2 if epochs is not None and epochs >= 8 else 0.1


def _epochs(images: int) -> int:
    # Fewer images need more passes: about 600,000 images seen, within reason.
    return min(50, max(10, round(600_000 / images)))


def _fine_tuning_epochs(images: int) -> int:
    # What is trained already needs fewer passes: about 10,000 images seen, within reason.
    return min(40, max(3, round(10_000 / images)))


def _batch(images: int) -> int:
    # Small sets need steps more than they need large batches: at least 20 steps an epoch.
    batch = 16
    while batch < 512 and batch * 2 * 20 <= images:
        batch *= 2
    return batch
