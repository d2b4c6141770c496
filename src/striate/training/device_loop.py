"""The training loop where steps need nothing from the host: launched ahead, told of when they are done."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from striate.core.errors import TrainingError
from striate.core.seeds import derive
from striate.engine.randomness import seed_generators
from striate.engine.replaying import Mark, host_tensor, on_device
from striate.training.loop import Loop
from striate.training.program import Program

STRETCH = 64
"""How many steps, at most, are launched and told of together."""

MOST_AHEAD = 8
"""How many stretches a GPU is given ahead of what has been told: enough that it never waits for the host."""


@dataclass(frozen=True)
class Stretch:
    """Steps of one epoch that were launched together.

    Args:
        stop: the number after the last one's.
        stepped: past when they are done and their figures are on the host.
        validated: past when the validation after them is done; ``None`` where there is none.
        ends_epoch: whether they are the last ones of an epoch or of the training.
    """

    stop: int
    stepped: Mark
    validated: Mark | None
    ends_epoch: bool


@dataclass
class DeviceLoop(Loop):
    """A training under way whose steps are replayed; the rest is as in `striate.training.loop.Loop`.

    Losses, figures of validations and the weights of the best of them stay on the device; the figures are
    copied to the host behind the work that makes them. The host looks whether that is done, and never makes
    the device wait, except for a checkpoint, and after each validation where a target may end the training.

    Args:
        program: the recorded step, of the classifier's network and the optimisers.
    """

    program: Program = field(kw_only=True)
    seconds: float = field(init=False, default=0.0)
    _next: int = field(init=False, default=0)
    _launched: deque[Stretch] = field(init=False, default_factory=deque)
    _labels: Tensor = field(init=False)
    _figures: Tensor = field(init=False)
    _filled: int = field(init=False, default=-1)
    _began: float = field(init=False, default=0.0)
    _told_until: float = field(init=False, default=0.0)
    _timed_images: int = field(init=False, default=0)
    _timed_seconds: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.averages = self.program.averages  # which its steps take along
        self.averages.restore(self.state.averages)

    def run(self) -> None:
        """Train until the budget is spent or the target is reached.

        Raises:
            TrainingError: where the loss is no longer a finite number; checkpoints stay as they were.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, when the checkpoint has been written.
        """
        with on_device(self.program.device), self._interrupts:
            self._begin()
            while not self.state.trained:
                self._launch_ahead()
                self._tell(self._launched.popleft())
                if self._must_stop or self._must_save:
                    self._catch_up()
                    self._save()
                if self._must_stop:
                    raise KeyboardInterrupt
            self.seconds = time.perf_counter() - self._began
            self._save()
            self._agree(0)
            if self._must_stop:
                raise KeyboardInterrupt
            self.averages.settle()

    def _begin(self) -> None:
        state, program = self.state, self.program
        self._began = self._saved_at = self._told_at = self._told_until = time.perf_counter()
        self._started_at = self._began - state.elapsed
        self._labels = torch.tensor(self.validation.labels, dtype=torch.long, device=program.device)
        epochs = math.ceil(program.steps / self.batches.steps)
        self._figures = host_tensor(epochs, 2, dtype=torch.float64, device=program.device)
        self._next = state.step
        program.begin(state.step)
        best = state.rows[state.best_epoch - 1] if state.best_epoch else None
        right = -1 if best is None else round(best["validation_accuracy"] * len(self.validation))
        if best is not None and self.objective.chosen_by == "loss":
            right = 0
        program.best.begin(
            state.best, loss=math.inf if best is None else best["validation_loss"], right=right
        )
        if not state.trained and state.step in ((state.epoch + 1) * self.batches.steps, program.steps):
            # Stopped by the ordinary loop between the last step of an epoch and its validation.
            self._launched.append(self._stretch_to(state.step, state.epoch))

    @property
    def _may_end_early(self) -> bool:
        return self.recipe.target is not None or self.recipe.patience is not None

    def _launch_ahead(self) -> None:
        most = MOST_AHEAD if self.program.device.startswith("cuda") else 1
        while self._next < self.program.steps and len(self._launched) < most:
            if self._may_end_early and any(each.validated for each in self._launched):
                return
            self._launched.append(self._launch())

    def _launch(self) -> Stretch:
        program, first, each = self.program, self._next, self.batches.steps
        epoch = first // each
        if epoch != self._filled:
            program.plan.fill(epoch)
            self._filled = epoch
        stop = min(first + STRETCH, (epoch + 1) * each, program.steps)
        for step in range(first, stop):
            # Dropout and the like draw from the global generator: seeded by step, they resume exactly.
            seed_generators(derive(self.recipe.seed, "step", step, *self.world.stream), program.device)
            program.take_step()
        program.send_figures(first, stop)
        self._next = stop
        return self._stretch_to(stop, epoch)

    def _stretch_to(self, stop: int, epoch: int) -> Stretch:
        """Mark where launched steps end, and launch the validation that comes after them, if any."""
        program, validated = self.program, None
        stepped = Mark(program.device)
        ends = stop in ((epoch + 1) * self.batches.steps, program.steps)
        if ends and (stop == program.steps or self._is_due(epoch)):
            self._launch_validation(epoch)
            validated = Mark(program.device)
        return Stretch(stop, stepped, validated, ends)

    def _launch_validation(self, epoch: int) -> None:
        with self.averages.in_place():
            logits = self.program.logits(self.validation.images, unshifted=True)
            loss = self.objective.losses(logits, self._labels).mean()
            right = self.objective.hits(logits, self._labels).sum()
            # Where none is better by its accuracy, the loss decides.
            by_loss = self.objective.chosen_by == "loss"
            self.program.best.offer(loss=loss, right=torch.zeros_like(right) if by_loss else right)
        self._figures[epoch].copy_(torch.stack([loss.double(), right.double()]), non_blocking=True)

    def _tell(self, stretch: Stretch) -> None:
        state, first = self.state, self.state.step
        stretch.stepped.wait()
        if stretch.stop > first:
            seconds = time.perf_counter() - self._told_until
            self._step_seconds.append(seconds / (stretch.stop - first))
            self._timed_images += (stretch.stop - first) * self.batches.batch
            self._timed_seconds += seconds
            self._take_figures(first, stretch.stop)
            self._tell_step()
        if stretch.ends_epoch:
            self._speed = self._timed_images / self._timed_seconds if self._timed_images else 0.0
            if stretch.validated is not None:
                stretch.validated.wait()
                self._agree(0)
                loss, right = self._figures[state.epoch].tolist()
                if not math.isfinite(loss):
                    raise TrainingError(self._not_finite("validation loss", loss))
                accuracy = right / len(self.validation)
                self._record({"validation_loss": loss, "validation_accuracy": accuracy})
                self._timed_images, self._timed_seconds = 0, 0.0
            state.epoch, state.epoch_step = state.epoch + 1, 0
        self._told_until = time.perf_counter()
        state.trained = state.trained or stretch.stop == self.program.steps

    def _take_figures(self, first: int, stop: int) -> None:
        state, batch = self.state, self.batches.batch
        peak = self.optimizers[0].param_groups[0]["peak"]
        losses, rights = self.program.losses[first:stop].tolist(), self.program.rights[first:stop].tolist()
        for loss, right in zip(losses, rights, strict=True):
            state.rate = peak * self.program.factors[state.step]
            state.step, state.epoch_step = state.step + 1, state.epoch_step + 1
            if not math.isfinite(loss):
                raise TrainingError(self._not_finite("loss", loss))
            self.tally.add(loss * batch, right, batch, batch)
        self._agree(0)

    def _catch_up(self) -> None:
        while self._launched:
            self._tell(self._launched.popleft())

    def _save(self) -> None:
        self.program.count(self.state.step)
        super()._save()

    def _best_tensors(self) -> dict[str, Tensor]:
        # Launched ahead, a later validation may have been better already; it will be told of too.
        return self.program.best.tensors
