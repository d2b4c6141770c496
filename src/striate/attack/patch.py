"""A patch or sticker to be printed, that misleads a model wherever, however and in whatever light it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from striate.attack.draws import Draws
from striate.attack.pictures import as_pictures
from striate.attack.placement import Placement, Places, paste
from striate.attack.shared import SharedChange, batches, bounded_loss, told
from striate.attack.victim import Victim
from striate.core.errors import AttackError
from striate.core.events import OnEvent
from striate.engine.uncompiled import uncompiled
from striate.nn.inputs import by


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch that was learnt, and how it is laid into images.

    Args:
        picture: C x side x side in [0, 1]; of a volume, the channels of all its slices.
        placement: where and how it lies.
    """

    picture: Tensor
    placement: Placement

    def paste(
        self, images: Tensor, *, generator: Generator | None = None, draws: Draws | None = None
    ) -> Tensor:
        """Lay the patch into images, each time in another pose.

        Args:
            images: N x C x spatial in [0, 1].
            generator: of the poses; by default the same each time.
            draws: of the images instead.

        Returns:
            Of the images' shape and type.

        Raises:
            AttackError: where the images have other channels, or no room for the patch.
        """
        pictures = as_pictures(images)
        if pictures.shape[1] != len(self.picture):
            raise AttackError(
                f"a patch of {len(self.picture)} channels does not fit images of {by(images.shape)}, which "
                f"have {pictures.shape[1]}"
            )
        draws = draws or Draws(Draws.of(generator, len(images)).seeds.to(images.device))
        poses = Places(self.placement, pictures.shape[2:], images.device).draw(draws)
        wide = pictures.to(torch.promote_types(images.dtype, torch.float32))
        picture = self.picture.to(images.device)
        pasted = paste(wide, picture, poses, disc=self.placement.round)
        return pasted.reshape(images.shape).to(images.dtype)

    def enlarged(self, side: int) -> Tensor:
        """Give the picture with more pixels, for printing.

        Args:
            side: in pixels, at least 1.

        Returns:
            C x side x side in [0, 1].
        """
        return F.interpolate(self.picture[None].float(), (side, side), mode="bilinear")[0].clamp(0, 1)


@dataclass(frozen=True, kw_only=True)
class AdversarialPatch(SharedChange[Patch]):
    """Learn a patch that, laid into any image, makes a model answer what is wanted.

    The mean of the cross entropy towards the goal is ascended over images and over the poses that the
    placement allows, drawn anew for every image in every step: that is what makes a print of it work. Called,
    it gives the images that it learnt from with the patch in one pose each; `learn` gives the `Patch` itself.

    Args:
        placement: where and how the patch may lie.
        steps: of Adam, at least 1.
        batch: images in each, at least 1.
        rate: of the first step, over 0; it falls evenly to 0.
        goal: what the model shall answer.

    Raises:
        AttackError: where a number is out of range, or the patch does not fit where it may lie.

    Source: Brown, Mané, Roy, Abadi and Gilmer, Adversarial patch (2017), section 2; the light and the mask
    for stickers on objects are after Eykholt et al., Robust physical-world attacks on deep learning models
    (2018), section 3.

    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    >>> images = torch.rand(4, 1, 8, 8)
    >>> patch = AdversarialPatch(steps=3).learn(network, images, network(images).argmax(dim=1))
    >>> patch.picture.shape, patch.paste(images).shape
    (torch.Size([1, 4, 4]), torch.Size([4, 1, 8, 8]))
    """

    placement: Placement = field(default_factory=Placement)
    steps: int = 300
    batch: int = 50
    rate: float = 0.05

    def __post_init__(self) -> None:
        if min(self.steps, self.batch) < 1 or not 0 < self.rate < math.inf:
            raise AttackError(
                f"{self.steps} steps of {self.rate} on batches of {self.batch} images cannot be; there is at "
                "least one step and image, and the rate is over 0"
            )

    def _learnt(
        self, victim: Victim, images: Tensor, labels: Tensor, draws: Draws, on_event: OnEvent
    ) -> Patch:
        pictures = as_pictures(images)
        places = Places(self.placement, pictures.shape[2:], images.device)
        side = places.largest_side
        picture = images.new_full((pictures.shape[1], side, side), 0.5).requires_grad_()
        optimizer = uncompiled(torch.optim.Adam)([picture], lr=self.rate)
        for number, rows in enumerate(batches(draws, self.batch, self.steps)):
            poses = places.draw(draws.rows(rows).derived(number))
            with torch.enable_grad():
                pasted = paste(pictures[rows], picture, poses, disc=self.placement.round)
            score = bounded_loss(self.goal.rows(rows), labels[rows])
            _, _, slopes = victim.gradient(pasted.detach().reshape(images[rows].shape), score)
            (slope,) = torch.autograd.grad(pasted, picture, slopes.reshape(pasted.shape) / len(rows))
            picture.grad = -slope
            optimizer.param_groups[0]["lr"] = self.rate * (1 - number / self.steps)
            optimizer.step()
            with torch.no_grad():
                picture.clamp_(0, 1)
            told(on_event, "learning a patch", number + 1, self.steps)
        return Patch(picture.detach(), self.placement)

    def _applied(self, learnt: Patch, images: Tensor, draws: Draws) -> Tensor:
        return learnt.paste(images, draws=draws.derived("paste"))

    def _confined(self, images: Tensor, changed: Tensor) -> Tensor:
        return changed.clamp(0, 1).to(images.dtype)
