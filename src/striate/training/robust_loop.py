"""The training loop of networks that shall withstand attacks: on attacked images, judged by attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from striate.attack import PGD, Ball, Draws, parse_ball
from striate.core.events import Event
from striate.core.seeds import derive
from striate.data.batches import as_numbers, as_tensor
from striate.engine.input_gradients import fast_input_gradients
from striate.engine.run_directory import Row
from striate.training.loop import Loop

REACH = 2.5
"""How far the steps of an attack go together, in radii, where they are six or more."""

TRADE = 6.0
"""How much the agreement with clean images counts in ``trades``, against their cross entropy."""

JUDGE_STEPS = 10
"""So many steps the attack takes by which epochs are judged."""

MOST_JUDGED = 512
"""On so many validation images epochs are judged by attack, at most, evenly chosen."""

FALL = 0.1
"""By how much the accuracy under attack falls below the best, and more than that under one step, where
training has overfitted to one step."""

LEARNT = 0.3
"""From this accuracy under one step on, a network has learnt to withstand it."""


@dataclass
class RobustLoop(Loop):
    """A training under way on attacked images; the rest is as in `striate.training.loop.Loop`.

    ``fast``: one step from a random start (Wong, Rice and Kolter, Fast is better than free, 2020). ``pgd``:
    several steps (Madry et al., Towards deep learning models resistant to adversarial attacks, 2018).
    ``trades``: cross entropy of clean images, and six times the divergence of the attacked from these (Zhang
    et al., Theoretically principled trade-off between robustness and accuracy, 2019). ``free``: each batch
    moves weights and images several times, both by the same backward pass (Shafahi et al., Adversarial
    training for free!, 2019; here each batch begins with a random start, so that nothing but weights and
    momenta is to be kept between steps).

    All attacks are made on the network as it is trained, with the norms of the batch. At each validation some
    of its images are attacked by PGD, and the best epoch is the one that withstands most of it (Rice, Wong
    and Kolter, Overfitting in adversarially robust deep learning, 2020).

    Training by few steps can collapse: the network then withstands such attacks alone (catastrophic
    overfitting). Where that is seen of ``fast`` and ``pgd``, the weights go back to the best epoch, unless
    this is it, and attacks take a step more from then on.
    """

    _ball: Ball = field(init=False)

    @property
    def judged_by(self) -> str:
        """The column of the results by which the best epoch is chosen: the accuracy under attack."""
        return "robust_accuracy"

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.recipe.robust is not None
        self._ball = parse_ball(self.recipe.robust)

    def run(self) -> None:
        """Train until the budget is spent or the target is reached; the classifier then says what it stands.

        Raises:
            TrainingError: where the loss is no longer a finite number; checkpoints stay as they were.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, when the checkpoint has been written.
        """
        super().run()
        self.classifier.details["robust"] = {
            "ball": self.recipe.robust,
            "validation_accuracy": self.state.rows[self.state.best_epoch - 1]["robust_accuracy"],
            "images": len(self._judged_rows()),
            "attack": f"PGD, {JUDGE_STEPS} steps",
        }

    def _descend(self, pixels: Tensor, labels: Tensor) -> Tensor:
        method = self.recipe.robust_method
        if method == "free":
            return self._replay(pixels, labels)
        if method == "trades":
            return self._trade(pixels, labels)
        attacked = self._attacked(pixels, lambda logits: F.cross_entropy(logits, labels, reduction="sum"))
        return super()._descend(attacked, labels)

    @property
    def _steps(self) -> int:
        """How many steps attacks take now."""
        assert self.recipe.robust_steps is not None
        return self.recipe.robust_steps + self.state.steps_back

    def _attacked(self, pixels: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
        """Ascend a score of the logits from a random start; no weight gets a gradient by it."""
        steps, region = self._steps, self._ball.region(pixels)
        length = reach(steps) * self._ball.eps / steps
        changed = self._start(pixels)
        for _ in range(steps):
            leaf = changed.requires_grad_()
            with fast_input_gradients(self.classifier.network):
                logits = self._logits(leaf)
            (gradient,) = torch.autograd.grad(score(logits), leaf)
            changed = region.project(leaf.detach() + length * self._ball.ascent(leaf.detach(), gradient))
        return changed

    def _start(self, pixels: Tensor) -> Tensor:
        # Seeded by step and place in the batch, draws are the same after a training was resumed, and in any
        # number of processes.
        first = self.world.share(self.batches.batch).start
        seed = (derive(self.recipe.seed, "attack", self.state.step) >> 1) + first
        seeds = torch.arange(len(pixels), device=pixels.device) + seed
        started = self._ball.start(pixels, Draws(seeds))
        return started.contiguous(memory_format=self.classifier.policy.memory_format_of(pixels.ndim - 2))

    def _trade(self, pixels: Tensor, labels: Tensor) -> Tensor:
        clean = self._logits(pixels)
        wanted = clean.detach().log_softmax(dim=1)

        def divergence(logits: Tensor, wanted: Tensor = wanted) -> Tensor:
            found = logits.log_softmax(dim=1)
            return F.kl_div(found, wanted, reduction="sum", log_target=True)

        attacked = self._attacked(pixels, divergence)
        logits = self._logits(attacked)
        apart = divergence(logits, clean.log_softmax(dim=1)) / max(len(labels), 1)
        self._update(self.objective.loss(clean, labels, self._weights) + TRADE * apart, len(labels))
        return logits

    def _replay(self, pixels: Tensor, labels: Tensor) -> Tensor:
        region, changed = self._ball.region(pixels), self._start(pixels)
        logits = changed
        for _ in range(self._steps):
            leaf = changed.requires_grad_()
            logits = self._logits(leaf)
            self._update(self.objective.loss(logits, labels, self._weights), len(labels))
            assert leaf.grad is not None
            ascent = self._ball.ascent(leaf.detach(), leaf.grad)
            changed = region.project(leaf.detach() + self._ball.eps * ascent)
        return logits

    def _measure_more(self) -> Row:
        """Measure the accuracy under one step and under the attack that judges."""
        rows = self._judged_rows()

        def withstood(share: slice) -> Tensor:
            images = as_tensor(self.validation.images[rows[share]]).to(self.classifier.policy.device)
            memory_format = self.classifier.policy.memory_format_of(images.ndim - 2)
            pixels = as_numbers(images).contiguous(memory_format=memory_format)
            labels = torch.as_tensor(self.validation.labels[rows[share]], device=pixels.device).long()
            found = []
            for steps in (1, JUDGE_STEPS):
                attack = PGD(self._ball, steps=steps, relative_step=reach(steps) / steps)
                seeds = torch.arange(share.start, share.stop)
                attacked = attack(self.classifier, pixels, labels, seeds=seeds) if len(pixels) else pixels
                found.append(self.classifier.logits(attacked).argmax(dim=1) == labels.cpu())
            return torch.stack(found, dim=1)

        one, many = self.world.in_shares(len(rows), withstood).double().mean(dim=0).tolist()
        return {"single_step_accuracy": one, "robust_accuracy": many}

    def _judged_rows(self) -> np.ndarray:
        count = len(self.validation)
        return np.linspace(0, count - 1, min(count, MOST_JUDGED)).astype(np.int64)

    def _validate(self) -> None:
        before = self.state.rows[self.state.best_epoch - 1] if self.state.best_epoch else None
        super()._validate()
        few = self.recipe.robust_method in ("fast", "pgd")
        if few and has_collapsed(self.state.rows[-1], before):
            self._step_back(before)

    def _step_back(self, best: Row | None) -> None:
        state, before = self.state, _counted(self._steps)
        state.steps_back += 1
        row = state.rows[-1]
        one, many = row["single_step_accuracy"], row["robust_accuracy"]
        went = ""
        if best is not None and best["robust_accuracy"] > many:
            self.classifier.network.load_state_dict(state.best)
            momenta = [each for optimizer in self.optimizers for each in optimizer.state.values()]
            for value in (value for each in momenta for value in each.values()):
                if isinstance(value, Tensor):
                    value.zero_()
            self.averages.follow()
            went = f"it goes back to the weights of epoch {best['epoch']:g} and "
        message = (
            f"the training has overfitted to attacks of {before} ({one:.1%} withstand one step and "
            f"{many:.1%} PGD); {went}goes on with {_counted(self._steps)}"
        ).replace("%", " %")
        self.on_event(Event("warning", {"message": message}))


def has_collapsed(row: Row, best: Row | None) -> bool:
    """Say whether a network has come to withstand single steps only.

    That is so where less than half of what withstands one step withstands PGD; and where the accuracy under
    PGD has fallen below the best by `FALL`, and its distance from that under one step has grown by `FALL`.
    Networks that withstand hardly any single step have yet to learn.

    Args:
        row: of the latest validation.
        best: of the best one before; ``None`` where this is the first.

    Returns:
        Whether training has to step back.

    >>> has_collapsed({"single_step_accuracy": 0.9, "robust_accuracy": 0.1}, None)
    True
    """
    one, many = row["single_step_accuracy"], row["robust_accuracy"]
    if one >= LEARNT and many < one / 2:
        return True
    if best is None:
        return False
    wider = one - many - (best["single_step_accuracy"] - best["robust_accuracy"])
    return wider >= FALL and many <= best["robust_accuracy"] - FALL


def reach(steps: int) -> float:
    """Say how far the steps of an attack go together.

    Args:
        steps: how many, at least 1.

    Returns:
        In radii: 1.25 for one step (Wong, Rice and Kolter 2020), up to `REACH`.

    >>> reach(1), reach(2), reach(7)
    (1.25, 1.5, 2.5)
    """
    return min(REACH, 1 + steps / 4)


def _counted(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"
