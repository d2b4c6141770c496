"""The losses by which discriminator and generator play against each other, on scores without a sigmoid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from striate.core.errors import RecipeError, unknown_name


class AdversarialLoss(ABC):
    """Two losses over the scores of a batch of real images and of one of generated images."""

    compares: ClassVar[bool] = False
    """Whether the generator's loss depends on the scores of real images too."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give what the discriminator makes small.

        Args:
            real: N scores of real images.
            fake: N scores of generated images.

        Returns:
            One number.
        """

    @abstractmethod
    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give what the generator makes small.

        Args:
            real: N scores of real images; unused unless the loss `compares`.
            fake: N scores of generated images.

        Returns:
            One number.
        """


class NonSaturating(AdversarialLoss):
    """Cross-entropy: ``-log s(real) - log(1 - s(fake))`` against ``-log s(fake)``, s the logistic function.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), section 3.

    >>> import torch
    >>> round(NonSaturating().discriminator(torch.zeros(2), torch.zeros(2)).item(), 4)
    1.3863
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean log(1 + exp(-real)) + mean log(1 + exp(fake))``."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG002
        """Give ``mean log(1 + exp(-fake))``."""
        return F.softplus(-fake).mean()


class LeastSquares(AdversarialLoss):
    """Half the squared distance to 1 for real images and to 0 for generated ones; the generator's to 1.

    Source: Mao et al., Least Squares Generative Adversarial Networks (2017), equation 9.

    >>> import torch
    >>> LeastSquares().generator(torch.zeros(2), torch.zeros(2)).item()
    0.5
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean (real - 1)^2 / 2 + mean fake^2 / 2``."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG002
        """Give ``mean (fake - 1)^2 / 2``."""
        return (fake - 1).square().mean() / 2


class Wasserstein(AdversarialLoss):
    """The difference of the mean scores, which wants a gradient penalty.

    Source: Arjovsky et al., Wasserstein GAN (2017), section 3; Gulrajani et al., Improved Training of
    Wasserstein GANs (2017), for the penalty.

    >>> import torch
    >>> Wasserstein().discriminator(torch.ones(2), torch.zeros(2)).item()
    -1.0
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean fake - mean real``."""
        return fake.mean() - real.mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG002
        """Give ``-mean fake``."""
        return -fake.mean()


class Hinge(AdversarialLoss):
    """Scores of real images are pushed over 1 and those of generated ones under -1, and no further.

    Source: Miyato et al., Spectral Normalization for Generative Adversarial Networks (2018), equations 16
    and 17.

    >>> import torch
    >>> Hinge().discriminator(torch.full((2,), 3.0), torch.zeros(2)).item()
    1.0
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean max(0, 1 - real) + mean max(0, 1 + fake)``."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:  # noqa: ARG002
        """Give ``-mean fake``."""
        return -fake.mean()


class Relativistic(AdversarialLoss):
    """Cross-entropy of the difference of a real and a generated image's score, pair by pair.

    Source: Jolicoeur-Martineau, The relativistic discriminator (2018), section 4.1; Huang et al., The GAN is
    dead; long live the GAN! (2024), equation 2.

    >>> import torch
    >>> loss = Relativistic()
    >>> round(loss.generator(torch.ones(1), torch.ones(1)).item(), 4)
    0.6931
    """

    compares: ClassVar[bool] = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean log(1 + exp(fake - real))``."""
        return F.softplus(fake - real).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Give ``mean log(1 + exp(real - fake))``."""
        return F.softplus(real - fake).mean()


LOSSES: dict[str, AdversarialLoss] = {
    "non-saturating": NonSaturating(),
    "least-squares": LeastSquares(),
    "wasserstein": Wasserstein(),
    "hinge": Hinge(),
    "relativistic": Relativistic(),
}
"""The losses that can be named."""


def find_loss(name: str) -> AdversarialLoss:
    """Give the loss of a name.

    Args:
        name: a key of `LOSSES`.

    Returns:
        The loss.

    Raises:
        RecipeError: where there is none of that name, naming the nearest.

    >>> find_loss("hinged")
    Traceback (most recent call last):
    striate.core.errors.RecipeError: there is no loss 'hinged'; did you mean 'hinge'? (there are: \
non-saturating, least-squares, wasserstein, hinge, relativistic)
    """
    if name not in LOSSES:
        raise RecipeError(unknown_name("loss", name, LOSSES))
    return LOSSES[name]
