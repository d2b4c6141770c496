"""What a recipe leaves open is decided here, from the data and the machine."""

from __future__ import annotations

import math

from striate.attack.balls import L2, Linf, parse_ball
from striate.core.errors import RecipeError, unknown_name
from striate.core.recipe import Recipe
from striate.data.augment_language import parse_policy
from striate.data.axes import NOUNS
from striate.data.trivial import Trivial
from striate.models import CATALOGUE, is_known, takes_layers
from striate.models.stacked import DEFAULT_LAYERS

LARGEST_COMPACT = 128
"""The longest side in pixels for which the compact networks are the default."""

FEW_SERIES, LONGEST_OF_FEW = 1000, 1024
"""Up to so many series, of up to so many values, `LAYERS_OF_FEW` are the default."""

LAYERS_OF_FEW = "conv128k7,conv256k5,conv128k3,mean"
"""What sees every value of short series, and needs few of them to learn from, but more time for each than the
compact networks: the fully convolutional network of Wang, Yan and Oates, Time series classification from
scratch with deep neural networks: a strong baseline (2017)."""

PEAK_RATES = {"muon": 0.05, "sgd": 0.05, "adamw": 0.003}
"""Default peak rates of each optimiser: of the filters under Muon, of everything otherwise."""

OTHER_RATE = 0.05
"""Default peak rate of what Muon leaves to SGD."""

OTHER_RATE_WITHOUT_NORM = 0.005
"""The same for deep networks without norms, whose dense layers want less."""

DEEP_WITHOUT_NORM = frozenset({"alexnet-2012", "vgg11", "vgg13", "vgg16", "vgg19"})
"""These: on digits the first two diverged at the rate above; the others are deeper forms of the second."""

FINE_TUNING_RATES = {"muon": 0.0003, "sgd": 0.005, "adamw": 0.0002}
"""The same as `PEAK_RATES` for networks that are pre-trained, whose last block they are for; where the head
is fitted first, for one that is wrong for a tenth of the images that it has not seen."""

FINE_TUNING_OTHER_RATE = 0.005
"""The same as `OTHER_RATE` for these."""

ROBUST_STEPS = {"fast": 1, "pgd": 2, "trades": 7, "free": 4}
"""How many steps the attacks of a robust training take, by its method.

Two are three passes in place of the eight of seven steps. One alone is what networks may come to withstand:
in 9.5 minutes on Fashion-MNIST within linf:0.1 that collapsed, where two did not (once each)."""

FEWEST_STEPS, MOST_EPOCHS = 1000, 300
"""So many steps a training from chance has at least, in so many epochs at most, where nothing was said."""

MOST_FINE_TUNED = 32
"""Images a step, at most, by default: photos are large, and few steps are many."""

WEIGHT_DECAY = 5e-4

BRIEF = 3
"""Under how many epochs a training is brief, and has the lightest network."""

FEWEST_SHIFTED = 4
"""From how many epochs on images are shifted."""

LARGEST_AVERAGED = 32
"""The longest side in pixels up to which predictions are averaged over shifted views, by default."""

PRUNED = 0.5
"""Default share of the images learnt already that a pass leaves out."""

FEWEST_PRUNED = 10_000
"""From how many images on that is the default; fewer make a pass so short that it pays nothing."""


def resolve(
    recipe: Recipe,
    *,
    images: int,
    size: tuple[int, ...],
    flip: bool,
    precision: str,
    device: str = "cpu",
    expected_epochs: float | None = None,
) -> Recipe:
    """Decide every field that a recipe leaves open.

    Args:
        recipe: what the user asked for.
        images: how many there are to train on.
        size: their height and width, pixels; of series the length, of volumes and clips all three axes.
        flip: whether an image means the same when mirrored.
        precision: what the device policy chose.
        device: the same.
        expected_epochs: how many a budget in minutes will hold; ``None``: not known.

    Returns:
        A recipe in which only the unused budget, the target, the share held out by default, a size that is
        not square, and what is no part of this training are ``None``.

    Raises:
        RecipeError: where choices contradict each other or do not fit the images, a name is unknown (naming
            the nearest), or the ball is one that cannot be trained in.
        AttackError: where ``robust`` is no ball.

    >>> resolve(Recipe(), images=60000, size=(28, 28), flip=True, precision="float32").epochs
    10
    """
    if recipe.augment is not None:
        recipe = recipe.changed(flip=_mirrors(recipe, flip), shift=recipe.shift or 0)
    pretrained = recipe.pretrained not in (None, "none")
    if recipe.freeze is not None and not pretrained:
        raise RecipeError(
            f"freeze is '{recipe.freeze}', and nothing is pre-trained that could be frozen; name it by "
            "pretrained, such as efficientnet-lite0"
        )
    epochs = recipe.epochs if recipe.minutes is None else expected_epochs
    decided = _network(recipe, images, size, epochs)
    decided |= _steps(recipe, images, epochs, pretrained=pretrained)
    decided |= _rates(recipe, pretrained=pretrained)
    decided |= _changes(recipe, size, epochs, flip=flip)
    decided |= _robust(recipe)
    decided |= _choosing(recipe)
    decided |= _pruning(recipe, images, device)
    if recipe.precision is None:
        decided["precision"] = precision
    return recipe.changed(**decided)


