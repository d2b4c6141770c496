"""Train the head alone: the features of a frozen backbone, computed once, and logistic regression on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from striate.classifier import Backbone, Classifier, head_of
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import Dataset, Split
from striate.engine.logistic import LinearHead, fit_chosen
from striate.engine.run_directory import Row
from striate.engine.timings import Timings
from striate.engine.world import World
from striate.training.objective import Objective, class_weights
from striate.training.state import State


@dataclass
class HeadTraining:
    """A training of the head on features that do not change: convex, so that it ends where it must.

    The budget of the recipe plays no part in it. Regularisation is chosen by cross-validation within the
    training part, so that the validation part measures it as unseen.

    Args:
        classifier: whose head is fitted, in place.
        dataset: its training part is fitted, its validation part measured.
        recipe: with everything decided.
        state: is told of the one row of figures, and keeps the weights.
        save: writes a checkpoint.
        on_event: is given the progress and the row.
        world: the processes that compute features together.
        timings: is told how long the features and the fit took.
        objective: what images of each class count in the fit, and what is measured.
    """

    classifier: Classifier
    dataset: Dataset
    recipe: Recipe
    state: State
    save: Callable[[], object]
    on_event: OnEvent
    world: World
    timings: Timings
    objective: Objective = field(default_factory=Objective)
    is_stopped: bool = field(init=False, default=False)
    _backbone: Backbone | None = field(init=False, default=None)
    _known: dict[int, Tensor] = field(init=False, default_factory=dict)

    def run(self) -> None:
        """Fit the head, as all of a training; where that was done before, nothing is."""
        if self.state.trained:
            return
        head = self.fit(epoch=1)
        self.state.step, self.state.trained = max(1, head.iterations), True
        self.state.rows[-1]["step"] = self.state.step
        self.save()

    def fit(self, *, epoch: int) -> LinearHead:
        """Fit the head and note what came out as a row of figures.

        Args:
            epoch: the row's number: 0 where a training of the whole network follows.

        Returns:
            What was fitted.
        """
        began = time.perf_counter()
        features = self.features(self.dataset.train)
        seconds = time.perf_counter() - began
        labels = torch.as_tensor(self.dataset.train.labels)
        with self.timings.of("fitting the head"):
            fitted = fit_chosen(
                features,
                labels,
                classes=len(self.classifier.classes),
                biased=head_of(self.classifier.network)[1].bias is not None,
                seed=derive(self.recipe.seed, "folds"),
                weights=self._weights(labels),
            )
            self._set(fitted)
        train = self._figures(self.dataset.train)
        self.state.elapsed += time.perf_counter() - began
        row: Row = {
            "epoch": epoch,
            "step": fitted.iterations if epoch else 0,
            "seconds": round(self.state.elapsed, 3),
            "share": float(epoch > 0),
            "learning_rate": 0.0,
            "train_loss": train["validation_loss"],
            "train_accuracy": train["validation_accuracy"],
            **self._figures(self.dataset.validation),
            "images_per_second": round(len(labels) / seconds, 1),
        }
        self._record(row)
        return fitted

    def features(self, split: Split) -> Tensor:
        """Give the features of a part, computed when they are first wanted.

        Args:
            split: the part.

        Returns:
            N x D, float32: the mean over the views that the classifier averages over.
        """
        if id(split) not in self._known:
            shown = self.classifier.preprocessing
            if self._backbone is None:
                self._backbone = Backbone(
                    self.classifier.network,
                    mean=shown.mean,
                    std=shown.std,
                    size=shown.size,
                    policy=self.classifier.policy,
                )
            backbone = self._backbone
            with self.timings.of("features"):
                self._known[id(split)] = self.world.in_shares(
                    len(split),
                    lambda rows: backbone.features(
                        split.images[rows],
                        mirrored=shown.average_mirrored,
                        shifted=shown.average_shifted,
                        on_event=self.on_event,
                    ),
                )
        return self._known[id(split)]

    @torch.no_grad()
    def logits(self, split: Split, rows: np.ndarray | None = None) -> Tensor:
        """Give the logits of a part as the classifier does, from its features.

        Args:
            split: the part.
            rows: the numbers of the images that are wanted; ``None``: all.

        Returns:
            N x classes, float32 on the CPU, before the temperature.
        """
        _, head = head_of(self.classifier.network)
        bias = None if head.bias is None else head.bias.float().cpu()
        features = self.features(split) if rows is None else self.features(split)[rows]
        return F.linear(features, head.weight.float().cpu(), bias)

    @torch.no_grad()
    def _set(self, fitted: LinearHead) -> None:
        _, head = head_of(self.classifier.network)
        head.weight.copy_(fitted.weight)
        if head.bias is not None:
            head.bias.copy_(fitted.bias)
        self.world.copy_from_writer(head.parameters())

    def _record(self, row: Row) -> None:
        self.state.rows.append(row)
        self.state.best_epoch = len(self.state.rows)
        network = self.classifier.network.state_dict()
        self.state.best = {name: tensor.detach().clone() for name, tensor in network.items()}
        self.on_event(Event("epoch", row))

    def _figures(self, split: Split) -> Row:
        return self.objective.figures(self.logits(split), torch.as_tensor(split.labels))

    def _weights(self, labels: Tensor) -> Tensor | None:
        """Give what each image counts; drawing classes equally often comes to the same in a fit of all."""
        if self.recipe.balance == "none":
            return None
        if self.dataset.multi_label:
            message = "balance changes nothing here: each label is fitted by itself, to its own threshold"
            self.on_event(Event("note", {"message": message}))
            return None
        return class_weights(labels, len(self.classifier.classes))[labels]
