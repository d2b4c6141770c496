"""Count where units are active and where concepts are, batch by batch, and how far the two agree."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Spatial dimensions -> how maps are brought to the size of masks."""

_CHUNK = 2**24  # values at once: what is enlarged, and what is looked up, stay in some tens of megabytes


class MaskBatch:
    """The masks of some images, laid out so that all concepts at a pixel lie side by side.

    Args:
        masks: booleans, N x concepts x spatial.
        labelled: booleans, N x categories: whether an image counts for a category.
    """

    def __init__(self, masks: Tensor, labelled: Tensor) -> None:
        self.size = tuple(masks.shape[2:])
        self.places = masks[0, 0].numel()
        self.rows = masks.flatten(2).transpose(1, 2).reshape(-1, masks.shape[1])
        self.areas = self.rows.sum(dim=0)
        self.labelled = labelled


class Overlaps:
    """Counts the pixels at which each unit is active, and those of them at which each concept is.

    A unit is active where its map, brought to the size of the masks by linear interpolation, is over its
    threshold. Whatever is under the threshold everywhere in an image is not even enlarged, since
    interpolation gives nothing larger than the largest; so the work grows with the share that is active.

    Beside the true pairs of image and mask all is counted once more with the masks of other images, half a
    batch away: what chance gives.

    Args:
        thresholds: (units).
        concepts: how many.
        categories: how many.
        examples: how many images of the highest activation are remembered of each unit.
    """

    def __init__(self, thresholds: Tensor, *, concepts: int, categories: int, examples: int) -> None:
        units = len(thresholds)
        self.thresholds = thresholds
        self.both = torch.zeros(units, concepts, dtype=torch.int64)
        self.both_by_chance = torch.zeros_like(self.both)
        self.active = torch.zeros(units, categories, dtype=torch.float64)
        self.active_by_chance = torch.zeros_like(self.active)
        self.top = torch.zeros(units, 0)
        self.top_images = torch.zeros(units, 0, dtype=torch.int64)
        self._examples = examples

    def add(self, maps: Tensor, masks: MaskBatch, numbers: Tensor) -> None:
        """Count the images of a batch.

        Args:
            maps: N x units x spatial.
            masks: of the same images.
            numbers: which images these are, (N).
        """
        largest = maps.flatten(2).amax(dim=2)
        self._remember(largest.float().cpu(), numbers)
        thresholds = self.thresholds.to(maps.device)
        image, unit = (largest > thresholds).nonzero(as_tuple=True)
        count = len(maps)
        areas = torch.zeros(count, len(thresholds), dtype=torch.float64)
        step = max(1, _CHUNK // masks.places)
        for start in range(0, len(image), step):
            images, units = image[start : start + step], unit[start : start + step]
            enlarged = resized(maps[images, units], masks.size)
            active = enlarged > thresholds[units][:, None]
            areas[images.cpu(), units.cpu()] = active.sum(dim=1).double().cpu()
            pair, place = active.nonzero(as_tuple=True)
            images, units, place = images[pair].cpu(), units[pair].cpu(), place.cpu()
            self.both += self._counted(images, units, place, masks)
            self.both_by_chance += self._counted((images + count // 2) % count, units, place, masks)
        labelled = masks.labelled.double()
        self.active += areas.T @ labelled
        self.active_by_chance += areas.T @ labelled.roll(-(count // 2), dims=0)

    def _counted(self, images: Tensor, units: Tensor, places: Tensor, masks: MaskBatch) -> Tensor:
        """Count, for each unit and concept, the pixels named that the concept covers."""
        concepts = self.both.shape[1]
        counts = torch.zeros_like(self.both).flatten()
        step = max(1, 4 * _CHUNK // concepts)
        for start in range(0, len(places), step):
            chosen = slice(start, start + step)
            found = masks.rows[images[chosen] * masks.places + places[chosen]]
            pixel, concept = found.nonzero(as_tuple=True)
            counts += torch.bincount(units[chosen][pixel] * concepts + concept, minlength=len(counts))
        return counts.view_as(self.both)

    def _remember(self, largest: Tensor, numbers: Tensor) -> None:
        top = torch.cat([self.top, largest.T], dim=1)
        images = torch.cat([self.top_images, numbers.expand(len(top), -1)], dim=1)
        self.top, order = top.topk(min(self._examples, top.shape[1]), dim=1)
        self.top_images = images.gather(1, order)


def intersection_over_union(both: Tensor, active: Tensor, areas: Tensor) -> Tensor:
    """Compute |A and B| / |A or B| from counts of pixels, for each unit and concept.

    Args:
        both: (units, concepts) pixels at which the unit is active and the concept is.
        active: (units, concepts) pixels at which the unit is active, in images that count for the concept.
        areas: (concepts) pixels at which the concept is.

    Returns:
        float64 (units, concepts), in [0, 1]; 0 where there is neither.

    >>> counts = [torch.tensor(each, dtype=torch.float64) for each in ([[3.0]], [[5.0]], [4.0])]
    >>> intersection_over_union(*counts).item()
    0.5
    """
    union = active + areas - both
    return torch.where(union > 0, both / union.clamp(min=1), torch.zeros_like(union))


def resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Bring maps to the size of masks by linear interpolation, and lay out the values of each in a row.

    Args:
        maps: N x spatial.
        size: of the spatial axes.

    Returns:
        N x values.

    >>> resized(torch.tensor([[0.0, 4.0]]), (4,))
    tensor([[0., 1., 3., 4.]])
    """
    if tuple(maps.shape[1:]) != size:
        mode = MODES[len(size)]
        wide = maps[:, None].to(torch.promote_types(maps.dtype, torch.float32))
        maps = F.interpolate(wide, size=size, mode=mode, align_corners=False)[:, 0]
    return maps.flatten(1)
