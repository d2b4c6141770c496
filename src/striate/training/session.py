"""A session: everything that one process needs to train a run to its end, and what it tells and saves."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from striate.classifier import Classifier
from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.recipe import Recipe
from striate.core.version import VERSION
from striate.data import Dataset
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches
from striate.engine.budgets import Budget, StepBudget, TimeBudget
from striate.engine.memory import keep_freed_memory
from striate.engine.optimizers import make_optimizers
from striate.training.finish import finish, write_rejected
from striate.training.loop import Loop
from striate.training.records import append_row, logged, write_rows, writing
from striate.training.run import Run
from striate.training.state import State, read_checkpoint, restore, save_checkpoint


def computed_by() -> dict[str, str | int]:
    """Give what the bits of a result depend on besides the recipe and the data.

    Returns:
        Versions and the number of threads.
    """
    return {"striate": VERSION, "torch": str(torch.__version__), "threads": torch.get_num_threads()}


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
    """

    run: Run
    dataset: Dataset
    recipe: Recipe
    classifier: Classifier
    optimizers: list[torch.optim.Optimizer]
    batches: Batches
    state: State
    on_event: OnEvent

    @classmethod
    def new(
        cls, run: Run, dataset: Dataset, recipe: Recipe, classifier: Classifier, on_event: OnEvent
    ) -> Session:
        """Build all parts as the recipe says, at the start of a training.

        Args:
            run: where everything is written.
            dataset: what is trained on.
            recipe: with everything decided.
            classifier: untrained.
            on_event: is given every event.

        Returns:
            The session, before its first step.
        """
        if classifier.policy.device == "cpu":
            keep_freed_memory()
        batches = Batches(
            dataset.train,
            batch=recipe.batch or 1,
            device=classifier.policy.device,
            seed=recipe.seed,
            augmentation=Augmentation(flip=bool(recipe.flip), shift=recipe.shift or 0),
        )
        optimizers = make_optimizers(classifier.network, recipe)
        return cls(run, dataset, recipe, classifier, optimizers, batches, State(), logged(run, on_event))

    def _tell_start(self, preparation: float) -> None:
        count = sum(parameter.numel() for parameter in self.classifier.network.parameters())
        size = "x".join(map(str, self.dataset.size))
        self.on_event(
            Event(
                "start",
                {
                    "run": str(self.run.path),
                    "data": self.dataset.name,
                    "images": {
                        "train": len(self.dataset.train),
                        "validation": len(self.dataset.validation),
                        "test": len(self.dataset.test) if self.dataset.test is not None else 0,
                    },
                    "classes": len(self.dataset.classes),
                    "image": f"{size}x{self.dataset.channels}",
                    "rejected": len(self.dataset.rejected),
                    "model": self.recipe.model,
                    "parameters": count,
                    "compute": str(self.classifier.policy),
                    "budget": f"{self.recipe.minutes:g} minutes"
                    if self.recipe.minutes is not None
                    else f"{self.recipe.epochs:g} epochs",
                    "resident": self.batches.resident,
                    "preparation_seconds": round(preparation, 3),
                    "step": self.state.step,
                },
            )
        )
        for note in self.dataset.notes:
            self.on_event(Event("note", {"message": note}))
        if self.dataset.rejected:
            count, listed = len(self.dataset.rejected), self.run.path / "rejected.csv"
            message = f"files that could not be read and are left out: {count:,}; {listed} lists them"
            self.on_event(Event("warning", {"message": message}))
        if self.dataset.test is None:
            message = (
                "there is no test part: what is reported is measured on the validation part, on which the "
                "best epoch and the temperature are chosen, and so a little too good"
            )
            self.on_event(Event("note", {"message": message}))

    def complete(self, *, preparation: float) -> Run:
        """Train to the end of the budget and write what a run ends with.

        Args:
            preparation: seconds that opening the data took, to be told.

        Returns:
            The finished run.

        Raises:
            TrainingError: where the loss is no longer a number; the best weights so far are kept.
            RunError: where the run directory cannot be written.
            KeyboardInterrupt: after Ctrl-C, when the checkpoint has been written.
        """
        with writing(self.run.path):
            self.run.checkpoint.parent.mkdir(exist_ok=True)
        if self.state.step == 0:
            self._save()  # before anything else: from here on the run can be resumed
        with writing(self.run.path):
            self.recipe.save(self.run.path / "recipe.toml")
            if self.dataset.rejected:
                listed = [(each.name, each.reason) for each in self.dataset.rejected]
                write_rejected(self.run.path / "rejected.csv", listed)
        write_rows(self.run, self.state.rows)
        self._tell_start(preparation)
        loop = Loop(
            classifier=self.classifier,
            optimizers=self.optimizers,
            batches=self.batches,
            validation=self.dataset.validation,
            recipe=self.recipe,
            budget=self._budget(),
            state=self.state,
            save=self._save,
            on_event=self._record,
        )
        try:
            loop.run()
        except TrainingError as error:
            self._keep_last_good()
            raise TrainingError(f"{error}; {self._keep_best()} in {self.run.path}") from error
        except KeyboardInterrupt:
            self._keep_best()
            raise
        began = time.perf_counter()
        evaluations = finish(
            self.run, self.classifier, dataset=self.dataset, state=self.state, on_event=self.on_event
        )
        part, evaluation = list(evaluations.items())[-1]
        self.on_event(
            Event(
                "done",
                {
                    "run": str(self.run.path),
                    "part": part,
                    "accuracy": evaluation.accuracy,
                    "interval": evaluation.interval,
                    "images": evaluation.images,
                    "best_epoch": self.state.best_epoch,
                    "training_seconds": round(self.state.elapsed, 3),
                    "finish_seconds": round(time.perf_counter() - began, 3),
                },
            )
        )
        return self.run

    def _record(self, event: Event) -> None:
        if event.kind == "epoch":
            append_row(self.run, dict(event.data))
        self.on_event(event)

    def _save(self) -> None:
        facts = {
            "recipe": self.recipe.to_dict(),
            "source": self.dataset.source,
            "fingerprint": self.dataset.fingerprint,
            "computed_by": computed_by(),
        }
        with writing(self.run.path):
            save_checkpoint(
                self.run.checkpoint,
                state=self.state,
                network=self.classifier.network,
                optimizers=self.optimizers,
                facts=facts,
            )

    def _keep_best(self) -> str:
        """Write the weights of the best epoch so far as the model and say which that was."""
        if not self.state.best:
            return "no epoch was finished, so there is no model yet"
        self.classifier.network.load_state_dict(self.state.best)
        self.classifier.save(self.run.path / "model.safetensors")
        accuracy = self.state.rows[self.state.best_epoch - 1]["validation_accuracy"]
        return f"the model of epoch {self.state.best_epoch} (validation accuracy {accuracy:.4f}) is kept"

    def _keep_last_good(self) -> None:
        """Write the weights of the last checkpoint, whose loss was still a number."""
        _, tensors, _ = read_checkpoint(self.run.checkpoint)
        restore(tensors, network=self.classifier.network, optimizers=[])
        self.classifier.save(self.run.path / "last.safetensors")

    def _budget(self) -> Budget:
        if self.recipe.minutes is not None:
            return TimeBudget(self.recipe.minutes * 60)
        return StepBudget(max(1, round((self.recipe.epochs or 1) * self.batches.steps)))
