"""A session: everything that is needed to train a generator to its end, and what it tells and saves."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from torch import Tensor, nn

from striate.core.device import Policy
from striate.core.errors import TrainingError
from striate.core.events import Event, OnEvent
from striate.core.files import write_text
from striate.core.seeds import derive
from striate.data import Dataset
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches
from striate.engine.budgets import Budget, StepBudget, TimeBudget
from striate.engine.checkpoints import computed_by, restore
from striate.engine.memory import keep_freed_memory
from striate.engine.records import append_row, logged, write_rejected, write_rows, writing
from striate.engine.world import World
from striate.gan.announcing import announcements
from striate.gan.averaging import AveragedGenerator
from striate.gan.backbone import write_backbone
from striate.gan.building import new_contest, new_networks, trained
from striate.gan.contest import Contest
from striate.gan.diagnosis import FEWEST_REAL
from striate.gan.generator_file import TrainedGenerator
from striate.gan.loop import GanLoop
from striate.gan.recipe import GanRecipe
from striate.gan.run import GanRun
from striate.gan.sheets import Sheets
from striate.gan.state import GanState, read_gan_checkpoint, save_gan_checkpoint
from striate.gan.watching import Watch

CHECKED = 512
"""How many samples the watch is shown."""


@dataclass
class GanSession:
    """Everything that is needed to train a generator to its end.

    Args:
        run: where everything is written.
        dataset: what is learnt from.
        recipe: with everything decided.
        contest: the networks and their optimisers.
        averaged: follows the generator.
        batches: of the training part.
        state: where the training stands.
        on_event: is given every event.
    """

    run: GanRun
    dataset: Dataset
    recipe: GanRecipe
    contest: Contest
    averaged: AveragedGenerator
    batches: Batches
    state: GanState
    on_event: OnEvent
    sheets: Sheets = field(init=False)
    watch: Watch | None = field(init=False, default=None)
    _unwatched: dict[str, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.sheets = Sheets(self.run.path, class_names=self._class_names(), seed=self.recipe.seed)
        train, known = self.dataset.train, len(self.dataset.classes) > 1
        if len(train) >= FEWEST_REAL:
            self.watch = Watch(
                train.images,
                labels=train.labels if known else None,
                held_out=self.dataset.validation.images,
                class_names=self.dataset.classes if known else (),
                flip=self.recipe.flip,
                seed=self.recipe.seed,
            )
            self._unwatched = self.watch.state()

    @classmethod
    def new(
        cls, run: GanRun, dataset: Dataset, recipe: GanRecipe, policy: Policy, *, on_event: OnEvent
    ) -> GanSession:
        """Build all parts as the recipe says, at the start of a training.

        Args:
            run: where everything is written.
            dataset: what is learnt from.
            recipe: with everything decided.
            policy: where and how the networks compute.
            on_event: is given every event.

        Returns:
            The session, before its first step.
        """
        if policy.device == "cpu":
            keep_freed_memory()
        contest = new_contest(dataset, recipe, policy)
        return cls(
            run=run,
            dataset=dataset,
            recipe=recipe,
            contest=contest,
            averaged=AveragedGenerator(contest.generator, half_life=recipe.ema or 0.0),
            batches=Batches(
                dataset.train,
                batch=recipe.batch or 2,
                device=policy.device,
                seed=recipe.seed,
                augmentation=Augmentation(flip=recipe.flip, shift=0),
            ),
            state=GanState(),
            on_event=logged(run, on_event),
        )

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Everything with weights, by the names that checkpoints have."""
        return {
            "generator": self.contest.generator,
            "discriminator": self.contest.discriminator,
            "averaged": self.averaged.network,
        }

    def resume(self, state: GanState, tensors: dict[str, Tensor]) -> None:
        """Go on where a checkpoint stood.

        Args:
            state: from `striate.gan.state.read_gan_checkpoint`.
            tensors: from there too.

        Raises:
            RunError: where the tensors are not those of these networks.
        """
        restore(tensors, networks=self.networks, optimizers=self.contest.optimizers)
        self.state = state
        if self.watch is not None and state.watch:
            self.watch.restore(state.watch)

    def complete(self, *, preparation: float) -> GanRun:
        """Train to the end of the budget and write what a run ends with.

        Args:
            preparation: seconds that opening the data took, to be told.

        Returns:
            The finished run.

        Raises:
            TrainingError: where a loss is no longer a number; the generator of the last checkpoint is kept.
            RunError: where the run directory cannot be written.
            KeyboardInterrupt: after Ctrl-C, when the checkpoint has been written.
        """
        self._begin()
        told = announcements(
            self.run,
            self.dataset,
            self.contest,
            resident=self.batches.resident,
            watched=self.watch is not None,
            preparation=preparation,
            step=self.state.step,
        )
        for event in told:
            self.on_event(event)
        try:
            self._loop().run()
        except TrainingError as error:
            self.state, tensors, _ = read_gan_checkpoint(self.run.checkpoint)
            restore(tensors, networks=self.networks, optimizers=())
            self._write_generator()
            raise TrainingError(
                f"{error}; the generator of the last checkpoint is kept in {self.run.path}"
            ) from error
        except KeyboardInterrupt:
            self._write_generator()
            raise
        self._finish()
        return self.run

    def budget(self) -> Budget:
        """Give a budget as the recipe says, before its first step."""
        if self.recipe.minutes is not None:
            return TimeBudget(self.recipe.minutes * 60)
        return StepBudget(max(1, round((self.recipe.epochs or 1) * self.batches.steps)))

    def _loop(self) -> GanLoop:
        return GanLoop(
            contest=self.contest,
            averaged=self.averaged,
            batches=self.batches,
            watch=self.watch,
            budget=self.budget(),
            state=self.state,
            save=self._save,
            draw=self._draw,
            samples=self._samples,
            renew=self._renew,
            on_event=self._record,
        )

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
            append_row(self.run, dict(event.data))
        self.on_event(event)

    def _save(self) -> None:
        facts = {
            "recipe": self.recipe.to_dict(),
            "source": self.dataset.source,
            "fingerprint": self.dataset.fingerprint,
            "computed_by": computed_by(World()),
        }
        with writing(self.run):
            save_gan_checkpoint(
                self.run.checkpoint,
                state=self.state,
                networks=self.networks,
                optimizers=self.contest.optimizers,
                facts=facts,
            )

    def _draw(self, title: str) -> None:
        with writing(self.run):
            self.sheets.draw(self.averaged.network, step=self.state.step, title=title)

    def _samples(self) -> Tensor:
        generator = self.trained
        seed = derive(self.recipe.seed, "check", self.state.step)
        return generator.images(generator.latents(CHECKED, seed=seed), generator.labels(CHECKED, seed=seed))

    def _renew(self) -> None:
        networks = new_networks(self.dataset, self.recipe, self.contest.policy, restarts=self.state.restarts)
        for network, new in zip((self.contest.generator, self.contest.discriminator), networks, strict=True):
            network.load_state_dict(new.state_dict())
        self.averaged.network.load_state_dict(networks[0].state_dict())
        for optimizer in self.contest.optimizers:
            optimizer.state.clear()
        if self.watch is not None:
            self.watch.restore(self._unwatched)

    @property
    def images_seen(self) -> int:
        """How many real images the discriminator has been shown."""
        return self.state.step * self.batches.batch

    @property
    def trained(self) -> TrainedGenerator:
        """The generator that is kept: the average of the weights, itself and no copy."""
        policy = self.contest.policy
        return trained(self.averaged.network, self.dataset, self.recipe, policy, images_seen=self.images_seen)

    def _class_names(self) -> tuple[str, ...]:
        return self.dataset.classes if self.recipe.classes else ()

    def _write_generator(self) -> None:
        with writing(self.run):
            self.trained.save(self.run.path / "generator.safetensors")

    def _finish(self) -> None:
        began, state = time.perf_counter(), self.state
        if state.sheets <= self.recipe.sheets:
            self._draw(f"{self.images_seen:,} images seen, {state.elapsed:,.0f} s")
        self._write_generator()
        outcome = {
            "steps": state.step,
            "images_seen": self.images_seen,
            "training_seconds": round(state.elapsed, 3),
            "restarts": state.restarts,
            "collapsed": self.watch is not None and self.watch.collapsed,
            "findings": state.findings,
        }
        with writing(self.run):
            write_backbone(self.contest.discriminator, self.run.path / "backbone.safetensors")
            # Last: a run that has it is finished.
            write_text(self.run.path / "outcome.json", json.dumps(outcome, indent=1))
        for name in ("generator.safetensors", "backbone.safetensors", "sheet.png"):
            self.on_event(Event("saved", {"path": str(self.run.path / name)}))
        finish = {"finish_seconds": round(time.perf_counter() - began, 3)}
        self.on_event(Event("done", {"run": str(self.run.path), **outcome, **finish}))
