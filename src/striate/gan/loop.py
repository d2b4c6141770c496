"""The loop of a generator's training: steps, epochs, checks, sheets, and checkpoints on the way."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median

import torch
from torch import Tensor

from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.seeds import derive
from striate.data.batches import Batches
from striate.engine.budgets import Budget, TimeBudget
from striate.engine.interrupts import Interrupts
from striate.engine.optimizers import set_rates
from striate.engine.randomness import seed_generators
from striate.engine.run_directory import Row
from striate.engine.schedules import late_decay
from striate.gan.averaging import AveragedGenerator
from striate.gan.contest import Contest
from striate.gan.recipe import GanRecipe
from striate.gan.run import COLUMNS
from striate.gan.state import GanState
from striate.gan.watching import Watch

CHECKPOINT_SECONDS = 15.0
STEP_EVENT_SECONDS = 0.1
FIRST_STEPS = 5
"""After how many steps of this process the speed is taken as known."""

MEASURED = 21
"""How many of the latest steps the speed is the median of."""

CHECK_IMAGES = 5_000
"""Epochs of fewer images are checked together, until they have so many."""

UNREAD = 8
"""A GPU's figures are read after so many steps, so that it seldom waits for this process."""


@dataclass
class GanLoop:
    """A training under way.

    Args:
        contest: its networks are trained, in place.
        averaged: follows the generator.
        batches: what is learnt from.
        watch: is told of every step and judges samples; ``None``: nothing does.
        budget: when it ends.
        state: where it starts, and where it stands.
        save: writes a checkpoint.
        draw: draws a sheet, given its title.
        samples: makes images for the watch, in [0, 1].
        renew: draws new weights after a collapse.
        on_event: is given every step, epoch, finding and note.
    """

    contest: Contest
    averaged: AveragedGenerator
    batches: Batches
    watch: Watch | None
    budget: Budget
    state: GanState
    save: Callable[[], object]
    draw: Callable[[str], object]
    samples: Callable[[], Tensor]
    renew: Callable[[], object]
    on_event: OnEvent
    _interrupts: Interrupts = field(init=False, default_factory=Interrupts)
    _waiting: list[dict[str, Tensor]] = field(init=False, default_factory=list)
    _step_seconds: deque[float] = field(init=False, default_factory=lambda: deque(maxlen=MEASURED))
    _measured: int = field(init=False, default=0)
    _costs: dict[str, float] = field(init=False, default_factory=dict)
    _elapsed: float = field(init=False, default=0.0)
    _latest: dict[str, float] = field(init=False, default_factory=dict)
    _began_at: float = field(init=False, default=0.0)
    _read_at: float = field(init=False, default=0.0)
    _saved_at: float = field(init=False, default=0.0)
    _told_at: float = field(init=False, default=0.0)
    _row_at: tuple[float, int] = field(init=False, default=(0.0, 0))

    @property
    def _recipe(self) -> GanRecipe:
        return self.contest.recipe

    def run(self) -> None:
        """Train until the budget is spent or a collapse ends it.

        Raises:
            TrainingError: where a loss or weight is no longer a finite number; checkpoints stay as they were.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, when the checkpoint has been written.
        """
        now = time.perf_counter()
        self._saved_at = self._told_at = self._read_at = now
        self._began_at, self._elapsed = now - self.state.elapsed, self.state.elapsed
        self._row_at = self._elapsed, self.state.step
        if isinstance(self.budget, TimeBudget):
            self.budget.reserve = self.state.reserve
        with self._interrupts:
            if self.state.step == 0:
                self._draw()
            while not self.state.trained:
                self._train_epoch()
                spent = self._is_spent()
                if spent or (self.state.epoch + 1) % self._epochs_a_check() == 0:
                    self._close_epoch()
                self.state.epoch, self.state.epoch_step = self.state.epoch + 1, 0
                self.state.trained = self.state.trained or spent
            self._save()
            if self._interrupts.requested:
                raise KeyboardInterrupt

    def _train_epoch(self) -> None:
        state = self.state
        late = 1 if self.contest.policy.device == "cpu" else UNREAD
        with closing(self.batches.epoch(state.epoch, start=state.epoch_step)) as batches:
            while state.epoch_step < self.batches.steps and not self._is_spent():
                self._step(*next(batches))
                if len(self._waiting) >= late:
                    self._read()
                self._tell_step()
                if self._share() * self._recipe.sheets >= state.sheets:
                    self._draw()
                if self._interrupts.requested:
                    self._save()
                    raise KeyboardInterrupt
                if time.perf_counter() - self._saved_at > CHECKPOINT_SECONDS:
                    self._save()
        self._read()

    def _step(self, images: Tensor, labels: Tensor) -> None:
        contest, recipe, state = self.contest, self._recipe, self.state
        # Latents and all else that is drawn: seeded by step, they resume exactly.
        seed_generators(derive(recipe.seed, "step", state.step, state.restarts), contest.policy.device)
        # A step's rate is the schedule's in the step's middle, so that neither end is a step of rate 0.
        share = self.budget.share(step=state.step + 0.5, elapsed=self._elapsed + self._seconds_a_step() / 2)
        set_rates(list(contest.optimizers), late_decay(share, decay=recipe.decay or 0.0))
        state.rate = contest.optimizers[0].param_groups[0]["lr"]
        pixels = images.float().div_(127.5).sub_(1)
        real = pixels.contiguous(memory_format=contest.policy.memory_format)
        known = labels if recipe.classes else None
        turn = (state.step + 1) % (recipe.discriminator_steps or 1) == 0
        fake = contest.make(len(real), known, teachable=turn)
        draws = contest.augmentation.draw(real)
        penalised = (state.step - state.born) % (recipe.penalty_every or 1) == 0
        figures = contest.discriminator_step(real, fake, known, draws, penalised=penalised)
        scores = {name: figures.pop(name) for name in ("real_scores", "fake_scores")}
        state.step += 1
        state.epoch_step += 1
        if turn:
            figures |= contest.generator_step(real, fake, known, draws)
            seen = (state.step - state.born) * len(real)
            each = len(real) * (recipe.discriminator_steps or 1)
            self.averaged.update(contest.generator, batch=each, images_seen=seen)
            self._show(figures, scores)
        self._waiting.append(figures)

    def _show(self, figures: dict[str, Tensor], scores: dict[str, Tensor]) -> None:
        if self.watch is not None:
            self.watch.step(
                **scores,
                generator_loss=figures["generator_loss"],
                discriminator_loss=figures["discriminator_loss"],
                generator_gradients=figures["generator_gradients"],
                discriminator_gradients=figures["discriminator_gradients"],
            )

    def _read(self) -> None:
        """Read the figures of the steps that wait, and the clock."""
        count = len(self._waiting)
        for waiting in self._waiting:
            self._latest |= (figures := {name: value.item() for name, value in waiting.items()})
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise TrainingError(self._not_finite(name.replace("_", " "), value))
            self.state.add(figures)
        self._waiting.clear()
        now = time.perf_counter()
        self._elapsed = now - self._began_at
        if count:
            self._step_seconds.append((now - self._read_at) / count)
            self._measured += count
            if self._measured - count < FIRST_STEPS <= self._measured:
                self._say_speed()
        self._read_at = now

    def _close_epoch(self) -> None:
        """Record the figures since the last row, and let the watch judge samples."""
        if not self.state.counts:  # the time was up before a step
            return
        began = time.perf_counter()
        self._record()
        if self.watch is not None:
            self._check()
        self._reserve("check", time.perf_counter() - began)
        self._read_at = time.perf_counter()

    def _record(self) -> None:
        state = self.state
        before, steps = self._row_at
        images = (state.step - steps) * self.batches.batch
        row: Row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": round(self._elapsed, 3),
            "share": round(self._share(), 5),
            "generator_rate": state.rate,
            **{name: state.mean(name) for name in COLUMNS[5:-1]},
            "images_per_second": round(images / max(self._elapsed - before, 1e-9), 1),
        }
        self._row_at = self._elapsed, state.step
        state.rows.append(row)
        state.forget_sums()
        self.on_event(Event("epoch", row))

    def _check(self) -> None:
        assert self.watch is not None
        state = self.state
        seen = (state.step - state.born) * self.batches.batch
        findings = self.watch.check(self.samples(), images_seen=seen, epoch=state.epoch + 1)
        state.findings = [finding.to_dict() for finding in findings]
        for finding in findings:
            if finding.level != "note":
                self.on_event(Event("warning", {"message": finding.said}))
        if self.watch.collapsed and not self._is_spent():
            self._answer_collapse()

    def _answer_collapse(self) -> None:
        if self._recipe.on_collapse == "stop":
            self.state.trained = True
            self.on_event(Event("note", {"message": "stopped, as on_collapse says"}))
        elif self._recipe.on_collapse == "restart":
            self.state.restarts += 1
            self.state.born = self.state.step
            self.renew()
            message = f"began again with new weights, as on_collapse says (restart {self.state.restarts})"
            self.on_event(Event("note", {"message": message}))

    def _draw(self) -> None:
        began = time.perf_counter()
        self.draw(f"{self.state.step * self.batches.batch:,} images seen, {self._elapsed:,.0f} s")
        # One sheet a moment, however many the budget passed by since the last.
        self.state.sheets = int(self._share() * self._recipe.sheets) + 1
        self._reserve("sheet", time.perf_counter() - began)
        self._read_at = time.perf_counter()

    def _reserve(self, what: str, seconds: float) -> None:
        # The last check and the last sheet come after the last step.
        self._costs[what] = seconds
        self.state.reserve = sum(self._costs.values())
        if isinstance(self.budget, TimeBudget):
            self.budget.reserve = self.state.reserve

    def _tell_step(self) -> None:
        now = time.perf_counter()
        if now - self._told_at < STEP_EVENT_SECONDS:
            return
        self._told_at = now
        step, seconds = self.state.step, self._seconds_a_step()
        figures = {
            "step": step,
            "epoch": self.state.epoch + 1,
            "generator_loss": self._latest.get("generator_loss"),
            "discriminator_loss": self._latest.get("discriminator_loss"),
            "share": self._share(),
            "images_per_second": self.batches.batch / seconds if seconds else None,
            "seconds_left": self.budget.seconds_left(step=step, elapsed=self._elapsed, step_seconds=seconds),
        }
        self.on_event(Event("step", figures))

    def _say_speed(self) -> None:
        if isinstance(self.budget, TimeBudget):
            speed = self.batches.batch / self._seconds_a_step()
            epochs = self.budget.seconds * speed / (self.batches.steps * self.batches.batch)
            message = (
                f"{speed:,.0f} images/s: about {epochs:.1f} epochs in {self.budget.seconds / 60:g} minutes"
            )
            self.on_event(Event("note", {"message": message}))

    def _save(self) -> None:
        self._read()
        networks = (self.contest.generator, self.contest.discriminator)
        for tensor in (tensor for network in networks for tensor in network.state_dict().values()):
            # The last step's losses were numbers, but what its gradients made of the weights may not be.
            if not bool(torch.isfinite(tensor).all()):
                raise TrainingError(self._not_finite("weights", math.nan))
        self.state.elapsed = self._elapsed
        if self.watch is not None:
            self.state.watch = self.watch.state()
        self.save()
        self._saved_at = self._read_at = time.perf_counter()

    def _not_finite(self, what: str, value: float) -> str:
        where = f"step {self.state.step} (epoch {self.state.epoch + 1}, learning rate {self.state.rate:.3g})"
        return (
            f"the {what} became {value} at {where}, which most often means that a rate is too high; a tenth "
            "of it usually works"
        )

    def _share(self) -> float:
        return self.budget.share(step=self.state.step, elapsed=self._elapsed)

    def _seconds_a_step(self) -> float:
        return median(self._step_seconds) if self._step_seconds else 0.0

    def _epochs_a_check(self) -> int:
        return math.ceil(CHECK_IMAGES / (self.batches.steps * self.batches.batch))

    def _is_spent(self) -> bool:
        # One step is taken whatever the budget, so that there is something to show.
        return self.state.step > 0 and self.budget.is_spent(
            step=self.state.step, elapsed=self._elapsed, step_seconds=self._seconds_a_step()
        )
