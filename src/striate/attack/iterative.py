"""The fast gradient sign method, and its iterative forms: basic, least likely class, with momentum."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from striate.attack.ascending import Ascent, check_steps
from striate.attack.attack import BallAttack
from striate.attack.ball import Region
from striate.attack.draws import Draws
from striate.attack.goals import Goal, Targeted
from striate.attack.losses import aimed, log_odds
from striate.attack.quantising import Quantised
from striate.attack.victim import Victim
from striate.core.errors import AttackError


@dataclass(frozen=True, kw_only=True)
class FGSM(BallAttack):
    """Make one step along the gradient of the cross entropy, as long as the radius.

    By L-infinity ``x + eps * sign(dJ/dx)``; by other norms the step of that length that raises the loss most.
    The gradient is that of the logarithm of the odds, which points the same way and never vanishes.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.

    Source: Goodfellow, Shlens and Szegedy, Explaining and harnessing adversarial examples (2015), section 4.

    >>> from striate.attack.balls import Linf
    >>> model = lambda images: images.flatten(1) * Tensor([1.0, -1.0])
    >>> FGSM(Linf(0.25))(model, Tensor([[[0.5]]]), Tensor([0]).long()).item()
    0.25
    """

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        del draws
        self.ball.check_bounded("a single step")
        _, _, gradient = victim.gradient(images, lambda logits: aimed(log_odds, self.goal, logits, labels))
        return images + self.ball.length(1.0) * self.ball.ascent(images, gradient)


@dataclass(frozen=True, kw_only=True)
class BIM(BallAttack):
    """Make many small steps along the gradient of the cross entropy, each back into the ball.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        steps: how many, at least 1. With steps of one level of 255 the paper takes
            ``min(255 eps + 4, 1.25 * 255 eps)``.
        relative_step: the length of each, as a share of the radius.
        least_likely: whether to go towards the class that is least likely for the clean image, instead of
            away from the label. Any wrong class ends it.
        quantised: whether to round pixels to the 256 levels of a byte after each step, towards the clean
            image, as they will be stored.

    Raises:
        AttackError: where there is no step, or a target is named beside the least likely class.

    Source: Kurakin, Goodfellow and Bengio, Adversarial examples in the physical world (2017), sections 2.2
    and 2.3; there all steps are made, here an image that has fallen makes no more.

    >>> from striate.attack.balls import Linf
    >>> BIM(Linf(8 / 255), steps=10, relative_step=1 / 8).steps
    10
    """

    steps: int = 10
    relative_step: float = 0.2
    least_likely: bool = False
    quantised: bool = False

    def __post_init__(self) -> None:
        check_steps(self.steps, self.relative_step)
        if self.least_likely and isinstance(self.goal, Targeted):
            raise AttackError(
                "the least likely class is the target, and another is named beside it; drop one"
            )

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        del draws
        self.ball.check_bounded("a step")
        region = self.ball.region(images)
        ascent = Ascent(
            ball=self.ball,
            goal=_Towards(victim.logits(images).argmin(dim=1)) if self.least_likely else self.goal,
            loss=log_odds,
            steps=self.steps,
            length=self.ball.length(self.relative_step),
        )
        bounds: Region = Quantised(region, images) if self.quantised else region
        return ascent.climb(victim, images, labels, bounds).points


@dataclass(frozen=True, kw_only=True)
class MIFGSM(BallAttack):
    """Make steps along a running sum of gradients, which carries over small hills.

    ``g = momentum * g + grad / mean |grad|``, and then a step along g as of `FGSM`.

    Args:
        ball: where changed images may lie.
        goal: what the model shall answer.
        steps: how many, at least 1; each is as long as the radius over their number.
        momentum: the share of the former sum that is kept.

    Raises:
        AttackError: where there is no step, or the momentum is not from 0 to 1.

    Source: Dong et al., Boosting adversarial attacks with momentum (2018), algorithm 1.

    >>> from striate.attack.balls import L2
    >>> MIFGSM(L2(0.5), steps=5).momentum
    1.0
    """

    steps: int = 10
    momentum: float = 1.0

    def __post_init__(self) -> None:
        check_steps(self.steps, None)
        if not 0 <= self.momentum <= 1:
            raise AttackError(f"a momentum of {self.momentum} is not from 0 to 1")

    def _search(self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws) -> Tensor:
        del draws
        self.ball.check_bounded("a step")
        ascent = Ascent(
            ball=self.ball,
            goal=self.goal,
            loss=log_odds,
            steps=self.steps,
            length=self.ball.length(1 / self.steps),
            momentum=self.momentum,
        )
        return ascent.climb(victim, images, labels, self.ball.region(images)).points


@dataclass(frozen=True, eq=False)
class _Towards(Goal):
    """Any wrong class will do, and one of them is what images are drawn to."""

    drawn_to: Tensor
    sign = -1

    def classes(self, labels: Tensor) -> Tensor:
        del labels
        return self.drawn_to

    def rows(self, index: Tensor) -> _Towards:
        return _Towards(self.drawn_to[index])

    def _answered(self, answers: Tensor, labels: Tensor) -> Tensor:
        return answers != labels
