"""The training loop: steps, epochs, validation, the best weights, and checkpoints on the way."""

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

from striate.classifier import Classifier, unshifted
from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.core.seeds import derive
from striate.data import Split
from striate.data.batches import Batches, as_numbers
from striate.data.dataset import Pixels
from striate.engine.budgets import Budget, TimeBudget
from striate.engine.checkpoints import learned
from striate.engine.gradients import SummedGradients
from striate.engine.interrupts import Interrupts
from striate.engine.optimizers import set_rates
from striate.engine.penalties import penalise
from striate.engine.randomness import seed_generators
from striate.engine.run_directory import Row
from striate.engine.schedules import rate_factor
from striate.engine.world import World
from striate.models import KeepsNorms
from striate.training.averaging import AveragedWeights
from striate.training.ending import why_end
from striate.training.objective import Objective
from striate.training.pruning import Pruning
from striate.training.state import State
from striate.training.tally import Tally
from striate.training.transfer import Transfer

CHECKPOINT_SECONDS = 15.0
STEP_EVENT_SECONDS = 0.1
FIRST_STEPS = 3
"""After how many steps of this process the speed is taken as known."""

MEASURED_STEPS = 21
"""How many of the latest steps the speed is the median of."""


@dataclass
class Loop:
    """A training under way.

    Args:
        classifier: its network is trained, in place.
        optimizers: from `striate.engine.optimizers.make_optimizers`.
        batches: what is trained on.
        validation: what the best epoch is chosen on.
        recipe: with everything decided.
        budget: when it ends.
        state: where it starts, and where it stands.
        save: writes a checkpoint.
        on_event: is given every step, epoch and note.
        world: the processes that train together. All decide by the same figures, those of the writer's clock
            among them, so that all take the same steps.
        transfer: which parts of a pre-trained network learn when; ``None``: all of it, always.
        objective: what is minimised, and what the best epoch is chosen by.
    """

    classifier: Classifier
    optimizers: list[torch.optim.Optimizer]
    batches: Batches
    validation: Split
    recipe: Recipe
    budget: Budget
    state: State
    save: Callable[[], object]
    on_event: OnEvent
    world: World = field(default_factory=World)
    transfer: Transfer | None = None
    objective: Objective = field(default_factory=Objective)
    tally: Tally = field(init=False, default_factory=Tally)
    averages: AveragedWeights = field(init=False)
    _gradients: SummedGradients = field(init=False)
    _pruning: Pruning = field(init=False)
    _weights: Tensor | None = field(init=False, default=None)
    _interrupts: Interrupts = field(init=False, default_factory=Interrupts)
    _step_seconds: deque[float] = field(init=False, default_factory=lambda: deque(maxlen=MEASURED_STEPS))
    _validations: list[float] = field(init=False, default_factory=list)
    _elapsed: float = field(init=False, default=0.0)
    _seconds_a_step: float = field(init=False, default=0.0)
    _must_save: bool = field(init=False, default=False)
    _must_stop: bool = field(init=False, default=False)
    _last_loss: float = field(init=False, default=math.nan)
    _speed: float = field(init=False, default=0.0)
    _started_at: float = field(init=False, default=0.0)
    _saved_at: float = field(init=False, default=0.0)
    _told_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._pruning = Pruning(
            self.batches.count,
            share=self.recipe.prune or 0.0,
            seed=self.recipe.seed,
            least=self.batches.batch,
            device=self.classifier.policy.device,
            world=self.world,
        )
        self._pruning.restore(self.state.pruning)
        self.averages = AveragedWeights(self.classifier.network, share=self.recipe.average_weights)
        self.averages.restore(self.state.averages)

    @property
    def judged_by(self) -> str:
        """The column of the results by which the best epoch is chosen."""
        return self.objective.column

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has come to one of the processes, and all know it."""
        return self._must_stop

    def run(self) -> None:
        """Train until the budget is spent or the target is reached.

        Raises:
            TrainingError: where the loss is no longer a finite number; checkpoints stay as they were.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, when the checkpoint has been written.
        """
        self._saved_at = self._told_at = time.perf_counter()
        self._started_at = time.perf_counter() - self.state.elapsed
        self._gradients = SummedGradients(self.classifier.network.parameters(), self.world)
        if isinstance(self.budget, TimeBudget):
            self.budget.reserve = self.state.reserve
        with self._interrupts:
            self._agree(0)
            while not self.state.trained:
                self._train_epoch()
                spent = self._is_spent()
                due = self._is_due(self.state.epoch) and self._may_validate()
                if self.state.seen and (spent or due):
                    self._validate()
                self.state.epoch, self.state.epoch_step = self.state.epoch + 1, 0
                self.state.trained = self.state.trained or spent
            self._save()
            self._agree(0)
            if self._must_stop:
                raise KeyboardInterrupt
        self.averages.settle()

    def _train_epoch(self) -> None:
        start, seen = time.perf_counter(), self.state.seen
        epoch, done = self.state.epoch, self.state.epoch_step
        if done == 0:
            share = self.budget.share(step=self.state.step, elapsed=self._elapsed)
            self._pruning.begin(epoch, done=share)
        chosen = self.batches.chosen(epoch, kept=self._pruning.kept)
        with closing(self.batches.epoch(epoch, start=done, kept=self._pruning.kept)) as batches:
            while self.state.epoch_step < len(chosen) and not self._is_spent():
                began = time.perf_counter()
                self._step(*next(batches), chosen[self.state.epoch_step])
                # A GPU's figures are read one step late, so that it never waits for this process.
                late = 0 if self.classifier.policy.device == "cpu" else 1
                self.tally.read(late)
                self._step_seconds.append(time.perf_counter() - began)
                self._agree(late)
                if len(self._step_seconds) == FIRST_STEPS:
                    self._expect()
                self._tell_step()
                if self._must_stop:
                    self._save()
                    raise KeyboardInterrupt
                if self._must_save:
                    self._save()
        self._agree(0)
        self._speed = (self.state.seen - seen) / (time.perf_counter() - start)

    def _step(self, images: Tensor, labels: Tensor, chosen: Tensor) -> None:
        policy = self.classifier.policy
        # Dropout and the like draw from the global generator: seeded by step, they resume exactly.
        seed_generators(derive(self.recipe.seed, "step", self.state.step, *self.world.stream), policy.device)
        self.classifier.train()
        # A step's rate is the schedule's in the step's middle, so that neither end is a step of rate 0.
        middle = self._elapsed + self._seconds_a_step / 2
        share = self.budget.share(step=self.state.step + 0.5, elapsed=middle)
        if self.transfer is not None:
            self.transfer.begin_step(share)
        factor = rate_factor(share, schedule=self.recipe.schedule, warmup=self.recipe.warmup)
        set_rates(self.optimizers, factor)
        self.state.rate = self.optimizers[0].param_groups[0]["lr"]
        pixels = as_numbers(images).contiguous(memory_format=policy.memory_format_of(images.ndim - 2))
        index = self.batches.share_of(chosen)
        self._weights = self._pruning.weights(index) if self._pruning.share else None
        logits = self._descend(pixels, labels).detach()
        self._note(logits, labels, index)
        self.state.step += 1
        self.state.epoch_step += 1
        self.averages.update(self.state.step)

    def _note(self, logits: Tensor, labels: Tensor, index: Tensor) -> None:
        """Keep a step's figures to be told: the loss without smoothing, as validations have it."""
        losses, hits = self.objective.losses(logits, labels), self.objective.hits(logits, labels)
        if self._weights is None:
            self.tally.note(losses.mean(), hits.sum(), len(labels), len(labels))
            return
        self._pruning.note(index, losses)
        weight = self._weights.sum()
        mean, right = (losses * self._weights).sum() / weight, (hits * self._weights).sum()
        self.tally.note(mean, right, weight, len(labels))

    def _descend(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Move the weights by a batch in [0, 1], and give the logits at which that was done."""
        logits = self._logits(pixels)
        self._update(self.objective.loss(logits, labels, self._weights), len(labels))
        return logits

    def _logits(self, pixels: Tensor) -> Tensor:
        with self.classifier.policy.autocast():
            logits: Tensor = self.classifier(pixels).float()
        return logits

    def _update(self, loss: Tensor, count: int) -> None:
        # The processes' shares of the batch need not be of one size; their gradients add up to the batch's.
        (loss * (count / self.batches.batch)).backward()  # type: ignore[no-untyped-call]
        self._gradients.collect()
        penalise(self.optimizers)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if isinstance(self.classifier.network, KeepsNorms):
            self.classifier.network.keep_norms()

    def _agree(self, left: int) -> None:
        """Bring all processes to the same figures of the steps so far, and to the writer's clock."""
        self.tally.read(left)
        now = time.perf_counter()
        seconds = median(self._step_seconds) if self._step_seconds else 0.0
        clock = (now - self._started_at, seconds, now - self._saved_at)
        said = self.world.sum(
            [
                *self.tally.taken(),
                self._interrupts.requested,
                *(each * self.world.is_writer for each in clock),
            ]
        )
        loss_sum, right, weight, seen, interrupted, self._elapsed, self._seconds_a_step, unsaved = said
        self._must_stop, self._must_save = interrupted > 0, unsaved > CHECKPOINT_SECONDS
        if not seen:
            return
        if not math.isfinite(loss_sum):
            raise TrainingError(self._not_finite("loss", loss_sum))
        self.state.loss_sum += loss_sum
        self.state.right += right
        self.state.weight += weight
        self.state.seen += round(seen)
        self._last_loss = loss_sum / weight

    def _not_finite(self, what: str, value: float) -> str:
        where = f"step {self.state.step} (epoch {self.state.epoch + 1}, learning rate {self.state.rate:.3g})"
        return (
            f"the {what} became {value} at {where}, which most often means that the rate is too high; "
            "a tenth of it usually works"
        )

    def _validate(self) -> None:
        began = time.perf_counter()
        images = self.validation.images
        with self.averages.in_place():
            logits = self.world.in_shares(len(images), lambda rows: self._seen_once(images[rows]))
            figures = self.objective.figures(logits, torch.as_tensor(self.validation.labels))
            if not math.isfinite(figures["validation_loss"]):
                raise TrainingError(self._not_finite("validation loss", figures["validation_loss"]))
            figures |= self._measure_more()
            self._validations.append(time.perf_counter() - began)
            self._reserve(median(self._validations))
            self._agree(0)
            self._record(figures)

    def _seen_once(self, images: Pixels) -> Tensor:
        # Shifted views are for the figures at the end: validations take a third of the time without.
        with unshifted(self.classifier):
            return self.classifier.logits(images)

    def _measure_more(self) -> Row:
        """Measure at a validation what its row holds besides the usual columns: nothing here."""
        return {}

    def _reserve(self, seconds: float) -> None:
        self.state.reserve = self.world.told(seconds)
        if isinstance(self.budget, TimeBudget):
            self.budget.reserve = self.state.reserve

    def _record(self, figures: Row) -> None:
        state = self.state
        row: Row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": round(self._elapsed, 3),
            "share": round(self.budget.share(step=state.step, elapsed=self._elapsed), 5),
            "learning_rate": state.rate,
            "train_loss": state.loss_sum / max(state.weight, 1),
            "train_accuracy": state.right / max(state.weight, 1),
            **figures,
            "images_per_second": round(self._speed, 1),
        }
        state.rows.append(row)
        if self._is_best(row):
            state.best_epoch = len(state.rows)
            state.best = self._best_tensors()
        state.loss_sum, state.right, state.weight, state.seen = 0.0, 0.0, 0.0, 0
        self.on_event(Event("epoch", row))
        ended = why_end(state.rows, recipe=self.recipe, objective=self.objective, column=self.judged_by)
        if ended is not None:
            state.trained = True
            self.on_event(Event("note", {"message": ended}))

    def _best_tensors(self) -> dict[str, Tensor]:
        network = self.classifier.network.state_dict()
        return {name: tensor.detach().clone() for name, tensor in network.items()}

    def _is_best(self, row: Row) -> bool:
        if not self.state.best_epoch:
            return True
        best = self.state.rows[self.state.best_epoch - 1]
        one, other = (
            (self.objective.signed(each[self.judged_by]), -each["validation_loss"]) for each in (row, best)
        )
        return one >= other

    def _expect(self) -> None:
        """Learn from the first steps what the budget holds and what the last validation will take."""
        if not isinstance(self.budget, TimeBudget):
            return
        # The first batch that goes forward only pays for what later ones find prepared.
        sample = self.validation.images[: self.classifier.batch]
        self._seen_once(sample)
        began = time.perf_counter()
        self._seen_once(sample)
        each = math.ceil(len(self.validation) / self.world.size)
        self._reserve((time.perf_counter() - began) * each / len(sample))
        self._agree(0)
        speed = self.batches.batch / self._seconds_a_step
        epochs = self.budget.seconds * speed / (self.batches.steps * self.batches.batch)
        minutes = self.budget.seconds / 60
        message = f"{speed:,.0f} images/s: about {epochs:.1f} epochs in {minutes:g} minutes"
        self.on_event(Event("note", {"message": message}))

    def _tell_step(self) -> None:
        now = time.perf_counter()
        if now - self._told_at < STEP_EVENT_SECONDS:
            return
        self._told_at = now
        step, elapsed, seconds = self.state.step, self._elapsed, self._seconds_a_step
        figures = {
            "step": step,
            "epoch": self.state.epoch + 1,
            "loss": self._last_loss,
            "share": self.budget.share(step=step, elapsed=elapsed),
            "images_per_second": self.batches.batch / seconds,
            "seconds_left": self.budget.seconds_left(step=step, elapsed=elapsed, step_seconds=seconds),
        }
        self.on_event(Event("step", figures))

    def _save(self) -> None:
        self._agree(0)
        tensors = learned({"network": self.classifier.network}, self.optimizers)
        self.world.check_alike(tensors)
        # The last step's loss was a number, but what its gradient made of the network may not be.
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise TrainingError(self._not_finite("weights", math.nan))
        self.state.elapsed = self._elapsed
        self._pruning.gather()
        self.state.pruning, self.state.averages = self._pruning.tensors(), self.averages.tensors()
        self.save()
        self._saved_at = time.perf_counter()

    def _is_spent(self) -> bool:
        # One step is taken whatever the budget, so that there is something to measure.
        return self.state.step > 0 and self.budget.is_spent(
            step=self.state.step, elapsed=self._elapsed, step_seconds=self._seconds_a_step
        )

    def _is_due(self, epoch: int) -> bool:
        return (epoch + 1) % self.recipe.validate_every == 0

    def _may_validate(self) -> bool:
        return self.budget.may_validate(elapsed=self._elapsed, step_seconds=self._seconds_a_step)
