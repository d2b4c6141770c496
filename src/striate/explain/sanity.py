"""How far to believe a way of explaining: what its maps are worth to the network, and what they rest on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from striate.core.errors import LayerError
from striate.core.events import OnEvent, ignore
from striate.core.seeds import derive
from striate.engine.borrowing import borrowed
from striate.explain.differentiating import plain_scores
from striate.explain.layers import check_images
from striate.explain.randomisation import Cascade, Method, cascade
from striate.explain.removal import RemovalCurve, deletion, insertion
from striate.explain.scoring import Targets, chosen_targets


@dataclass(frozen=True, kw_only=True)
class Sanity:
    """What the checks of a method found on some images.

    Args:
        method: its name.
        images: how many images each figure is of.
        layer: the layer that it looked at; ``None`` where it looks at the whole network.
        gap: mean distance of a map's sum from what it promises; ``None`` where it promises none.
        deletion: the probability of the class as the hottest places go.
        insertion: the same as they come.
        random_deletion: area of the deletion curve of random maps on the same images.
        random_insertion: area of the insertion curve of random maps.
        cascade: the similarity of maps as weights become random, and its verdict.
    """

    method: str
    images: int
    layer: str | None
    gap: float | None
    deletion: RemovalCurve
    insertion: RemovalCurve
    random_deletion: float
    random_insertion: float
    cascade: Cascade

    @property
    def finding(self) -> str:
        """What was found, in one sentence."""
        count = f"{self.images} image" + ("s" if self.images > 1 else "")
        wins = (self.deletion.area < self.random_deletion, self.insertion.area > self.random_insertion)
        worth = {
            (True, True): "it names what the network uses better than chance does",
            (False, False): "it names what the network uses no better than chance does",
        }.get(
            wins, "by one of deletion and insertion it names what the network uses, by the other it does not"
        )
        said = {
            "depends": "its map depends on the weights",
            "depends in part": "its map depends on the weights in part only",
            "depends by its signs only": "its map depends on the weights by its signs only",
            "does not depend": "its map does not depend on the weights",
        }[self.cascade.verdict]
        return (
            f"{self.method}: {said} (similarity {self.cascade.similarity:.2f} with all of them random); "
            f"{worth} (deletion {self.deletion.area:.3f} against {self.random_deletion:.3f}, insertion "
            f"{self.insertion.area:.3f} against {self.random_insertion:.3f}); {count}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything by name, ready for JSON.

        Returns:
            A dictionary of plain values, the verdict and the finding among them.
        """
        return {
            **asdict(self),
            "deletion": {**asdict(self.deletion), "area": self.deletion.area},
            "insertion": {**asdict(self.insertion), "area": self.insertion.area},
            "cascade": {
                **asdict(self.cascade),
                "similarity": self.cascade.similarity,
                "verdict": self.cascade.verdict,
            },
            "finding": self.finding,
        }


def sanity(
    network: nn.Module,
    images: Tensor,
    method: Method,
    *,
    targets: Targets = None,
    baseline: float | Tensor = 0.0,
    points: int = 6,
    generator: Generator | None = None,
    on_event: OnEvent = ignore,
) -> Sanity:
    """Check a way of explaining on a network: deletion, insertion, and randomised weights.

    Args:
        network: any module that gives N x classes, logits; it is left as it was.
        images: N x C x spatial, as the network takes them; some tens make the figures steady.
        method: one of `striate.explain.METHODS`, or any function of the same form.
        targets: the class of each image, or one for all; ``None``: the predicted one.
        baseline: what a place becomes that is deleted; insertion begins with the blurred image.
        points: at how many points of the cascade maps are compared, at least 1.
        generator: of all that is random; by default the same each time.
        on_event: is given the progress.

    Returns:
        The figures, with a sentence of what was found.

    Raises:
        LayerError: where the network cannot take the images, has no weights or cannot be copied, where a
            class does not exist, or a choice is out of range.
        ShapeError: where the baseline does not fit the images.

    Source: Petsiuk, Das and Saenko, RISE (2018), section 4.1; Adebayo et al., Sanity checks for saliency maps
    (2018), section 3.1.

    >>> from striate.explain.occlusion import occlusion
    >>> def by_occlusion(network, images, targets=None, *, generator=None):
    ...     return occlusion(network, images, targets, window=1)
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    >>> sanity(network, torch.rand(2, 1, 4, 4), by_occlusion).images
    2
    """
    check_images(images)
    if generator is None:
        generator = Generator().manual_seed(derive(0, "sanity"))
    with borrowed(network):
        chosen = chosen_targets(plain_scores(network, images), targets)
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    made = method(network, images, chosen, generator=Generator().manual_seed(seed))
    heat = made.heat()
    wanted = (len(images), *images.shape[2:])
    if heat.shape != wanted:
        raise LayerError(f"{made.method} gives maps of {tuple(heat.shape)}, where {wanted} is wanted")
    chance = torch.rand(wanted, generator=generator, device=generator.device).to(images.device)
    removed = [
        deletion(network, images, each, chosen, baseline=baseline, on_event=on_event)
        for each in (heat, chance)
    ]
    inserted = [insertion(network, images, each, chosen, on_event=on_event) for each in (heat, chance)]
    return Sanity(
        method=made.method,
        images=len(images),
        layer=made.layer,
        gap=None if made.gap is None else made.gap.abs().mean().item(),
        deletion=removed[0],
        insertion=inserted[0],
        random_deletion=removed[1].area,
        random_insertion=inserted[1].area,
        cascade=cascade(
            network, images, method, targets=chosen, points=points, generator=generator, on_event=on_event
        ),
    )
