"""Chance in a network while it trains: features dropped before the head, and residual blocks gone past."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from striate.classifier import head_of
from striate.core.errors import LayerError, RecipeError
from striate.core.recipe import Recipe
from striate.nn import AroundBranch
from striate.training.transfer import fits_features_only


@dataclass(frozen=True)
class DroppedFeatures:
    """Drops a share of what a layer is given while a network trains; what is left grows by as much.

    Args:
        network: drops nothing while it is in evaluation.
        share: in [0, 1).
    """

    network: nn.Module
    share: float

    def __call__(self, _: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Give what the layer is given instead; a hook before its forward pass."""
        return F.dropout(given[0], self.share, self.network.training), *given[1:]


@dataclass(frozen=True)
class DroppedBranch:
    """Lets images go past the branch of a residual block at random while a network trains.

    What the branch gives is multiplied by 0 with the probability given, and by 1/(1 - probability) else, for
    each image by itself, so that its expectation is what it is in evaluation, where nothing is dropped.

    Args:
        network: drops nothing while it is in evaluation.
        probability: in [0, 1).
    """

    network: nn.Module
    probability: float

    def __call__(self, _: nn.Module, __: tuple[Tensor, ...], features: Tensor) -> Tensor:
        """Give what the branch gives instead; a hook behind the last layer of it."""
        if not self.network.training:
            return features
        draws = torch.rand((len(features), *(1,) * (features.ndim - 1)), device=features.device)
        kept = (draws >= self.probability) / (1 - self.probability)
        return features * kept.to(features.dtype)


def regularise(network: nn.Module, recipe: Recipe) -> None:
    """Let a network drop features and go past blocks while it trains, as a recipe says.

    In evaluation, and in a file, it is the network that it was: hooks hold the chance, and no layer is added.
    Where the network has layers of dropout itself, they drop the recipe's share instead of their own, and
    nothing else does. Of L residual blocks the l-th is gone past with the probability
    ``l/L stochastic_depth``.

    Args:
        network: changed in place.
        recipe: says the shares.

    Raises:
        RecipeError: where the network has no place for them.

    Source: Huang et al., Deep Networks with Stochastic Depth (2016), section 3, for the probabilities. What
    differs: each image of a batch draws for itself, and what is left grows in training instead of shrinking
    in evaluation.
    """
    if recipe.dropout is not None:
        own = [each for each in network.modules() if isinstance(each, _DropoutNd) and each.p > 0]
        for layer in own:
            layer.p = recipe.dropout
        if recipe.dropout and not own:
            _head(network, recipe).register_forward_pre_hook(DroppedFeatures(network, recipe.dropout))
    if recipe.stochastic_depth:
        branches = _branches(network, recipe)
        for number, branch in enumerate(branches, 1):
            probability = number / len(branches) * recipe.stochastic_depth
            branch.register_forward_hook(DroppedBranch(network, probability))


def check_controls(network: nn.Module, recipe: Recipe) -> None:
    """Refuse controls of overfitting that could do nothing in a training.

    Args:
        network: that is to be trained.
        recipe: with everything decided.

    Raises:
        RecipeError: naming one of them, and what would work.
    """
    if recipe.dropout:
        _head(network, recipe)
    if recipe.stochastic_depth:
        _branches(network, recipe)
    named = {
        "dropout": recipe.dropout,
        "stochastic_depth": recipe.stochastic_depth,
        "l1": recipe.l1,
        "lp": recipe.lp,
        "average_weights": recipe.average_weights,
        "patience": recipe.patience,
    }
    asked = [name for name, value in named.items() if value]
    if asked and fits_features_only(network, recipe):
        name = asked[0]
        raise RecipeError(
            f"{name} is {named[name]}, and with a frozen backbone and images that do not change only the "
            "head is fitted, at once and regularised by cross-validation; leave one of the two out"
        )


def _head(network: nn.Module, recipe: Recipe) -> nn.Linear:
    try:
        return head_of(network)[1]
    except LayerError as error:
        raise RecipeError(
            f"dropout is {recipe.dropout:g}, and '{recipe.model}' ends with no dense layer before which "
            "features could be dropped; leave it out"
        ) from error


def _branches(network: nn.Module, recipe: Recipe) -> list[nn.Module]:
    blocks = [each for each in network.modules() if isinstance(each, AroundBranch)]
    branches = [each.branch_end for each in blocks if each.branch_end is not None]
    if not branches:
        raise RecipeError(
            f"stochastic_depth is {recipe.stochastic_depth:g}, and '{recipe.model}' has no residual block "
            "that an image could go past; leave it out, or take a residual network such as resnet18"
        )
    return branches
