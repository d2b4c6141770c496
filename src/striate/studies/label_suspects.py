"""Label suspects: images whose labels a model that never saw them contradicts, by confident learning.

Each image's probabilities come from a fit to the other folds. Photos are judged by the features of a
pre-trained network, which are computed once, and a linear head for each fold; other images by a small network
trained for each fold. Pictures that are the same, or nearly so, are in one fold, so that a wrong label is not
learnt from the copy of its own picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from striate.core.device import Policy, choose_policy
from striate.core.errors import DataError, TrainingError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.data import Split
from striate.data.auditing import Audit
from striate.data.batches import as_tensor
from striate.data.dataset import Labels, Pixels
from striate.data.findings import AuditFinding, Item
from striate.data.grouped_splitting import divide_groups
from striate.data.listing import class_order, counted
from striate.data.progress import Progress
from striate.data.shrinking import shrunk
from striate.engine.logistic import fit_chosen, fit_logistic
from striate.engine.randomness import seed_generators
from striate.metrics import suspect_labels
from striate.models import build
from striate.studies.fitting import MEASURED_AT_ONCE, fit
from striate.studies.fitting import Pixels as Scaled

FOLDS = 5
BACKBONE = "efficientnet-lite0"
PHOTO_SIDE = 129
"""From this side on, colour images are taken for photos, which the features of the backbone are for."""

MODEL = "compact-small"
MODEL_SIDE = 48
"""Pixels a side, at most, that the small network sees: it has to notice what is plainly something else."""

RATE = 0.05
EPOCHS = (8, 30)
IMAGES_SEEN = 200_000
"""About so many images a fold are seen in training, in 8 to 30 epochs."""


@dataclass(frozen=True)
class LabelSuspect:
    """An image whose label is likely wrong.

    Args:
        row: of the image in the audit.
        name: its file.
        given: its label.
        likely: the class that it more likely is of.
        probability_given: of the label, by a model that did not see the image.
        probability_likely: of the likelier class.
    """

    row: int
    name: str
    given: str
    likely: str
    probability_given: float
    probability_likely: float


@dataclass(frozen=True)
class LabelSuspects:
    """The images of a set whose labels are likely wrong.

    Args:
        suspects: the most suspect first.
        images: how many were judged.
        folds: in how many folds.
        accuracy: of the judge, on images that it did not see, by the labels given.
        judge: what judged.
    """

    suspects: tuple[LabelSuspect, ...]
    images: int
    folds: int
    accuracy: float
    judge: str

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as plain values, as JSON has them.

        Returns:
            The fields by name.
        """
        return {**asdict(self), "suspects": [asdict(each) for each in self.suspects]}

    def finding(self) -> AuditFinding | None:
        """Give it as a finding of the audit.

        Returns:
            The finding; ``None`` where no label is suspect.
        """
        if not self.suspects:
            return None
        items = tuple(
            Item(
                (each.name,),
                f"labelled {each.given} ({each.probability_given:.2f}), more likely {each.likely} "
                f"({each.probability_likely:.2f})",
            )
            for each in self.suspects
        )
        message = (
            f"{counted(len(items), 'label')} of {self.images:,} that may be wrong, the likeliest first, by "
            f"{self.judge}, which agrees with {self.accuracy:.1%} of all labels in {self.folds}-fold "
            "cross-validation; look at them before changing any"
        )
        return AuditFinding("label-suspects", "warning", message.replace("%", " %"), items)


def find_label_suspects(
    audit: Audit,
    *,
    backbone: str | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    device: str | None = None,
    on_event: OnEvent = ignore,
) -> LabelSuspects:
    """Find the labels of a set that are likely wrong.

    Args:
        audit: of the set, with its images and the groups of pictures that are the same.
        backbone: whose features judge, as for `striate.classifier.open_backbone`; ``None``: those of
            efficientnet-lite0 for colour photos, and no backbone but a small network for other images.
        folds: how often the images are divided, at least 2.
        seed: of the division and the network.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``None`` chooses.
        on_event: told of the progress.

    Returns:
        The suspects.

    Raises:
        DataError: where there are fewer than two classes of at least two images each, too few images for two
            folds, or images that may have several classes.
        TrainingError: where the small network's loss is no longer a number.
    """
    if audit.multi_label:
        raise DataError(
            f"images of {audit.source} may have several labels, which cannot be checked against each other; "
            "an audit without labels can be made"
        )
    names = class_order(audit.labels)
    position = {name: number for number, name in enumerate(names)}
    labels = np.array([position[label] for label in audit.labels], np.int64)
    if (np.bincount(labels, minlength=2) > 1).sum() < 2:
        raise DataError(
            f"{audit.source} has fewer than two classes of two images each, so labels cannot be checked "
            "against each other"
        )
    fold = divide_groups(labels, audit.groups, folds=folds, seed=seed)
    if len(np.unique(fold)) < 2:
        raise DataError(f"the images of {audit.source} cannot be divided into folds: too many are the same")
    photos = audit.images.shape[1] == 3 and min(audit.images.shape[2:]) >= PHOTO_SIDE
    policy = choose_policy(device)
    if backbone is not None or photos:
        name = backbone or BACKBONE
        features = _features(audit.images, name, device, on_event)
        probabilities = by_features(features, labels, fold, classes=len(names), on_event=on_event)
        judge = f"the features of {name}"
    else:
        probabilities = by_network(audit.images, labels, fold, seed=seed, policy=policy, on_event=on_event)
        judge = "a small network"
    return _suspects(audit, names, labels, probabilities, len(np.unique(fold)), judge)