def _network(recipe: Recipe, images: int, size: tuple[int, ...], epochs: float | None) -> dict[str, object]:
    decided: dict[str, object] = {}
    if recipe.pretrained == "none":
        decided["pretrained"] = None
    if recipe.model is not None and not is_known(recipe.model):
        raise RecipeError(unknown_name("model", recipe.model, CATALOGUE))
    if recipe.layers is not None and recipe.model is not None and not takes_layers(recipe.model):
        raise RecipeError(
            f"layers are a choice of 'stacked' and of trunks, and the model is '{recipe.model}'; leave one "
            "of them out"
        )
    if recipe.layers is not None and recipe.model is None:
        decided["model"] = "stacked"
    elif recipe.model == "stacked" and recipe.layers is None:
        decided["layers"] = DEFAULT_LAYERS
    elif recipe.model is None and len(size) == 1 and images <= FEW_SERIES and size[0] <= LONGEST_OF_FEW:
        decided |= {"model": "stacked", "layers": LAYERS_OF_FEW}
    elif recipe.model is None:
        decided["model"] = _model(size, epochs)
    if recipe.fit is None:
        decided["fit"] = "pad"
    if recipe.size is None and len(size) == 2 and size[0] == size[1]:
        decided["size"] = size[0]
    return decided


def _steps(recipe: Recipe, images: int, epochs: float | None, *, pretrained: bool) -> dict[str, object]:
    decided: dict[str, object] = {}
    if recipe.epochs is None and recipe.minutes is None:
        epochs = decided["epochs"] = _fine_tuning_epochs(images) if pretrained else _epochs(images)
    if recipe.batch is None:
        decided["batch"] = min(_batch(images), MOST_FINE_TUNED) if pretrained else _batch(images)
    if recipe.label_smoothing is None:
        decided["label_smoothing"] = _label_smoothing(epochs)
    return decided


def _rates(recipe: Recipe, *, pretrained: bool) -> dict[str, object]:
    decided: dict[str, object] = {}
    if recipe.learning_rate is None:
        decided["learning_rate"] = (FINE_TUNING_RATES if pretrained else PEAK_RATES)[recipe.optimizer]
    if recipe.other_rate is None:
        rate = OTHER_RATE_WITHOUT_NORM if recipe.model in DEEP_WITHOUT_NORM else OTHER_RATE
        decided["other_rate"] = FINE_TUNING_OTHER_RATE if pretrained else rate
    if recipe.weight_decay is None:
        decided["weight_decay"] = WEIGHT_DECAY
    fits_head_first = pretrained and recipe.freeze != "none"
    if recipe.rate_by_head is None and fits_head_first:
        decided["rate_by_head"] = recipe.learning_rate is None and recipe.other_rate is None
    elif recipe.rate_by_head and not fits_head_first:
        raise RecipeError(
            "rate_by_head is true, and no head is fitted before the rest learns; name a pre-trained network "
            "and leave out freeze='none', or leave this out"
        )
    return decided


def _changes(recipe: Recipe, size: tuple[int, ...], epochs: float | None, *, flip: bool) -> dict[str, object]:
    decided: dict[str, object] = {}
    if recipe.flip is None:
        # Without chance in the images, a frozen backbone computes its features once.
        decided["flip"] = flip and recipe.freeze != "backbone"
    if recipe.average_mirrored is None:
        decided["average_mirrored"] = decided.get("flip", recipe.flip)
    if recipe.shift is None:
        decided["shift"] = _shift(recipe, size, epochs)
    elif recipe.shift >= min(size[-2:]):
        raise RecipeError(
            f"a shift of {recipe.shift} {'pixels' if len(size) > 1 else 'values'} leaves nothing of "
            f"{NOUNS[len(size)]} "
            f"of {'x'.join(map(str, size))}; up to {min(size[-2:]) - 1} works"
        )
    if recipe.average_shifted is None:
        decided["average_shifted"] = _average_shifted(recipe, decided.get("shift", recipe.shift), size)
    elif recipe.average_shifted and len(size) != 2:
        raise RecipeError(
            f"average_shifted is {recipe.average_shifted}, and only images are looked at shifted; leave it "
            "out for "
            f"{NOUNS[len(size)]}"
        )
    return decided


