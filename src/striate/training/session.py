"""A session: everything that one process needs to train a run to its end, and what it tells and saves."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from striate.classifier import Classifier, Pretrained
from striate.core.errors import ProcessError, TrainingError
from striate.core.events import Event, OnEvent, ignore
from striate.core.files import write_text
from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.data.augment_language import make_augmentation
from striate.data.batches import Batches
from striate.engine.budgets import Budget, StepBudget, TimeBudget
from striate.engine.checkpoints import computed_by, restore
from striate.engine.interrupts import ignore_termination
from striate.engine.logistic import LinearHead
from striate.engine.memory import keep_freed_memory
from striate.engine.optimizers import make_optimizers, scale_peaks
from striate.engine.records import append_row, logged, write_rejected, write_rows, writing
from striate.engine.synchronised_norm import synchronise_norms
from striate.engine.timings import Timings
from striate.engine.world import World
from striate.training.device_loop import DeviceLoop
from striate.training.finish import finish
from striate.training.frozen_features import HeadTraining
from striate.training.logits import LogitsOf
from striate.training.loop import Loop
from striate.training.objective import Objective, objective_of
from striate.training.overfitting import find_overfitting, rows_measured
from striate.training.program import Program
from striate.training.regularising import regularise
from striate.training.reusing import keep, program_of
from striate.training.robust_loop import RobustLoop
from striate.training.run import Run
from striate.training.state import State, read_checkpoint, save_checkpoint
from striate.training.telling import tell_start
from striate.training.transfer import Transfer, share_of_rates


@dataclass
class Session:
    """Everything that one process needs to train a run to its end.

    Args:
        run: where everything is written.
        dataset: what is trained, chosen and tested on.
        recipe: with everything decided.
        classifier: whose network is trained.
        optimizers: of its parameters.
        batches: of the training part.
        state: where the training stands.
        on_event: is given every event.
        world: the processes that train together, each with a session of its own.
        timings: how long the parts of the work took.
        pretrained: what the network started from, which a resumed training need not find again.
        transfer: which of its parts learn when.
        objective: what is minimised, and what the best epoch is chosen by.
    """

    run: Run
    dataset: Dataset
    recipe: Recipe
    classifier: Classifier
    optimizers: list[torch.optim.Optimizer]
    batches: Batches
    state: State
    on_event: OnEvent
    world: World
    timings: Timings
    pretrained: Pretrained | None = None
    transfer: Transfer | None = None
    objective: Objective = field(default_factory=Objective)

    @classmethod
    def new(
        cls,
        run: Run,
        dataset: Dataset,
        recipe: Recipe,
        classifier: Classifier,
        *,
        on_event: OnEvent,
        world: World,
        timings: Timings | None = None,
        pretrained: Pretrained | None = None,
    ) -> Session:
        """Build all parts as the recipe says, at the start of a training.

        Args:
            run: where everything is written.
            dataset: what is trained on.
            recipe: with everything decided.
            classifier: untrained.
            on_event: is given every event, where this process is the writer.
            world: the processes that train together.
            timings: is told how long things take; what was measured before is in it.
            pretrained: what the network started from; ``None``: chance.

        Returns:
            The session, before its first step.
        """
        if classifier.policy.device == "cpu":
            keep_freed_memory()
        timings = timings or Timings(classifier.policy.device)
        with timings.of("moving images"):
            batches = Batches(
                dataset.train,
                batch=recipe.batch or 1,
                device=classifier.policy.device,
                seed=recipe.seed,
                augmentation=make_augmentation(
                    recipe.augment, flip=bool(recipe.flip), shift=recipe.shift or 0, dims=dataset.dims
                ),
                classes=len(dataset.classes),
                world=world,
                balanced=recipe.balance == "sampling",
            )
        world.copy_from_writer([*classifier.parameters(), *classifier.buffers()])
        synchronise_norms(classifier.network, world, device=classifier.policy.device)
        regularise(classifier.network, recipe)
        transfer = Transfer.of(classifier.network, recipe)
        rate_of = {} if transfer is None else {"rate_of": transfer.rate_of}
        optimizers = make_optimizers(classifier.network, recipe, **rate_of)
        told = logged(run, on_event) if world.is_writer else ignore
        return cls(
            run,
            dataset,
            recipe,
            classifier,
            optimizers,
            batches,
            State(),
            told,
            world,
            timings,
            pretrained,
            transfer,
            objective_of(recipe, dataset, device=classifier.policy.device),
        )

    def complete(self, *, preparation: float) -> Run:
        """Train to the end of the budget and write what a run ends with.

        Args:
            preparation: seconds that opening the data took, to be told.

        Returns:
            The finished run.

        Raises:
            TrainingError: where the loss is no longer a number; the best weights so far are kept.
            RunError: where the run directory cannot be written.
            ProcessError: where another process is lost.
            KeyboardInterrupt: after Ctrl-C, when the checkpoint has been written.
        """
        try:
            return self._complete(preparation)
        except ProcessError as error:
            # torchrun ends those that are left by SIGTERM; what they have to say comes first.
            ignore_termination()
            again = f"'striate train --resume {self.run.path}' goes on, in any number of processes"
            raise ProcessError(f"{error}; {again}") from error

    def _complete(self, preparation: float) -> Run:
        self.world.by_writer(self._begin)
        tell_start(self, preparation=preparation)
        program = program_of(self)
        loop = self._loop(program)
        try:
            self._fit_head_first()
            loop.run()
            if isinstance(loop, DeviceLoop):
                self.timings.add("steps", loop.seconds)
        except TrainingError as error:
            self.world.by_writer(self._keep_last_good)
            kept = self.world.by_writer(self._keep_best).decode()
            raise TrainingError(f"{error}; {kept} in {self.run.path}") from error
        except KeyboardInterrupt:
            # Who is interrupted a second time leaves at once, and the others do not know of it.
            if loop.is_stopped or self.world.size == 1:
                self.world.by_writer(self._keep_best)
            raise
        began = time.perf_counter()
        head = loop if isinstance(loop, HeadTraining) else None
        logits = LogitsOf(self.classifier, self.world, program, head)
        self.world.by_writer(self._keep_last)
        self.classifier.network.load_state_dict(self.state.best)
        self._look_for_overfitting(logits)
        reported = finish(
            self.run,
            self.classifier,
            dataset=self.dataset,
            state=self.state,
            on_event=self.on_event,
            world=self.world,
            timings=self.timings,
            logits=logits,
        )
        if program is not None:
            self._tell_timings()
            keep(program)
        self.on_event(
            Event(
                "done",
                {
                    "run": str(self.run.path),
                    "part": reported.part,
                    reported.name: reported.value,
                    "interval": reported.interval,
                    "images": reported.images,
                    "best_epoch": self.state.best_epoch,
                    "training_seconds": round(self.state.elapsed, 3),
                    "finish_seconds": round(time.perf_counter() - began, 3),
                    "seconds": {name: round(each, 4) for name, each in self.timings.seconds.items()},
                },
            )
        )
        return self.run

    def _fit_head_first(self) -> None:
        """Fit the head of a pre-trained network before the rest learns; what was fitted before stays."""
        wanted = self.transfer is not None and self.transfer.head_first and not self.transfer.features_only
        if wanted and not self.state.rows:
            head = self._head_training().fit(epoch=0)
            if self.recipe.rate_by_head:
                self._choose_rates(head)
            self.world.by_writer(self._save)
        scale_peaks(self.optimizers, self.state.rate_share)

    def _choose_rates(self, head: LinearHead) -> None:
        """Let the rates of the network follow from how often the fitted head is wrong."""
        # Roundings may differ between processes, and the rates must not.
        told = self.world.by_writer(lambda: repr(share_of_rates(head.error)).encode())
        self.state.rate_share = float(told)
        if head.error is not None:
            message = (
                f"the fitted head is wrong for {head.error:.1%} of the training images where it has not seen "
                f"them, so the rest learns at {self.state.rate_share:.2g} times the usual rates; a "
                "learning_rate of your own is taken as it is"
            ).replace("%", " %")
            self.on_event(Event("note", {"message": message}))

    def _head_training(self) -> HeadTraining:
        return HeadTraining(
            classifier=self.classifier,
            dataset=self.dataset,
            recipe=self.recipe,
            state=self.state,
            save=lambda: self.world.by_writer(self._save),
            on_event=self._record,
            world=self.world,
            timings=self.timings,
            objective=self.objective,
        )

    def _look_for_overfitting(self, logits: LogitsOf) -> None:
        """Measure how much better the best weights are on what they learnt from, say it and write it."""
        with self.timings.of("looking for overfitting"):
            found = find_overfitting(
                self.dataset,
                logits(self.dataset.train, rows_measured(self.dataset)),
                rows=self.state.rows,
                best_epoch=self.state.best_epoch,
                recipe=self.recipe,
                objective=self.objective,
            )

        def write() -> None:
            with writing(self.run):
                write_text(self.run.path / "overfitting.json", json.dumps(found.to_dict(), indent=1))

        self.world.by_writer(write)
        self.on_event(Event("note", {"message": str(found), "overfitting": found.to_dict()}))

    def _loop(self, program: Program | None) -> Loop | HeadTraining:
        if self.transfer is not None and self.transfer.features_only:
            return self._head_training()
        parts: dict[str, Any] = {
            "classifier": self.classifier,
            "optimizers": self.optimizers,
            "batches": self.batches,
            "validation": self.dataset.validation,
            "recipe": self.recipe,
            "budget": self.budget(),
            "state": self.state,
            "save": lambda: self.world.by_writer(self._save),
            "on_event": self._record,
            "world": self.world,
            "transfer": self.transfer,
            "objective": self.objective,
        }
        if program is not None:
            return DeviceLoop(**parts, program=program)
        return Loop(**parts) if self.recipe.robust is None else RobustLoop(**parts)

    def _tell_timings(self) -> None:
        said = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.timings.seconds.items())
        self.on_event(Event("note", {"message": f"this took: {said}"}))

    def _begin(self) -> None:
        with writing(self.run):
            self.run.checkpoint.parent.mkdir(exist_ok=True)
        if self.state.step == 0:
            self._save()  # before anything else: from here on the run can be resumed
        with writing(self.run):
            self.recipe.save(self.run.path / "recipe.toml")
            if self.dataset.rejected:
                listed = [(each.name, each.reason) for each in self.dataset.rejected]
                write_rejected(self.run.path / "rejected.csv", listed)
        write_rows(self.run, self.state.rows)

    def _record(self, event: Event) -> None:
        if event.kind == "epoch":
            self.world.by_writer(lambda: append_row(self.run, dict(event.data)))
        self.on_event(event)

    def _save(self) -> None:
        facts = {
            "recipe": self.recipe.to_dict(),
            "source": self.dataset.source,
            "fingerprint": self.dataset.fingerprint,
            "computed_by": computed_by(self.world),
            "pretrained": None if self.pretrained is None else self.pretrained.to_dict(),
        }
        with writing(self.run):
            save_checkpoint(
                self.run.checkpoint,
                state=self.state,
                network=self.classifier.network,
                optimizers=self.optimizers,
                facts=facts,
            )

    def _keep_last(self) -> None:
        """Write the weights after the last step."""
        with writing(self.run):
            self.classifier.save(self.run.path / "last.safetensors")

    def _keep_best(self) -> bytes:
        """Write the weights of the best epoch so far as the model and say which that was."""
        if not self.state.best:
            return b"no epoch was finished, so there is no model yet"
        self.classifier.network.load_state_dict(self.state.best)
        self.classifier.save(self.run.path / "model.safetensors")
        value = self.state.rows[self.state.best_epoch - 1][self.objective.column]
        named = self.objective.column.replace("_", " ")
        kept = f"the model of epoch {self.state.best_epoch} ({named} {value:.4f}) is kept"
        return kept.encode()

    def _keep_last_good(self) -> None:
        """Write the weights of the last checkpoint, whose loss was still a number."""
        _, tensors, _ = read_checkpoint(self.run.checkpoint)
        restore(tensors, networks={"network": self.classifier.network}, optimizers=[])
        self.classifier.save(self.run.path / "last.safetensors")

    def budget(self) -> Budget:
        """Give a budget as the recipe says, before its first step."""
        if self.recipe.minutes is not None:
            return TimeBudget(self.recipe.minutes * 60)
        return StepBudget(max(1, round((self.recipe.epochs or 1) * self.batches.steps)))