def by_features(
    features: Tensor, labels: Labels, fold: Labels, *, classes: int, on_event: OnEvent = ignore
) -> Tensor:
    """Give each image's probabilities by logistic regression on the features of the other folds.

    Args:
        features: (N, D).
        labels: (N), from 0.
        fold: the number of each image's fold, (N).
        classes: how many there are.
        on_event: told of the progress.

    Returns:
        (N, classes).
    """
    wanted = torch.from_numpy(labels)
    strength = fit_chosen(features, wanted, classes=classes).strength

    def judge(learnt: Labels, judged: Labels) -> Tensor:
        head = fit_logistic(features[learnt], wanted[learnt], classes=classes, strength=strength)
        return head(features[judged])

    return _by_folds(judge, fold, classes, on_event)


def by_network(
    images: Pixels, labels: Labels, fold: Labels, *, seed: int, policy: Policy, on_event: OnEvent = ignore
) -> Tensor:
    """Give each image's probabilities by a small network trained on the other folds.

    Args:
        images: uint8 (N, C, H, W).
        labels: (N), from 0.
        fold: the number of each image's fold, (N).
        seed: of the weights and the order of the images.
        policy: where and how it is trained.
        on_event: told of the progress.

    Returns:
        (N, classes).

    Raises:
        TrainingError: where the loss is no longer a number.
    """
    small = shrunk(images, MODEL_SIDE)
    classes, channels, size = int(labels.max()) + 1, int(small.shape[1]), (small.shape[2], small.shape[3])
    epochs = min(EPOCHS[1], max(EPOCHS[0], round(IMAGES_SEEN / len(labels))))
    progress = Progress(on_event, "training small networks", epochs * len(np.unique(fold)), "epochs")

    def judge(learnt: Labels, judged: Labels) -> Tensor:
        own = derive(seed, "label suspects", int(fold[judged[0]]))
        seed_generators(own, policy.device)
        network = build(MODEL, classes=classes, channels=channels, size=size).to(policy.device)
        split = Split(np.ascontiguousarray(small[learnt]), labels[learnt])
        pixels = Scaled.of(split, policy)
        curve = fit(
            network,
            split,
            pixels,
            epochs=epochs,
            rate=RATE,
            seed=own,
            on_epoch=lambda _: progress.advance(),
        )
        if curve.diverged:
            raise TrainingError("the small network that judges the labels diverged; another seed may not")
        network.eval()
        blocks = [
            judged[start : start + MEASURED_AT_ONCE] for start in range(0, len(judged), MEASURED_AT_ONCE)
        ]
        with torch.no_grad(), policy.autocast():
            return torch.cat([network(pixels(as_tensor(small[block]))).float().cpu() for block in blocks])

    found = _by_folds(judge, fold, classes, ignore)
    progress.finish()
    return found


def _by_folds(
    judge: Callable[[Labels, Labels], Tensor], fold: Labels, classes: int, on_event: OnEvent
) -> Tensor:
    probabilities = torch.zeros(len(fold), classes)
    numbers = np.unique(fold).tolist()
    progress = Progress(on_event, "judging labels", len(numbers), "folds")
    for number in numbers:
        judged = np.flatnonzero(fold == number)
        probabilities[judged] = judge(np.flatnonzero(fold != number), judged).softmax(dim=1)
        progress.advance()
    progress.finish()
    return probabilities


def _features(images: Pixels, backbone: str, device: str | None, on_event: OnEvent) -> Tensor:
    from striate.classifier import open_backbone

    return open_backbone(backbone, device=device, on_event=on_event).features(images, on_event=on_event)


def _suspects(
    audit: Audit, names: tuple[str, ...], labels: Labels, probabilities: Tensor, folds: int, judge: str
) -> LabelSuspects:
    wanted = torch.from_numpy(labels)
    likely = probabilities.argmax(dim=1)
    suspects = tuple(
        LabelSuspect(
            row=row,
            name=audit.names[row],
            given=names[int(labels[row])],
            likely=names[int(likely[row])],
            probability_given=round(float(probabilities[row, int(labels[row])]), 6),
            probability_likely=round(float(probabilities[row, int(likely[row])]), 6),
        )
        for row in suspect_labels(probabilities, wanted).tolist()
    )
    accuracy = float((likely == wanted).double().mean())
    return LabelSuspects(suspects, len(labels), folds, accuracy, judge)
