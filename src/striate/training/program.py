"""A training's step and its evaluation over tensors that stay where they are, recorded and then replayed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from striate.classifier import Classifier
from striate.classifier.views import views
from striate.core.errors import TrainingError
from striate.core.recipe import Recipe
from striate.data.batches import Batches, as_tensor, fits
from striate.data.planning import Plan
from striate.data.stored import Images
from striate.engine.budgets import StepBudget
from striate.engine.device_updates import DeviceUpdates
from striate.engine.replaying import first_line, host_tensor, on_device, replayable
from striate.engine.schedules import rate_factor
from striate.engine.timings import Timings
from striate.models import KeepsNorms
from striate.training.averaging import AveragedWeights
from striate.training.kept_best import KeptBest
from striate.training.objective import Objective

BACKEND = "inductor"
"""What compiles, by its name in torch."""


class Program:
    """A step of a training, and the evaluation of images, that need nothing from the host while they run.

    The number of the step, the batches, the rates, the weights, the momenta and the figures all lie on the
    device; a step reads its row of the tables and moves the number on. On CUDA both are replayed from
    recordings; elsewhere they are called.

    Args:
        classifier: its network is trained, in place.
        optimizers: of its parameters.
        batches: resident on the device.
        recipe: with everything decided.
        objective: what is minimised.
        steps: in the whole training.
        evaluated: images that are evaluated at once.
    """

    def __init__(
        self,
        classifier: Classifier,
        optimizers: list[torch.optim.Optimizer],
        batches: Batches,
        *,
        recipe: Recipe,
        objective: Objective,
        steps: int,
        evaluated: int,
    ) -> None:
        device = classifier.policy.device
        self.network, self.optimizers, self.device, self.steps = classifier.network, optimizers, device, steps
        self._half = classifier.policy.precision == "bfloat16"
        self._objective, self._preprocessing = objective, classifier.preprocessing
        self._mean, self._std = classifier.mean.clone(), classifier.std.clone()
        self._keep_norms = self.network.keep_norms if isinstance(self.network, KeepsNorms) else None
        self._updates = DeviceUpdates(optimizers)
        self._moved = self._updates.parameters
        self.plan = Plan(batches, steps=steps)
        self.factors = rate_factors(recipe, steps=steps)
        self._factors = torch.tensor(self.factors, dtype=torch.float32, device=device)
        self._number = torch.zeros(1, dtype=torch.int64, device=device)
        self._losses = torch.zeros(steps, device=device)
        self._rights = torch.zeros(steps, dtype=torch.int64, device=device)
        self.losses = host_tensor(steps, dtype=torch.float32, device=device)
        self.rights = host_tensor(steps, dtype=torch.int64, device=device)
        shape = (evaluated, classifier.channels, *classifier.size)
        images = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._images = images.contiguous(memory_format=classifier.policy.memory_format)
        self._logits = torch.zeros((evaluated, len(classifier.classes)), device=device)
        self._held: list[tuple[Images, Tensor]] = []
        self.best = KeptBest(self.network)
        self.averages = AveragedWeights(self.network, share=recipe.average_weights)
        self.key: Hashable = None
        self._step: Callable[[], None] = self._take_step
        self._evaluations = self._plain_evaluations()

    def record(self, *, compiled: bool, timings: Timings) -> None:
        """Compile and record both parts where that is wanted and possible; the weights stay as they are.

        Args:
            compiled: whether to compile first.
            timings: is told how long ``compiling`` and ``recording`` took.

        Raises:
            TrainingError: where a step cannot be compiled or recorded.
        """
        with on_device(self.device), self._put_back(), _searching(compiled):
            self.plan.fill(0)
            if compiled:
                with timings.of("compiling"):
                    self._compile_or_refuse()
            with timings.of("recording"):
                self.network.train()
                self._step = replayable(self._step, device=self.device, before=self._number.zero_)
                self.network.eval()
                for shift, evaluate in self._evaluations.items():
                    self._evaluations[shift] = replayable(evaluate, device=self.device)

    def take(
        self,
        classifier: Classifier,
        optimizers: list[torch.optim.Optimizer],
        batches: Batches,
        objective: Objective,
    ) -> None:
        """Go on with the weights, momenta and images of another training of the same shapes and recipe.

        Args:
            classifier: its weights are copied.
            optimizers: their momenta are copied.
            batches: their images are copied.
            objective: what its classes count is copied.
        """
        if self._objective.class_weights is not None and objective.class_weights is not None:
            self._objective.class_weights.copy_(objective.class_weights)
        self.network.load_state_dict(classifier.network.state_dict())
        self._updates.take(optimizers)
        self.plan.follow(batches)
        self._mean.copy_(classifier.mean)
        self._std.copy_(classifier.std)
        self.averages.follow()
        self._held.clear()

    def begin(self, step: int) -> None:
        """Say which step comes next.

        Args:
            step: its number, from 0.
        """
        self._number.fill_(step)

    def take_step(self) -> None:
        """Start the next step; its figures lie on the device until they are sent."""
        if not self.network.training:
            self.network.train()
        self._step()

    def send_figures(self, first: int, stop: int) -> None:
        """Start to copy the figures of some steps to the host, into `losses` and `rights`.

        Args:
            first: the first step's number.
            stop: the number after the last one's.
        """
        self.losses[first:stop].copy_(self._losses[first:stop], non_blocking=True)
        self.rights[first:stop].copy_(self._rights[first:stop], non_blocking=True)

    def hold(self, images: Images) -> None:
        """Put images onto the device that are to be evaluated later, where they are in memory and fit.

        Args:
            images: N x C x H x W uint8.
        """
        if isinstance(images, np.ndarray) and fits(images, self.device):
            self._held.append((images, as_tensor(images).to(self.device)))

    @torch.no_grad()
    def logits(self, images: Images, *, unshifted: bool = False) -> Tensor:
        """Compute the logits of images as the classifier does, without waiting for the device.

        Args:
            images: N x C x H x W uint8; fast where they are held.
            unshifted: look at no shifted views.

        Returns:
            N x classes, float32, on the device.
        """
        if self.network.training:
            self.network.eval()
        evaluate = self._evaluations[0 if unshifted else self._preprocessing.average_shifted]
        there = next((held for given, held in self._held if given is images), None)
        most = len(self._images)
        found = self._logits.new_empty((len(images), self._logits.shape[1]))
        for start in range(0, len(images), most):
            rows = slice(start, start + most)
            part = as_tensor(images[rows]) if there is None else there[rows]
            self._images[: len(part)].copy_(part)
            evaluate()
            found[rows].copy_(self._logits[: len(part)])
        return found

    def count(self, steps: int) -> None:
        """Tell the optimisers how many steps were taken, before they are saved.

        Args:
            steps: in all.
        """
        self._updates.count(steps)

    def _compile_or_refuse(self) -> None:
        try:
            self._compile()
        except RuntimeError as error:  # that of compilers: no Triton, no memory, what they cannot translate
            raise TrainingError(f"a step cannot be compiled: {first_line(error)}") from error

    def _compile(self) -> None:
        torch.compiler.reset()  # what it holds of earlier programs would count against its limit
        options: dict[str, Any] = {"fullgraph": True, "dynamic": False, "backend": BACKEND}
        for name in ("_loss", "_update", "_compute_logits"):
            setattr(self, name, torch.compile(getattr(self, name), **options))
        self._evaluations = self._plain_evaluations()
        self.network.train()
        self._take_step()
        self.network.eval()
        for evaluate in self._evaluations.values():
            evaluate()

    def _take_step(self) -> None:
        loss, plain, right = self._loss()
        gradients = torch.autograd.grad(loss, self._moved, allow_unused=True)
        self._update(list(gradients), plain, right)

    def _loss(self) -> tuple[Tensor, Tensor, Tensor]:
        images, labels = self.plan.batch(self._number)
        logits = self._forward((images.float() / 255 - self._mean) / self._std)
        loss = self._objective.loss(logits, labels)
        # What is told is the loss without smoothing, so that training and validation compare.
        plain = self._objective.losses(logits.detach(), labels).mean()
        return loss, plain, self._objective.hits(logits.detach(), labels).sum()

    def _update(self, gradients: list[Tensor | None], plain: Tensor, right: Tensor) -> None:
        with torch.no_grad():
            factor = self._factors.index_select(0, self._number)[0]
            self._updates(gradients, factor=factor, step=self._number[0].float() + 1)
            if self._keep_norms is not None:
                self._keep_norms()
            self.averages.update_by(self._number)
            self._losses.index_copy_(0, self._number, plain.view(1))
            self._rights.index_copy_(0, self._number, right.view(1))
            self._number.add_(1)

    def _plain_evaluations(self) -> dict[int, Callable[[], None]]:
        """Give what computes logits, by how far views are shifted: for validations, and for what is told."""
        shifts = sorted({0, self._preprocessing.average_shifted})
        return {shift: partial(self._compute_logits, shift) for shift in shifts}

    def _compute_logits(self, shifted: int) -> None:
        with torch.no_grad():
            normalised = (self._images.float() / 255 - self._mean) / self._std
            mirrored = self._preprocessing.average_mirrored
            shares, seen = zip(*views(normalised, mirrored=mirrored, shifted=shifted), strict=True)
            logits = self._forward(torch.cat(seen)).view(len(seen), *self._logits.shape)
            weighed = [share * each for share, each in zip(shares, logits, strict=True)]
            self._logits.copy_(torch.stack(weighed).sum(dim=0))

    def _forward(self, normalised: Tensor) -> Tensor:
        kind = self.device.partition(":")[0]
        # A recording must not find casts in the cache that were made outside it.
        with torch.autocast(kind, torch.bfloat16, enabled=self._half, cache_enabled=False):
            logits: Tensor = self.network(normalised)
        return logits.float()

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        """Give weights and momenta back, after the block, as they were before it."""
        momenta = [each for optimizer in self.optimizers for each in optimizer.state.values()]
        changed = [*self.network.state_dict().values(), *self.averages.tensors().values()]
        changed += [value for each in momenta for value in each.values() if isinstance(value, Tensor)]
        before = [tensor.clone() for tensor in changed]
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, old in zip(changed, before, strict=True):
                    tensor.copy_(old)


def rate_factors(recipe: Recipe, *, steps: int) -> list[float]:
    """Give what the schedule multiplies the peak rates by, in every step.

    Args:
        recipe: names the schedule.
        steps: in the whole training.

    Returns:
        One factor in [0, 1] a step, that of the step's middle.

    >>> rate_factors(Recipe(schedule="linear"), steps=2)
    [0.75, 0.25]
    """
    budget = StepBudget(steps)
    shares = (budget.share(step=step + 0.5, elapsed=0.0) for step in range(steps))
    return [rate_factor(share, schedule=recipe.schedule, warmup=recipe.warmup) for share in shares]


@contextmanager
def _searching(wanted: bool) -> Iterator[None]:
    """Let cuDNN time its algorithms for every new shape, where that is wanted, instead of guessing."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or wanted
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
