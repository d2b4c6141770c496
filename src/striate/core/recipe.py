"""The recipe: everything a training needs to know beyond its data, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from striate.core.device import PRECISIONS
from striate.core.errors import RecipeError
from striate.core.recipe_form import Range, RecipeForm, check_fields, check_range
from striate.core.weight_penalties import parse_penalty

FITS = ("pad", "crop", "stretch")
OPTIMIZERS = ("muon", "sgd", "adamw")
SCHEDULES = ("one-cycle", "linear")
ROBUST_METHODS = ("fast", "pgd", "trades", "free")
FREEZES = ("backbone", "none")
BALANCES = ("none", "weights", "sampling")
CHOSEN_BY = ("accuracy", "macro-f1", "mean-average-precision", "loss")


@dataclass(frozen=True, kw_only=True)
class Recipe(RecipeForm):
    """Everything a training needs beyond its data; prints, compares, and round-trips through TOML.

    A field that is ``None`` is decided when training starts, from the data and the machine; the
    recipe that a run keeps has the decisions written in (`striate.recipes.resolve`).

    Args:
        model: a name of `striate.models.CATALOGUE`, such as ``compact-small`` or ``resnet50``; ``None``:
            that of ``pretrained``, else compact-medium up to 128 pixels (compact-light for under 3
            epochs), else resnet18; of at most 1,000 short series stacked, as a fully convolutional network.
        layers: what the model ``stacked`` consists of, in words with commas, such as
            ``conv32k5,max2,conv64,max,dense128,drop0.2``, or a trunk, such as ``width64``; ``None``: what it
            has by default.
        pretrained: what a training starts from instead of chance: a name of
            `striate.classifier.PUBLISHED`, such as ``efficientnet-lite0``, one of timm's, such as
            ``timm:convnext_atto``, a run (of a generator: what its discriminator learnt), a model file, or a
            safetensors file of a network's tensors; ``none``: chance; ``None``: efficientnet-lite0 for photos
            (images of over 128 pixels) where no model is named, else chance.
        freeze: what of a pre-trained network does not learn: ``backbone`` (all but the head), a number (so
            many of its first blocks), or ``none`` (all of it learns, block after block from the last one);
            ``None``: the head learns first, then all.
        size: side in pixels at which files are decoded; ``None``: as they are where all are alike and
            at most 128 pixels, else 128 (before a pre-trained network: the side that it was trained on), or
            the median shorter side where that is less.
        fit: how a picture of another shape becomes a square: ``pad`` keeps all of it, ``crop`` fills
            the square, ``stretch`` keeps all of it and distorts; ``None``: stretch before a pre-trained
            network, which has seen no padding, else pad.
        validation: share of the training part held out for every choice, in (0, 0.5]; ``None``:
            0.15, but at most 5,000 images. Unused where the data has a validation part.
        group_by: images of one group are never both learnt from and validated on: a pattern on the file
            names with the group in parentheses, such as ``(patient[0-9]+)_``, a column of the .csv, or
            ``duplicates`` (pictures that are the same, or nearly so); ``None``: every image is by itself.
        allow_leakage: train although pictures of the validation or test part are in the training part too.
        epochs: how long to train: for as many images as in so many passes over the training part, over 0;
            fractions are allowed.
        minutes: training time, over 0; at most one of ``epochs`` and ``minutes``.
        target: stop when validation reaches this figure, of those of ``choose_by``, within the budget: in
            (0, 1); for ``loss`` over 0.
        choose_by: the figure on validation by which the best epoch is chosen: ``accuracy``, ``macro-f1`` (the
            mean over the classes, so that rare ones count as much as others), ``loss`` or, where images may
            have several labels, ``mean-average-precision``; ``None``: accuracy, or that where they may.
        patience: stop after so many validations in a row without a gain, at least 1; the rate is still that
            of the whole budget; ``None``: go on to its end.
        validate_every: epochs from one validation to the next, at least 1; the last epoch always has one.
        batch: images a step, at least 2; ``None``: by the size of the training part.
        prune: share of the images learnt already, those of a loss under the mean, that each pass leaves out
            while the rest of them count for more, in [0, 1); ``epochs`` still counts all images, so that the
            same time goes through more passes; ``None``: 0.5 on a CPU from 10,000 images on, else 0.
        balance: how classes come to count alike: by ``weights`` (images of rare ones count for more), by
            ``sampling`` (each pass shows all classes equally often) or not: ``none``.
        optimizer: ``muon`` (filters by Muon, the rest by SGD), ``sgd`` or ``adamw``.
        learning_rate: peak rate, over 0: of the filters under Muon, of everything otherwise.
        other_rate: peak rate of what Muon leaves to SGD (biases, norms, the head); ``None``: 0.05, or
            0.005 for deep networks without norms.
        rate_by_head: multiply both, for a pre-trained network whose head is fitted first, by 10 times the
            share of unseen images that this head gets wrong, within 0.1 and 3; ``None``: where no rate is
            given.
        weight_decay: of filters and head, at least 0; decoupled from the gradient but under SGD.
        l1: strength of a penalty on the sum of the absolute values of filters and head, which draws them to
            0, at least 0; decoupled from the gradient but under SGD.
        lp: the same for the sum of their powers, as ``P:STRENGTH`` with P in [1, 8], such as ``1.5:0.0001``;
            ``None``: none.
        dropout: share of what the head is given that is dropped in training, in [0, 1), or what the network's
            own layers of that kind drop, where it has any; ``None``: as the network has it.
        stochastic_depth: with which probability an image goes past the last residual block in training, in
            [0, 1); for earlier blocks it is less, in equal steps.
        average_weights: validate and keep the averages of the weights over about this share of the steps so
            far, the latest ones, in (0, 1], such as 0.1; ``None``: the weights of the last step.
        schedule: ``one-cycle`` (linear up, then down to 0) or ``linear`` (down to 0 from the start).
        warmup: share of the budget in which one-cycle rises, in [0, 1).
        label_smoothing: share of each label spread over all classes, in [0, 1); ``None``: 0.2 from 8 epochs
            on, else 0.1.
        flip: mirror images at random; ``None``: unless the classes are digits or letters.
        average_mirrored: predict by the mean over an image and its mirror image; ``None``: as ``flip``.
        average_shifted: predict by the mean over an image and the image shifted up and left and down and
            right by so many pixels, in three times the time; 0: not shifted; ``None``: 1 for images of up to
            32 pixels that were shifted in training, else 0.
        shift: largest random shift, pixels; ``None``: 1/28 of the side, 0 for under 4 epochs, with
            ``augment`` and with ``robust``.
        augment: what images are changed by at random, such as ``flip,crop=0.3,hue=0.1,mixup=0.2``;
            ``trivial``: one change an image, of a kind and strength drawn anew each time; ``none``: nothing;
            ``None``: mirrored and shifted as ``flip`` and ``shift`` say.
        robust: train on images that are attacked within this ball, such as ``linf:8/255`` or ``l2:0.5``,
            and choose the best epoch by the accuracy under attack; ``None``: on images as they are.
        robust_method: how images are attacked in training: ``fast`` (one step), ``pgd`` (several), ``trades``
            (several, and clean images are learnt too) or ``free`` (each batch several times, one step each);
            ``None``: pgd, where robust.
        robust_steps: how many steps such an attack takes, each in about the time of a plain training; by
            ``free``, how often a batch is taken; ``None``: 1 for ``fast``, 2 for ``pgd``, 7 for ``trades``, 4
            for ``free``.
        precision: ``bfloat16`` or ``float32``; ``None``: bfloat16 where the hardware computes it.
        compiled: compile the steps for a GPU before the training, which takes up to minutes, once in a
            process, and is not counted to a budget in epochs; without effect on other devices.
        seed: the one seed of everything random.

    Raises:
        RecipeError: where a value is out of range or unknown, naming the nearest.

    >>> Recipe(epochs=3).batch is None
    True
    >>> Recipe(warmup=2)
    Traceback (most recent call last):
    striate.core.errors.RecipeError: warmup is 2, which is not in [0, 1)
    """

    model: str | None = None
    layers: str | None = None
    pretrained: str | None = None
    freeze: str | None = None
    size: int | None = None
    fit: str | None = None
    validation: float | None = None
    group_by: str | None = None
    allow_leakage: bool = False
    epochs: float | None = None
    minutes: float | None = None
    target: float | None = None
    choose_by: str | None = None
    patience: int | None = None
    validate_every: int = 1
    batch: int | None = None
    prune: float | None = None
    balance: str = "none"
    optimizer: str = "muon"
    learning_rate: float | None = None
    other_rate: float | None = None
    rate_by_head: bool | None = None
    weight_decay: float | None = None
    l1: float = 0.0
    lp: str | None = None
    dropout: float | None = None
    stochastic_depth: float = 0.0
    average_weights: float | None = None
    schedule: str = "one-cycle"
    warmup: float = 0.1
    label_smoothing: float | None = None
    flip: bool | None = None
    average_mirrored: bool | None = None
    average_shifted: int | None = None
    shift: int | None = None
    augment: str | None = None
    robust: str | None = None
    robust_method: str | None = None
    robust_steps: int | None = None
    precision: str | None = None
    compiled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, choices=_CHOICES, ranges=_RANGES)
        if self.freeze is not None and not (self.freeze in FREEZES or self.freeze.isdecimal()):
            raise RecipeError(
                f"freeze is '{self.freeze}', where 'backbone', 'none' or a number of blocks is wanted"
            )
        # A loss, in nats, may well be over 1.
        check_range(self.target, ("target", 0, 1e3 if self.choose_by == "loss" else 1, True, True))
        if self.lp is not None:
            parse_penalty(self.lp)

    @property
    def penalties(self) -> tuple[tuple[float, float], ...]:
        """The penalties on filters and head, strength times the sum of |w|^power: powers and strengths.

        >>> Recipe(l1=0.001, lp="1.5:0.0001").penalties
        ((1.0, 0.001), (1.5, 0.0001))
        """
        named = [] if self.lp is None else [parse_penalty(self.lp)]
        return tuple(each for each in ((1.0, float(self.l1)), *named) if each[1])


_CHOICES = {
    "fit": FITS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "robust_method": ROBUST_METHODS,
    "precision": PRECISIONS,
    "balance": BALANCES,
    "choose_by": CHOSEN_BY,
}

_RANGES: tuple[Range, ...] = (
    ("size", 1, 4096, False, False),
    ("validation", 0, 0.5, True, False),
    ("epochs", 0, 1e6, True, False),
    ("minutes", 0, 1e6, True, False),
    ("patience", 1, 1e6, False, False),
    ("validate_every", 1, 1e6, False, False),
    ("batch", 2, 1e6, False, False),
    ("prune", 0, 1, False, True),
    ("learning_rate", 0, 1e3, True, False),
    ("other_rate", 0, 1e3, True, False),
    ("weight_decay", 0, 10, False, False),
    ("l1", 0, 10, False, False),
    ("dropout", 0, 1, False, True),
    ("stochastic_depth", 0, 1, False, True),
    ("average_weights", 0, 1, True, False),
    ("warmup", 0, 1, False, True),
    ("label_smoothing", 0, 1, False, True),
    ("shift", 0, 4096, False, False),
    ("average_shifted", 0, 4096, False, False),
    ("robust_steps", 1, 1000, False, False),
    ("seed", 0, 2**63 - 1, False, False),
)
