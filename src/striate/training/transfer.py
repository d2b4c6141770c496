"""Which parts of a pre-trained network learn, at what rate and from when on: freezing and unfreezing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from striate.classifier import head_of
from striate.core.errors import RecipeError
from striate.core.recipe import Recipe

EARLIEST_RATE = 0.1
"""The rate of the first block as a share of the last one's: what is in between falls evenly in powers."""

NEW_HEAD_RATE = 10.0
"""The rate of a head that begins at chance, as a multiple of the last block's; a fitted one has the same."""

SHARE_AT_NO_ERROR, SHARE_BY_ERROR, MOST_SHARE = 0.1, 10.0, 3.0
"""What the rates are multiplied by where the head is nearly right, for each share of errors, and at most.

A head that is right leaves little to be learnt and much to be forgotten. With EfficientNet-Lite0 on ants and
bees, where 4 % were wrong, 0.1 and 0.4 times the default rates kept what the head had; on 1,000 small images
of CIFAR-10, where 29 % were wrong, 3 times gained most of what was tried, from a third to 3 times."""

UNFROZEN = 0.3
"""By which share of the budget gradual unfreezing has come to the first block."""


@dataclass
class Transfer:
    """How a pre-trained network learns.

    Its norms stay in evaluation: they keep the running figures that they came with, which a few hundred
    images in small batches cannot better, while their weights and biases learn as those of their block do.

    Args:
        blocks: of the backbone, from the first to the last; a norm is with what it follows.
        head: the dense layer at the end.
        frozen: how many of the first blocks never learn.
        gradual: whether blocks begin to learn one after the other, the last one first.
        head_first: whether the head is fitted to the features of the frozen backbone before all else.
        features_only: whether that is all: nothing of an image changes at random, and nothing else learns.
    """

    blocks: list[list[nn.Module]]
    head: nn.Linear
    frozen: int
    gradual: bool
    head_first: bool
    features_only: bool
    _first: int | None = field(init=False, default=None)
    _scales: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        last = len(self.blocks) - 1
        rate = 1.0 if self.head_first else NEW_HEAD_RATE
        self._scales = {id(parameter): rate for parameter in self.head.parameters()}
        for number, block in enumerate(self.blocks):
            scale = EARLIEST_RATE ** ((last - number) / max(1, last))
            for parameter in _parameters(block):
                self._scales[id(parameter)] = scale
                if number < self.frozen:
                    parameter.requires_grad_(False)

    @classmethod
    def of(cls, network: nn.Module, recipe: Recipe) -> Transfer | None:
        """Give how a network is to learn.

        Args:
            network: with its weights loaded, where it is pre-trained.
            recipe: with everything decided.

        Returns:
            ``None`` where the network is not pre-trained, and all of it learns as ever.

        Raises:
            RecipeError: where more blocks are to be frozen than there are.
        """
        if recipe.pretrained is None:
            return None
        blocks = blocks_of(network)
        frozen = frozen_blocks(network, recipe)
        _, head = head_of(network)
        return cls(
            blocks=blocks,
            head=head,
            frozen=frozen,
            gradual=recipe.freeze == "none",
            head_first=recipe.freeze != "none",
            features_only=fits_features_only(network, recipe),
        )

    def rate_of(self, parameter: Tensor) -> float:
        """Give a parameter's rate as a multiple of its optimiser's.

        Args:
            parameter: of the network.

        Returns:
            1 for the last block, less for those before it.
        """
        return self._scales.get(id(parameter), 1.0)

    def first_trained(self, share: float) -> int:
        """Give the number of the first block that learns.

        Args:
            share: of the budget that is done, in [0, 1].

        Returns:
            At least ``frozen``; the number of blocks where only the head learns.
        """
        if not self.gradual:
            return self.frozen
        begun = int(min(1.0, share / UNFROZEN) * len(self.blocks))
        return max(self.frozen, len(self.blocks) - begun)

    def begin_step(self, share: float) -> None:
        """Let the blocks learn whose time has come, and keep all norms as they were; call it before a step.

        Args:
            share: of the budget that is done, in [0, 1].
        """
        first = self.first_trained(share)
        for number, block in enumerate(self.blocks):
            for module in block:
                module.eval()
            if first != self._first:
                for parameter in _parameters(block):
                    parameter.requires_grad_(number >= first)
        self._first = first


