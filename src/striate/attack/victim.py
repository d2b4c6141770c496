"""The model under attack: borrowed, asked in parts that fit memory, and put back as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Any, Self, TypeAlias

import torch
from torch import Tensor, nn

from striate.attack.goals import Goal
from striate.core.errors import AttackError
from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.folding import can_be_folded
from striate.engine.input_gradients import fast_input_gradients
from striate.engine.passes import images_at_once
from striate.engine.quickening import laid_out, quicker
from striate.nn.inputs import by

Model: TypeAlias = Callable[[Tensor], Tensor]
"""Takes images in [0, 1], N x C x spatial, and gives logits, N x classes; a ``torch.nn.Module`` is one."""

Score: TypeAlias = Callable[[Tensor], Tensor]
"""Gives N scores of N x classes logits, each of its own row."""

WITHOUT_GRADIENTS = ("colour", "single-pixel", "spatial", "square")
"""The attacks that need no gradient, by their names in the catalogue."""

DEVICES = ("cpu", "cuda", "mps")
"""The kinds of devices whose autocast is switched off around attacks."""

AT_ONCE = 1024
"""So many images pass at once at most: more are no faster, and what keeps nothing cannot be measured."""

PARTS = 8
"""A CPU takes a part of what memory allows at once: on a small convolutional network, 128 images took a fifth
less time each than 256, and a third less where channels come first."""

FEW = 8
"""So many images pass at once, where memory allows it: fewer keep a CPU less busy."""


class Victim:
    """Ask a model for logits and gradients, inside a block that leaves it as it was.

    A ``torch.nn.Module`` is in evaluation mode inside the block, its weights need no gradients, its filters
    lie as convolutions compute fastest, and all that is put back afterwards, also after an error. Any other
    callable is called as it is.

    Success is what the model answers as it is deployed (`logits`): under the autocast that the block was
    entered in, which holds for nothing else inside. Gradients are of float32: of a copy where weights are of
    half precision, or where batch norms can be folded into its convolutions, which is quicker and rounds
    elsewhere. What a gradient's pass says of success is `confirmed` by the deployed model where these differ.

    Args:
        model: takes images in [0, 1] and gives logits.
        batch: how many images pass at once; by default as many as memory allows.
        dtype: the type of the images that the deployed model is given; by default as they come.

    Raises:
        AttackError: where the model cannot be called.

    >>> with Victim(nn.Flatten()) as victim:
    ...     victim.gradient(torch.ones(1, 1, 2), lambda logits: logits[:, 0] * 3)[2]
    tensor([[[3., 0.]]])
    """

    def __init__(self, model: Model, *, batch: int | None = None, dtype: torch.dtype | None = None) -> None:
        if not callable(model):
            raise AttackError(
                f"a model takes images and gives logits; a {type(model).__name__} cannot be called"
            )
        self.forwards = 0
        """How many images have been answered for."""
        self.backwards = 0
        """For how many images a gradient has been computed."""
        self._model = model
        self._batch = batch
        self._dtype = dtype
        self._precise: Model | None = None
        self._cast: dict[int, torch.dtype] = {}
        self._prepared = False
        self._autocast: dict[str, torch.dtype] = {}  # by kind of device, where it is on
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        network = self._model if isinstance(self._model, nn.Module) else nn.Identity()
        self._stack.enter_context(borrowed_for_gradients(network))
        self._autocast = {
            kind: torch.get_autocast_dtype(kind) for kind in DEVICES if torch.is_autocast_enabled(kind)
        }
        for kind in self._autocast:
            self._stack.enter_context(torch.autocast(kind, enabled=False))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._precise, self._prepared = None, False

    @property
    def device(self) -> torch.device | None:
        """Where the model's weights are; ``None`` where that is not known."""
        if not isinstance(self._model, nn.Module):
            return None
        return next((each.device for each in self._model.parameters()), None)

    def logits(self, images: Tensor) -> Tensor:
        """Ask the model as it is deployed, without gradients.

        Args:
            images: N x C x spatial.

        Returns:
            N x classes, at least in float32.

        Raises:
            AttackError: where it does not give one tensor of N x classes.
        """
        given = images.detach() if self._dtype is None else images.detach().to(self._dtype)
        at_once = self.at_once(images)
        with torch.no_grad(), self._as_deployed(images.device.type):
            parts = [self._answer(self._model, part) for part in torch.split(given, at_once)]
        self.forwards += len(images)
        return torch.cat(parts)

    def gradient(self, images: Tensor, score: Score) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the gradient of a score of each image's logits by its values.

        Args:
            images: N x C x spatial.
            score: gives N scores of N x classes logits. It is called for parts of the images, with rows in
                the places of the others that do not matter.

        Returns:
            The logits (N x classes), the scores (N) and the gradients (of the images' shape), detached.

        Raises:
            AttackError: where no gradient comes back through the model, or it does not give N x classes.
        """
        model, at_once, start = self._for_gradients(images), self.at_once(images), 0
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for part in torch.split(images.detach(), at_once):
            leaf = part.clone().requires_grad_()
            with torch.autocast(images.device.type, enabled=False):
                with fast_input_gradients(model):
                    logits = self._answer(model, leaf)
                scores = _scores_of_part(score, logits, start, len(images))
                found.append((logits.detach(), scores.detach(), _derivative(scores, leaf)))
            start += len(part)
        self.forwards += len(images)
        self.backwards += len(images)
        if len(found) == 1:
            return found[0]
        answers, scored, gradients = zip(*found, strict=True)
        return torch.cat(answers), torch.cat(scored), torch.cat(gradients)

    def jacobian(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the gradients of several logits of each image by its values.

        Args:
            images: N x C x spatial.
            classes: N x K int64, the logits of which.

        Returns:
            The logits (N x classes) and the gradients (N x K x C x spatial), detached.

        Raises:
            AttackError: as `gradient`.
        """
        model, at_once = self._for_gradients(images), self.at_once(images)
        found: list[tuple[Tensor, Tensor]] = []
        for part, wanted in zip(
            torch.split(images.detach(), at_once), torch.split(classes, at_once), strict=True
        ):
            leaf = part.clone().requires_grad_()
            with torch.autocast(images.device.type, enabled=False):
                with fast_input_gradients(model):
                    logits = self._answer(model, leaf)
                chosen = logits.gather(1, wanted).unbind(dim=1)
                last = len(chosen) - 1
                gradients = [
                    _derivative(each, leaf, again=number < last) for number, each in enumerate(chosen)
                ]
            found.append((logits.detach(), torch.stack(gradients, dim=1)))
        self.forwards += len(images)
        self.backwards += classes.numel()
        answers, stacked = zip(*found, strict=True)
        return torch.cat(answers), torch.cat(stacked)

    def confirmed(self, goal: Goal, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Say which images have reached a goal, given the logits of a gradient's pass.

        Where the model is deployed in another precision, what these say is asked of that too.

        Args:
            goal: aligned with the images.
            logits: N x classes, as `gradient` gave them.
            images: N x C x spatial.
            labels: N int64, the true classes.

        Returns:
            N booleans.
        """
        met = goal.is_met(logits, labels)
        kind = images.device.type
        cast = self._dtype is not None or kind in self._autocast or torch.is_autocast_enabled(kind)
        if (not cast and self._for_gradients(images) is self._model) or not met.any():
            return met
        rows = met.nonzero().squeeze(1)
        deployed = self.logits(images[rows])
        return met.index_put((rows,), goal.rows(rows).is_met(deployed, labels[rows]))

    def _as_deployed(self, kind: str) -> AbstractContextManager[object]:
        """Compute as around the block on a kind of device."""
        dtype = self._autocast.get(kind)
        return nullcontext() if dtype is None else torch.autocast(kind, dtype=dtype)

    def at_once(self, images: Tensor) -> int:
        """Say how many images may pass at once; the first time also lay the model out for speed.

        Args:
            images: N x C x spatial, of which one is tried.

        Returns:
            At least 1.
        """
        if not self._prepared:
            self._prepared = True
            if isinstance(self._model, nn.Module):
                self._stack.enter_context(laid_out(self._model, images))
            if self._batch is None:
                self._batch = self._measured(images[:1])
        return self._batch or AT_ONCE

    def _measured(self, image: Tensor) -> int:
        network = self._model if isinstance(self._model, nn.Module) else None
        allowed = images_at_once(
            lambda leaf: self._answer(self._model, leaf), image, network, wanted=PARTS * AT_ONCE
        )
        if image.device.type == "cpu":
            return max(min(allowed, FEW), allowed // PARTS)
        return min(allowed, AT_ONCE)

    def _for_gradients(self, images: Tensor) -> Model:
        """Give the model, in float32 where it is of half precision and can compute so; without its norms."""
        if self._precise is None:
            self._precise = self._model
            if isinstance(self._model, nn.Module):
                half = any(map(_is_half, self._model.parameters()))
                if half or can_be_folded(self._model, images):
                    self._precise = self._copied(self._model, images[:1], half=half)
        return self._precise

    def _copied(self, model: nn.Module, image: Tensor, *, half: bool) -> Model:
        try:
            precise = copy.deepcopy(model)
            if half:
                precise.float()
            with torch.no_grad():
                self._answer(precise, image)
        except (RuntimeError, TypeError):  # it cannot be copied, or casts to its own precision inside
            return model
        self._stack.enter_context(quicker(precise, image))
        return precise

    def _answer(self, model: Model, images: Tensor) -> Tensor:
        """Call a model with a copy of images, which it may write; in its weights' type where it must be."""
        try:
            answer = model(images.to(self._cast.get(id(model), images.dtype), copy=True))
        except RuntimeError:
            weights = model.parameters() if isinstance(model, nn.Module) else iter(())
            wanted = next((each.dtype for each in weights if each.is_floating_point()), images.dtype)
            if wanted == images.dtype or id(model) in self._cast:
                raise
            self._cast[id(model)] = wanted
            return self._answer(model, images)
        return _checked(answer, len(images)).to(images.device)


def _checked(answer: Any, count: int) -> Tensor:
    """Refuse what are no logits of so many images."""
    if not isinstance(answer, Tensor):
        raise AttackError(
            f"the model gives a {type(answer).__name__}, where a tensor of {count} x classes logits is wanted"
        )
    if answer.ndim != 2 or len(answer) != count or not answer.is_floating_point():
        kind = str(answer.dtype).removeprefix("torch.")
        raise AttackError(
            f"the model gives {kind} of {by(answer.shape) or 'no axis'} for "
            f"{count} images, where logits of {count} x classes are wanted"
        )
    return answer.to(torch.promote_types(answer.dtype, torch.float32))


def _scores_of_part(score: Score, logits: Tensor, start: int, count: int) -> Tensor:
    """Compute the scores of a part of the images, which begins at a row, by a function of all of them."""
    if len(logits) == count:
        return score(logits)
    others = logits[:1].detach()
    before, after = others.expand(start, -1), others.expand(count - start - len(logits), -1)
    return score(torch.cat([before, logits, after]))[start : start + len(logits)]


def _derivative(scores: Tensor, leaf: Tensor, *, again: bool = False) -> Tensor:
    gradient = None
    if scores.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(scores.sum(), leaf, retain_graph=again, allow_unused=True)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise AttackError(f"{_no_gradient()}: {(str(error).splitlines() or ['it failed'])[0]}") from error
    if gradient is None:
        raise AttackError(_no_gradient())
    return gradient


def _no_gradient() -> str:
    return (
        "no gradient comes back through the model, which this attack needs; these need none: "
        f"{', '.join(WITHOUT_GRADIENTS)}"
    )


def _is_half(parameter: Tensor) -> bool:
    return parameter.dtype in (torch.bfloat16, torch.float16)
