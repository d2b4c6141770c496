"""How many images pass through a network at once where no derivatives are wanted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.core.device import Policy

LARGEST_BATCH = 256
"""How many images are computed at once, at most."""

BATCH_BYTES = 64 * 2**20
"""How many bytes of decoded pixels a batch holds, at most, unless one image alone has more."""

CPU_PLACES = 16 * 224 * 224
"""How many pixels a batch has on a CPU, at most: what layers make of more leaves its caches, and is allocated
anew for each, page by page. 153 photos of 288 x 288 took EfficientNet-Lite0 6.4 s in batches of 256, 1.9 of
16, 1.4 of 8 and 1.0 of 4; with norms folded 1.1 of 16, 0.7 of 9 and 0.8 of 4. Images of 224 x 224 took it
19.9 ms each in batches of 128, 4.8 of 16 and 4.1 of 8; ResNet-18 8.3 of 64, 6.0 of 16 and 6.3 of 8; VGG-11 32
of 32, 28 of 16 and 34 of 8. Of 28 x 28 and 32 x 32 pixels, four networks gained at most 1 % by more than
256 (2 cores of an AMD EPYC, torch 2.13.0)."""


def images_at_a_time(policy: Policy, size: tuple[int, ...], *, channels: int, bytes_each: int = 1) -> int:
    """Say how many images a network computes best at once.

    Args:
        policy: where it computes.
        size: the spatial axes of an image.
        channels: how many channels it has.
        bytes_each: of each of its values, as it is before the network.

    Returns:
        At least 1.

    >>> from striate.core.device import choose_policy
    >>> [images_at_a_time(choose_policy("cpu"), (side, side), channels=3) for side in (32, 224, 2000)]
    [256, 16, 1]
    """
    places = math.prod(size)
    most = min(LARGEST_BATCH, BATCH_BYTES // (channels * places * bytes_each))
    if policy.device == "cpu":
        most = min(most, CPU_PLACES // places)
    return max(1, most)
