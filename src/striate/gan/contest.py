"""The contest of two networks: a step of the discriminator, and a step of the generator."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from striate.core.device import Policy
from striate.gan.differentiable_augmentation import DifferentiableAugmentation
from striate.gan.losses import AdversarialLoss, find_loss
from striate.gan.penalties import one_centred, slopes, zero_centred
from striate.gan.recipe import GanRecipe
from striate.models.adversarial import Discriminator, Generator

Figures = dict[str, Tensor]


@dataclass
class Contest:
    """Two networks, their optimisers, and how they are set against each other.

    Args:
        generator: is moved by `generator_step`.
        discriminator: is moved by `discriminator_step`.
        optimizers: of the generator and of the discriminator.
        recipe: with everything decided.
        policy: where and how the networks compute; what is penalised computes in float32.
    """

    generator: Generator
    discriminator: Discriminator
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]
    recipe: GanRecipe
    policy: Policy
    loss: AdversarialLoss = field(init=False)
    augmentation: DifferentiableAugmentation = field(init=False)
    _judges_together: bool = field(init=False)

    def __post_init__(self) -> None:
        self.loss = find_loss(self.recipe.loss or "")
        self.augmentation = DifferentiableAugmentation.parse(self.recipe.augment or "none")
        # Batch norm would mix the statistics of real and generated images.
        self._judges_together = not any(
            isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.discriminator.modules()
        )

    def make(self, count: int, labels: Tensor | None, *, teachable: bool) -> Tensor:
        """Make images of latents drawn from the device's global generator.

        Args:
            count: how many.
            labels: (count) int64, where the networks are told classes.
            teachable: whether a step of the generator follows.

        Returns:
            count x C x S x S, float32 in [-1, 1].
        """
        latents = torch.randn(count, self.generator.latent_size, device=self.policy.device)
        with torch.set_grad_enabled(teachable), self.policy.autocast():
            images: Tensor = self.generator(latents, labels)
        return images.float()

    def discriminator_step(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Tensor, *, penalised: bool
    ) -> Figures:
        """Move the discriminator once.

        Args:
            real: N x C x S x S in [-1, 1].
            fake: as many images of the generator.
            labels: (N) int64, of both, where the networks are told classes.
            draws: of the augmentation, the same for both.
            penalised: whether this step has the penalties of those before it too.

        Returns:
            The loss without penalties, mean scores, the penalty, and the norm of the gradient; the scores
            themselves are ``real_scores`` and ``fake_scores``.
        """
        recipe = self.recipe
        real, fake = self.augmentation(real, draws), self.augmentation(fake.detach(), draws)
        r1, r2, straight = (
            (weight or 0.0) if penalised else 0.0
            for weight in (recipe.r1, recipe.r2, recipe.gradient_penalty)
        )
        scores, squared = self._judged(real, fake, labels, sloped=(r1 > 0, r2 > 0))
        loss = self.loss.discriminator(scores[0], scores[1])
        figures = {"discriminator_loss": loss.detach()}
        total, penalty = loss, torch.zeros((), device=loss.device)
        for weight, lengths in zip((r1, r2), squared, strict=True):
            if lengths is not None:
                penalty = penalty + weight * zero_centred(lengths)
        if straight:
            shares = torch.rand(len(real), device=real.device)
            penalty = penalty + straight * one_centred(self._scores_of(labels), real, fake, shares)
        if r1 or r2 or straight:
            figures["penalty"] = penalty.detach()
            total = total + (recipe.penalty_every or 1) * penalty
        figures["discriminator_gradients"] = _descend(total, self.discriminator, self.optimizers[1])
        real_scores, fake_scores = (each.detach() for each in scores)
        means = {"real_score": real_scores.mean(), "fake_score": fake_scores.mean()}
        return figures | means | {"real_scores": real_scores, "fake_scores": fake_scores}

    def generator_step(self, real: Tensor, fake: Tensor, labels: Tensor | None, draws: Tensor) -> Figures:
        """Move the generator once, against the discriminator as it is now.

        Args:
            real: N x C x S x S in [-1, 1].
            fake: as many images that were made to be teachable.
            labels: (N) int64, of both, where the networks are told classes.
            draws: of the augmentation, the same for both.

        Returns:
            The loss, and the norm of the gradient.
        """
        self.discriminator.requires_grad_(False)
        try:
            seen = self.augmentation(fake, draws)
            with self.policy.autocast():
                fake_scores = self.discriminator(seen, labels)
            real_scores = fake_scores.detach()
            if self.loss.compares:
                with torch.no_grad(), self.policy.autocast():
                    real_scores = self.discriminator(self.augmentation(real, draws), labels)
            loss = self.loss.generator(real_scores.float(), fake_scores.float())
            norm = _descend(loss, self.generator, self.optimizers[0])
        finally:
            self.discriminator.requires_grad_(True)
        return {"generator_loss": loss.detach(), "generator_gradients": norm}

    def _judged(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, *, sloped: tuple[bool, bool]
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        """Give the scores of both, and the squared slopes of those that are asked for."""
        if not self._judges_together or sloped[0] != sloped[1]:
            judged = [
                self._scored(images, labels, sloped=wanted)
                for images, wanted in zip((real, fake), sloped, strict=True)
            ]
            return [scores for scores, _ in judged], [squared for _, squared in judged]
        twice = None if labels is None else torch.cat([labels, labels])
        scores, squared = self._scored(torch.cat([real, fake]), twice, sloped=sloped[0])
        return list(scores.chunk(2)), [None, None] if squared is None else list(squared.chunk(2))

    def _scored(self, images: Tensor, labels: Tensor | None, *, sloped: bool) -> tuple[Tensor, Tensor | None]:
        if sloped:
            return slopes(self._scores_of(labels), images)
        with self.policy.autocast():
            scores: Tensor = self.discriminator(images, labels)
        return scores.float(), None

    def _scores_of(self, labels: Tensor | None) -> _ScoresOf:
        return _ScoresOf(self.discriminator, labels)


@dataclass(frozen=True)
class _ScoresOf:
    """The discriminator with its labels, as a function of images alone."""

    discriminator: Discriminator
    labels: Tensor | None

    def __call__(self, images: Tensor) -> Tensor:
        scores: Tensor = self.discriminator(images, self.labels)
        return scores


def _descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> Tensor:
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm.detach()
