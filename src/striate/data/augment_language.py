"""The small language of augmentation: ``flip,crop=0.3,hue=0.1@0.5,mixup=0.2``, or ``none``."""

from __future__ import annotations

from striate.core.errors import RecipeError, unknown_name
from striate.data.augmentation import Augmentation
from striate.data.axes import NOUNS
from striate.data.axis_changes import Amplitude, Warp, Window
from striate.data.axis_policy import AxisPolicy
from striate.data.changes import Change
from striate.data.mixing import CutMix, Mixup
from striate.data.policy import Policy
from striate.data.trivial import Trivial
from striate.data.value_changes import (
    Blur,
    Brightness,
    Contrast,
    Erase,
    Foveate,
    Gamma,
    Hue,
    Noise,
    Saturation,
)
from striate.data.warp_changes import Crop, Perspective, ResizedCrop, Scale, Shear, Shift, Turn

_KINDS: tuple[type[Change], ...] = (
    Crop, ResizedCrop, Shift, Turn, Scale, Shear, Perspective, Brightness, Contrast, Saturation, Hue, Gamma,
    Blur, Noise, Erase, Foveate, Trivial, Mixup, CutMix, Amplitude, Warp, Window,
)  # fmt: skip

CHANGES: dict[str, type[Change]] = {kind.name: kind for kind in _KINDS}
"""The changes that can be named, besides ``flip``."""


def parse_policy(text: str) -> Policy:
    """Read a policy.

    Args:
        text: names of changes with commas in between, each with its strength after ``=`` and the share of the
            images that get it after ``@``, or with its usual ones; ``flip`` has neither. ``none`` alone is no
            change at all.

    Returns:
        The policy; it shifts by no pixels.

    Raises:
        RecipeError: for a name that does not exist, naming the nearest, or a number that is none or is out of
            range.

    >>> parse_policy("flip,turn=10").changes
    (Turn(strength=10.0, share=1.0),)
    >>> parse_policy("flop")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    striate.core.errors.RecipeError: there is no change 'flop'; did you mean 'flip'? (there are: flip, ...)
    """
    items = [item.strip() for item in text.split(",")]
    if items == ["none"]:
        return Policy(flip=False, shift=0)
    named: dict[str, Change | None] = {}
    for item in items:
        name, change = _parse_item(item, text)
        if name in named:
            raise RecipeError(f"augment '{text}' names '{name}' twice; name every change once")
        named[name] = change
    changes = tuple(change for change in named.values() if change is not None)
    return Policy(flip="flip" in named, shift=0, changes=changes)


def write_policy(changes: tuple[Change, ...], *, flip: bool) -> str:
    """Write changes in full as `parse_policy` reads them.

    Args:
        changes: those of a policy.
        flip: whether it mirrors.

    Returns:
        The text.

    >>> write_policy(parse_policy("flip,blur@1").changes, flip=True)
    'flip,blur=0.01@1'
    """
    items = ["flip"] if flip else []
    for change in changes:
        share = "" if change.share == type(change)().share else f"@{change.share:g}"
        items.append(f"{change.name}={change.strength:g}{share}")
    return ",".join(items) or "none"


def make_augmentation(augment: str | None, *, flip: bool, shift: int, dims: int = 2) -> Augmentation:
    """Make what changes the batches of a training.

    Args:
        augment: a policy; ``None``: no more than the others say.
        flip: whether images are mirrored.
        shift: the largest shift by whole pixels.
        dims: spatial axes: 1 of series, 2 of images, 3 of volumes and clips.

    Returns:
        A policy where there is any other change, or what is changed is no image; else the plain augmentation.

    Raises:
        RecipeError: where the policy cannot be read.
    """
    changes = () if augment is None else parse_policy(augment).changes
    if dims != 2 and (changes or flip or shift):
        return AxisPolicy(flip=flip, shift=shift, changes=changes)
    return (
        Policy(flip=flip, shift=shift, changes=changes) if changes else Augmentation(flip=flip, shift=shift)
    )


def check_augment(augment: str | None, *, channels: int, dims: int = 2) -> None:
    """Refuse a policy that images cannot be changed by.

    Args:
        augment: as for `make_augmentation`.
        channels: of the images.
        dims: their spatial axes.

    Raises:
        RecipeError: where the policy cannot be read, changes colours of images that have none, or changes
            what only images have, or only series.
    """
    if augment is not None:
        policy = parse_policy(augment)
        others = [change.name for change in policy.changes if dims not in change.dims]
        if others:
            known = ", ".join(name for name, kind in CHANGES.items() if dims in kind.dims)
            raise RecipeError(f"'{others[0]}' is no change of {NOUNS[dims]}; there are: flip, {known}")
        policy.check(channels)


def _parse_item(item: str, text: str) -> tuple[str, Change | None]:
    body, at, share = item.partition("@")
    name, equals, strength = (part.strip() for part in body.partition("="))
    if name == "none":
        raise RecipeError(f"augment '{text}' names 'none' among others; it stands alone")
    if name == "flip":
        if equals or at:
            raise RecipeError(f"'{item}' gives 'flip' a number, and it has none: images are seen both ways")
        return name, None
    if name not in CHANGES:
        raise RecipeError(unknown_name("change", name, ["flip", *CHANGES, "none"]))
    numbers = {}
    if equals:
        numbers["strength"] = _number(strength, item)
    if at:
        numbers["share"] = _number(share.strip(), item)
    return name, CHANGES[name](**numbers)


def _number(text: str, item: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RecipeError(
            f"'{item}' has '{text}' where a number belongs, such as in 'crop=0.3' or 'blur=0.01@0.5'"
        ) from None
