"""Measure what a model's answers withstand: accuracy, consistency and confidence as images are changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from striate.attack.changes import Change, changes_for
from striate.attack.curves import Curve, Invariance, Measured, Worst
from striate.attack.equivariance import layer_shifts
from striate.attack.victim import Model, Victim
from striate.core.errors import AttackError, StriateError
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.nn.corruptions import check_pictures

MOST_WORST = 8
"""So many images are kept of each change, of those that fall to it first."""

AT_ONCE = 256
"""So many images are changed at once."""


def invariance(
    model: Model | nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    changes: Sequence[Change] | None = None,
    layers: bool = True,
    seed: int = 0,
    batch: int | None = None,
    on_event: OnEvent = ignore,
) -> Invariance:
    """Measure how a model's answers change as its images do.

    For each change and strength: the share of right answers, the share of answers that are as they were at
    strength 0, and the mean of the highest probability; each is a mean over the images, and over the variants
    (directions, signs) of each. Areas are those under the curves over strengths brought to [0, 1].

    Args:
        model: takes images in [0, 1] and gives logits; a module is left as it was.
        images: N x C x H x W in [0, 1], of 1 or 3 channels.
        labels: N, the true classes, from 0.
        changes: what is done to the images; ``None``: all of `changes_for` their size.
        layers: whether to measure too how far each layer follows shifts; nothing is where the model is no
            module.
        seed: of all that is random.
        batch: images that pass at once; ``None``: as many as memory allows.
        on_event: is given the progress.

    Returns:
        Curves, areas, worst images, and the layers.

    Raises:
        AttackError: where images or labels are of a wrong kind, or the model gives no logits for them.

    >>> bright = lambda images: torch.stack([images.mean((1, 2, 3)), 1 - images.mean((1, 2, 3))], dim=1)
    >>> images = torch.stack([torch.full((1, 16, 16), 0.8), torch.full((1, 16, 16), 0.2)])
    >>> found = invariance(bright, images, torch.tensor([0, 1]), layers=False)
    >>> found.curve("circular-shift").consistency[-1].value, found.curve("brightness").accuracy[-1].value
    (1.0, 0.5)
    """
    labels = _checked(images, labels)
    changes = changes_for(tuple(images.shape[2:])) if changes is None else tuple(changes)
    curves = []
    with Victim(model, batch=batch) as victim:
        classes = victim.logits(images[:1].to(victim.device or images.device)).shape[1]
        if int(labels.max()) >= classes:
            raise AttackError(
                f"the largest label is {int(labels.max())}, where the model gives logits of {classes} "
                "classes, counted from 0"
            )
        for number, change in enumerate(changes):
            curves.append(_curve(victim, change, images, labels, seed))
            told = {"what": "changing images", "done": number + 1, "total": len(changes), "unit": "changes"}
            on_event(Event("prepare", told))
    found = layer_shifts(model, images[:AT_ONCE]) if layers and isinstance(model, nn.Module) else ()
    return Invariance(images=len(images), curves=tuple(curves), layers=found)


def _curve(victim: Victim, change: Change, images: Tensor, labels: Tensor, seed: int) -> Curve:
    parts: list[Tensor] = []
    fallen: list[Worst] = []
    for start in range(0, len(images), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        where = victim.device or images.device
        # Seeded by its place, so that which other changes are asked for does not matter.
        own = derive(seed, "invariance", change.name, start)
        part, worst = _by_strength(victim, change, images[rows].to(where), labels[rows].to(where), seed=own)
        parts.append(part)
        fallen += [replace(each, image=start + each.image) for each in worst]
        fallen = sorted(fallen, key=lambda each: (each.strength, -each.probability))[:MOST_WORST]
    right, same, confidence = torch.cat(parts, dim=2)
    return Curve(
        name=change.name,
        unit=change.unit,
        strengths=change.strengths,
        accuracy=tuple(map(_mean, right)),
        consistency=tuple(map(_mean, same)),
        confidence=tuple(map(_mean, confidence)),
        accuracy_area=_mean(_areas(change.strengths, right)),
        consistency_area=_mean(_areas(change.strengths, same)),
        worst=tuple(fallen),
    )


def _by_strength(
    victim: Victim, change: Change, images: Tensor, labels: Tensor, *, seed: int
) -> tuple[Tensor, list[Worst]]:
    """Give the shares of right and same answers and the confidence, 3 x strengths x N, and what falls."""
    shares: list[Tensor] = []
    fallen: list[Worst] = []
    before, standing = labels, torch.zeros_like(labels, dtype=torch.bool)
    for strength in change.strengths:
        generator = Generator().manual_seed(derive(seed, str(strength)))
        variants = change.variants(images, strength, generator)
        logits = victim.logits(torch.cat(variants)).view(len(variants), len(images), -1)
        if not torch.isfinite(logits).all():
            raise AttackError(
                f"the model gives inf or NaN for images under the change '{change.name}' of {strength:g}; "
                "its answers to these cannot be told"
            )
        probabilities, answers = logits.softmax(dim=2).max(dim=2)
        right = answers == labels
        if not strength:
            before, standing = answers[0], right[0]
        measured = torch.stack([right.double(), (answers == before).double(), probabilities.double()])
        shares.append(measured.mean(dim=1))
        falls = standing & ~right.all(dim=0)
        standing = standing & ~falls
        for row in falls.nonzero()[:, 0].tolist():
            variant = int(right[:, row].int().argmin())
            answer, sure = int(answers[variant, row]), float(probabilities[variant, row])
            fallen.append(Worst(row, float(strength), answer, sure, variants[variant][row].cpu().clone()))
    return torch.stack(shares, dim=1).cpu(), fallen


def _mean(values: Tensor) -> Measured:
    return Measured.mean(values.sum().item(), len(values))


def _areas(strengths: Sequence[float], values: Tensor) -> Tensor:
    """Give for each image the area under its values, strengths x N, over strengths brought to [0, 1]."""
    return torch.trapezoid(values, torch.tensor(strengths, dtype=torch.float64) / strengths[-1], dim=0)


def _checked(images: Tensor, labels: Tensor) -> Tensor:
    try:
        check_pictures(images)
    except StriateError as error:
        raise AttackError(str(error)) from error
    if not len(images) or labels.shape != images.shape[:1] or labels.is_floating_point() or labels.min() < 0:
        raise AttackError(
            f"labels are {tuple(labels.shape)} numbers of {str(labels.dtype).removeprefix('torch.')}; "
            f"{len(images)} images, at least one, take as many whole numbers from 0"
        )
    return labels.to(images.device).long()