def share_of_rates(error: float | None) -> float:
    """Give what the rates of a network are multiplied by, by how often its fitted head is wrong.

    Args:
        error: the share of unseen images for which it is; ``None``: not known.

    Returns:
        10 times that share, within 0.1 and 3; 1 where it is not known.

    >>> [share_of_rates(error) for error in (0.0, 0.05, 0.5, None)]
    [0.1, 0.5, 3.0, 1.0]
    """
    if error is None:
        return 1.0
    return min(MOST_SHARE, max(SHARE_AT_NO_ERROR, SHARE_BY_ERROR * error))


def frozen_blocks(network: nn.Module, recipe: Recipe) -> int:
    """Give how many of the first blocks of a network a recipe freezes for good.

    Args:
        network: ends with a dense layer.
        recipe: says what is frozen.

    Returns:
        At most as many as there are.

    Raises:
        RecipeError: where more are to be frozen than there are.
    """
    freeze = recipe.freeze
    if freeze is None or freeze == "none":
        return 0
    count = len(blocks_of(network))
    frozen = count if freeze == "backbone" else int(freeze)
    if frozen > count:
        raise RecipeError(
            f"freeze is {frozen}, and '{recipe.model}' has {count} blocks before its head; 'backbone' "
            "freezes all of them"
        )
    return frozen


def fits_features_only(network: nn.Module, recipe: Recipe) -> bool:
    """Say whether nothing but the head is fitted, to features that are computed once.

    Args:
        network: that is to be trained.
        recipe: with everything decided.

    Returns:
        Whether all of a pre-trained network but its head is frozen, and images are the same in all epochs.

    Raises:
        RecipeError: where more blocks are to be frozen than there are.
    """
    if recipe.pretrained is None or changes_images(recipe):
        return False
    return frozen_blocks(network, recipe) == len(blocks_of(network))


def changes_images(recipe: Recipe) -> bool:
    """Say whether a recipe changes images at random, so that no two epochs see the same.

    Args:
        recipe: with everything decided.

    Returns:
        Whether it mirrors, shifts, augments or attacks them.

    >>> changes_images(Recipe(flip=False, shift=0)), changes_images(Recipe(flip=False, shift=2))
    (False, True)
    """
    moved = bool(recipe.flip or recipe.shift) or recipe.augment not in (None, "none")
    return moved or recipe.robust is not None


def blocks_of(network: nn.Module) -> list[list[nn.Module]]:
    """Divide what is before the head of a network into blocks, in their order.

    A block is a module with parameters that is no mere chain of others; a norm is with what it follows.

    Args:
        network: ends with a dense layer.

    Returns:
        The modules of each block.

    Raises:
        LayerError: where there is no dense layer.

    >>> from striate.models import resnet18
    >>> len(blocks_of(resnet18()))
    9
    """
    _, head = head_of(network)
    blocks: list[list[nn.Module]] = []
    for part in _opened(network, head):
        if part is head or next(part.parameters(), None) is None:
            continue
        if blocks and isinstance(part, _BatchNorm):
            blocks[-1].append(part)
        else:
            blocks.append([part])
    return blocks


def _opened(module: nn.Module, head: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        chained = isinstance(child, nn.Sequential | nn.ModuleList)
        if chained or (child is not head and any(part is head for part in child.modules())):
            yield from _opened(child, head)
        else:
            yield child


def _parameters(block: list[nn.Module]) -> Iterator[nn.Parameter]:
    for module in block:
        yield from module.parameters()