def _choosing(recipe: Recipe) -> dict[str, object]:
    if recipe.robust is not None and recipe.choose_by not in (None, "accuracy"):
        raise RecipeError(
            f"choose_by is '{recipe.choose_by}', and a robust training is judged by its accuracy under "
            "attack; leave one of the two out"
        )
    return {"choose_by": recipe.choose_by or "accuracy"}


def _pruning(recipe: Recipe, images: int, device: str) -> dict[str, object]:
    reason = _why_not_pruned(recipe)
    if recipe.prune is None:
        pays = device == "cpu" and images >= FEWEST_PRUNED and reason is None
        return {"prune": PRUNED if pays else 0.0}
    if recipe.prune and reason is not None:
        raise RecipeError(f"prune is {recipe.prune:g} and {reason}; leave one of the two out")
    return {}


def _why_not_pruned(recipe: Recipe) -> str | None:
    mixes = parse_policy(recipe.augment or "none").mixes
    if recipe.robust is not None or mixes:
        what = "mixed with others" if recipe.robust is None else "attacked"
        return f"images are {what}: they are left out by their losses, which are then those of other images"
    if recipe.balance == "sampling":
        return "balance is 'sampling', which shows some images several times in a pass and others not at all"
    return None


def _model(size: tuple[int, ...], epochs: float | None) -> str:
    if len(size) == 2 and max(size) > LARGEST_COMPACT:
        return "resnet18"
    # On Fashion-MNIST in 17 seconds the lighter network reaches 92.0 %, the other one 91.8 %, which comes to
    # 92.7 % in 28 (two seeds each, nothing pruned).
    brief = epochs is not None and epochs < BRIEF
    return "compact-light" if brief else "compact-medium"


def _robust(recipe: Recipe) -> dict[str, object]:
    if recipe.robust is None:
        for name in ("robust_method", "robust_steps"):
            if getattr(recipe, name) is not None:
                raise RecipeError(
                    f"{name} is {getattr(recipe, name)!r}, and no ball is given to be robust in; give one, "
                    "such as robust='linf:8/255'"
                )
        return {}
    ball = parse_ball(recipe.robust)
    if not isinstance(ball, Linf | L2) or not 0 < ball.eps < math.inf:
        raise RecipeError(
            f"robust is '{recipe.robust}', where a ball linf:EPS or l2:EPS of a radius over 0 is wanted, "
            "such as linf:8/255"
        )
    method = recipe.robust_method or "pgd"
    return {"robust_method": method, "robust_steps": recipe.robust_steps or ROBUST_STEPS[method]}


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


def _shift(recipe: Recipe, size: tuple[int, ...], epochs: float | None) -> int:
    # In so few passes nothing is learnt by heart, and what moves is only harder to learn: on
    # Fashion-MNIST 2 epochs lose 0.5 points by a shift of 1, 3.5 lose 0.6, and 7 lose nothing.
    few = epochs is not None and epochs < FEWEST_SHIFTED
    # Attacks leave nothing to be learnt by heart: in 8 epochs within linf:0.1 a training without shifts has
    # 86.8 % and withstands APGD-T on 73.9 % of 1,446 test images, one with a shift of 1 has 86.1 and 72.6 %.
    if recipe.freeze == "backbone" or recipe.robust is not None or few or len(size) != 2:
        return 0
    return min(size) // 28


def _average_shifted(recipe: Recipe, shift: object, size: tuple[int, ...]) -> int:
    # Only where a network has learnt that places vary: on Fashion-MNIST five trainings of 7.5 to 9.8 epochs
    # gain 0.14 points by it on average, and two of 2.8 epochs, which see nothing shifted, lose 0.6.
    return int(bool(shift) and recipe.robust is None and len(size) == 2 and max(size) <= LARGEST_AVERAGED)


def _label_smoothing(epochs: float | None) -> float:
    # What is seen often is learnt by heart, unless the labels themselves forbid it: on Fashion-MNIST 10 to
    # 13 epochs gain 0.1 points by 0.2 (which is also what airbench takes), and 2 epochs lose as much.
    return 0.2 if epochs is not None and epochs >= 8 else 0.1


def _epochs(images: int) -> int:
    # Fewer images need more passes: about 600,000 images seen, within reason, but enough steps at all.
    enough = min(MOST_EPOCHS, math.ceil(FEWEST_STEPS / math.ceil(images / _batch(images))))
    return max(10, enough, min(50, round(600_000 / images)))


def _fine_tuning_epochs(images: int) -> int:
    # What is trained already needs fewer passes: about 10,000 images seen, within reason.
    return min(40, max(3, round(10_000 / images)))


def _batch(images: int) -> int:
    # Small sets need steps more than they need large batches: at least 20 steps an epoch.
    batch = 16
    while batch < 512 and batch * 2 * 20 <= images:
        batch *= 2
    return batch
