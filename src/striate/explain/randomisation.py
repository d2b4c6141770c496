"""Cascading randomisation: how a map changes while its network forgets what it learned, layer by layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import Event, OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.attribution import Attribution
from striate.explain.differentiating import plain_scores
from striate.explain.layers import check_images, layer_calls, split_call, unwrapped
from striate.explain.ranking import spearman
from striate.explain.scoring import Targets, chosen_targets

Dependence: TypeAlias = Literal["depends", "depends in part", "depends by its signs only", "does not depend"]

SIMILAR, ALIKE = 0.25, 0.5
"""How much may be left of a map without the weights; `Cascade` says what follows from it."""


class Method(Protocol):
    """What makes maps: every function of `striate.explain.METHODS`, and any of the same form."""

    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        targets: Targets = None,
        *,
        generator: Generator | None = None,
    ) -> Attribution:
        """Explain images."""


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """How a map changes as a network's layers become random, from the last to the first.

    The verdict rests on what is left where all weights are random: Spearman's correlation of the map with
    the first one, of values and of absolute values. Where both are under 0.25 the map ``depends`` on the
    weights, and up to 0.5 it ``depends in part``. From 0.5 on, a quarter of the variance of ranks is there
    whatever the network learned: if that is so of the values, the map ``does not depend`` on the weights;
    if only of the absolute values, it ``depends by its signs only``, and where it is strong is decided by
    the image, as it is for maps that multiply by an image whose background is 0. The bounds are ours. On
    few images, coarse maps can be alike by chance.

    Args:
        layers: the layer that became random last, at each point.
        randomised: how many layers are random at each point.
        rank: Spearman's correlation of the map with the first one, mean over images.
        absolute: the same of the maps' absolute values.
        images: how many images it was measured on.
    """

    layers: tuple[str, ...]
    randomised: tuple[int, ...]
    rank: tuple[float, ...]
    absolute: tuple[float, ...]
    images: int

    @property
    def similarity(self) -> float:
        """The correlation that is left where all weights are random: the larger one, without its sign."""
        return max(abs(self.rank[-1]), abs(self.absolute[-1]))

    @property
    def verdict(self) -> Dependence:
        """Whether the map depends on the weights."""
        if abs(self.rank[-1]) >= ALIKE:
            return "does not depend"
        if abs(self.absolute[-1]) >= ALIKE:
            return "depends by its signs only"
        return "depends" if self.similarity < SIMILAR else "depends in part"


def cascade(
    network: nn.Module,
    images: Tensor,
    method: Method,
    *,
    targets: Targets = None,
    points: int = 6,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> Cascade:
    """Make the layers of a copy of a network random, from the last to the first, and compare the maps.

    Each parameter of a layer becomes normal numbers of mean 0 and of its own root mean square, so that
    nothing is left of it but its scale; running figures of norms stay. At each point the method explains
    the same classes with the same random numbers.

    Args:
        network: any module that gives N x classes; it is left as it was.
        images: N x C x spatial, as the network takes them; some tens make the figures steady.
        method: what makes the maps.
        targets: the class of each image, or one for all; ``None``: the one that the network predicts.
        points: at how many points maps are compared, at least 1, spread over the layers; at the last one all
            layers are random.
        generator: of the weights and of what the method draws; by default the same each time.
        on_event: is given the progress.

    Returns:
        The similarities and the verdict.

    Raises:
        LayerError: where the network has no weights, cannot be copied or cannot take the images, a class
            does not exist, or there is no point.

    Source: Adebayo et al., Sanity checks for saliency maps (2018), section 3.1; there layers are drawn as at
    the start of a training.

    >>> def brightness(network, images, targets=None, *, generator=None):
    ...     return Attribution("brightness", images.sum(dim=1), torch.zeros(len(images)).long())
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    >>> cascade(network, torch.rand(2, 1, 3, 3), brightness).verdict
    'does not depend'
    """
    check_images(images)
    if points < 1:
        raise LayerError(f"{points} points cannot be compared; at least 1 is needed")
    if generator is None:
        generator = Generator().manual_seed(derive(0, "cascade"))
    forgetting = _copied(network)
    layers = _layers_from_the_last(forgetting, images)
    with borrowed(network):
        chosen = chosen_targets(plain_scores(network, images), targets)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))

    def heat_of(module: nn.Module) -> Tensor:
        made = method(module, images, chosen, generator=Generator().manual_seed(seed))
        return made.heat().detach().flatten(1)

    first = heat_of(forgetting)
    wanted = sorted({max(1, round(point * len(layers) / points)) for point in range(1, points + 1)})
    names, rank, absolute = [], [], []
    done = 0
    for count in wanted:
        for _, parameters in layers[done:count]:
            _randomise(parameters, generator)
        names.append(layers[count - 1][0])
        done = count
        now = heat_of(forgetting)
        rank.append(spearman(first, now).mean().item())
        absolute.append(spearman(first.abs(), now.abs()).mean().item())
        data = {"what": "randomising weights", "done": done, "total": len(layers), "unit": "layers"}
        on_event(Event("prepare", data))
    return Cascade(
        layers=tuple(names),
        randomised=tuple(wanted),
        rank=tuple(rank),
        absolute=tuple(absolute),
        images=len(images),
    )


def _copied(network: nn.Module) -> nn.Module:
    network = unwrapped(network)
    try:
        return copy.deepcopy(network)
    except (RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise LayerError(
            f"the network ({type(network).__name__}) cannot be copied, so its weights cannot be randomised: "
            f"{reason}"
        ) from error


def _layers_from_the_last(network: nn.Module, images: Tensor) -> list[tuple[str, list[nn.Parameter]]]:
    """Give the layers that have parameters, that which ends last first.

    A parameter is its module's, or, where the pass does not call that, of the next module around it.
    """
    order = {split_call(call.name)[0]: place for place, call in enumerate(layer_calls(network, images))}
    order.setdefault("", len(order))
    owned: dict[str, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.is_floating_point():
            continue
        owner = name
        while owner not in order:
            owner = owner.rpartition(".")[0]
        owned.setdefault(owner, []).append(parameter)
    if not owned:
        raise LayerError(f"the network ({type(network).__name__}) has no weights, so none to randomise")
    return sorted(owned.items(), key=lambda layer: order[layer[0]], reverse=True)


@torch.no_grad()
def _randomise(parameters: list[nn.Parameter], generator: Generator) -> None:
    for parameter in parameters:
        drawn = torch.randn(parameter.shape, generator=generator, device=generator.device)
        scale = parameter.float().square().mean().sqrt()
        parameter.copy_(drawn.to(parameter.device) * scale)
