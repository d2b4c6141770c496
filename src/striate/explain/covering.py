"""The scores of images that are covered in one rectangle after another, computed where that reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.engine.quickening import quicker
from striate.explain.changed_parts import Changed, DivergedError, Ledger
from striate.explain.scores import scores_of

FEWEST = 8
"""From so many rectangles an image on it pays to know what a network makes of whole images."""

KNOWN_BYTES = 512 * 2**20
"""How much is known of images at once, at most, unless one image alone needs more."""

NEAR = 1e-4
"""How near to the score of a whole pass one must be that is tried out, as a share of the largest."""


def covered_scores(
    network: nn.Module,
    images: Tensor,
    targets: Tensor,
    regions: Sequence[tuple[slice, ...]],
    wanted: Tensor,
    filling: Tensor,
    told: Callable[[int], None],
) -> Tensor | None:
    """Compute the score of each image's target after each of its rectangles was covered.

    Args:
        network: borrowed.
        images: N x C x spatial.
        targets: int64 (N).
        regions: the rows and columns of the rectangles, not beyond the borders.
        wanted: N x rectangles, which of the scores are needed.
        filling: N x C x spatial, what is seen where an image is covered.
        told: is given how many scores were computed, after each pass.

    Returns:
        N x rectangles, at least in float32, with anything where it is not wanted; ``None`` where it does not
        pay, or where the network cannot take images of which parts changed, which is tried out on one.
    """
    if images.ndim != 4 or images.device.type != "cpu" or wanted.sum() < FEWEST * len(images):
        return None
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        told(more)

    try:
        with torch.inference_mode(False), torch.no_grad(), quicker(network, images):
            return _Covering(network, images, targets, regions, filling).scores(wanted, tell)
    except (DivergedError, LayerError, ShapeError):
        told(-done)
        return None


class _Covering:
    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        targets: Tensor,
        regions: Sequence[tuple[slice, ...]],
        filling: Tensor,
    ) -> None:
        self.network, self.images, self.targets = network, images, targets
        self.regions, self.filling = regions, filling

    def scores(self, wanted: Tensor, told: Callable[[int], None]) -> Tensor:
        """Compute the scores, of as many images at once as `KNOWN_BYTES` hold what is known of."""
        ledger = Ledger()
        tried = self._try_out(len(self.regions) // 2, ledger)
        at_once = max(1, KNOWN_BYTES // max(1, ledger.bytes))
        found = tried.new_zeros(wanted.shape)
        for begin in range(0, len(self.images), at_once):
            rows, ledger = slice(begin, begin + at_once), Ledger()
            for number, count in enumerate(wanted[rows].sum(dim=0).tolist()):
                if count:
                    found[rows, number] = self._of(rows, number, ledger)
                    told(count)
        return found

    def _of(self, rows: slice, number: int, ledger: Ledger) -> Tensor:
        ledger.begin()
        region = self.regions[number]
        box = (region[0].start, region[0].stop), (region[1].start, region[1].stop)
        changed = Changed.of(self.images[rows], self.filling[(rows, slice(None), *region)], box, ledger)
        scores = scores_of(self.network, changed)
        plain = scores.values_everywhere() if isinstance(scores, Changed) else scores
        return plain.to(self.images.device).gather(1, self.targets[rows, None]).squeeze(1)

    def _try_out(self, number: int, ledger: Ledger) -> Tensor:
        """Compare a score (1) of the first image with that of a pass through the whole network; give it."""
        where = (slice(None), slice(None), *self.regions[number])
        whole = self.images[:1].clone()
        whole[where] = self.filling[:1][where]
        scores = scores_of(self.network, whole)
        wanted = scores.to(self.images.device).gather(1, self.targets[:1, None]).squeeze(1)
        apart = (wanted - self._of(slice(0, 1), number, ledger)).abs().max()
        if not apart <= NEAR * scores.abs().max():
            raise DivergedError(f"scores lie {apart:.2g} apart")
        return wanted
