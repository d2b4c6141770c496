"""The smallest radius at which each image of an evaluation falls, and the accuracy that is left at each."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.attack.ball import Ball
from striate.attack.ladder import LEVELS, ladder
from striate.attack.radii import multiples
from striate.attack.siege import Siege

SMALLER, LARGER = (0.25, 0.5, 0.75), (1.5, 2.0, 3.0)
"""Times the radius, at which accuracies are measured too."""

WITHOUT = "square"
"""Left out at other radii where there are gradients: it takes longest, and fells what others felled."""


def falling_radii(siege: Siege, ball: Ball, *, classes: int, until: float) -> tuple[Tensor, list[float]]:
    """Attack at other radii: at smaller ones what fell, at larger ones what stands.

    What falls in a ball falls in all that are larger, and is not attacked there; nor is what stood in a
    larger ball attacked in a smaller one. Where the time ends, the radii that were not finished are left out.

    Args:
        siege: after the attacks in the ball itself.
        ball: of these.
        classes: of the model.
        until: by `time.monotonic`, when it must end.

    Returns:
        N float64, the smallest radius at which each image fell, 0 where it was answered wrong unchanged and
        inf where it fell nowhere; and the radii that were finished, rising.
    """
    falls = torch.full((len(siege),), torch.inf, dtype=torch.float64, device=siege.labels.device)
    falls[~siege.standing] = ball.eps
    falls[~siege.right] = 0.0
    done = [ball.eps]
    for each in reversed(multiples(ball, SMALLER)):
        rows = (siege.right & (falls <= min(done))).nonzero().squeeze(1)
        if not _lowered(siege, each, rows, falls, scale=each.eps / ball.eps, classes=classes, until=until):
            break
        done.append(each.eps)
    for each in multiples(ball, LARGER):
        rows = falls.isinf().nonzero().squeeze(1)
        if not _lowered(siege, each, rows, falls, scale=each.eps / ball.eps, classes=classes, until=until):
            break
        done.append(each.eps)
    return falls, sorted(done)


def _lowered(
    siege: Siege, ball: Ball, rows: Tensor, falls: Tensor, *, scale: float, classes: int, until: float
) -> bool:
    """Note the radius for the images that fall in a ball; say whether there was time for all."""
    if not len(rows):
        return True
    # What was found at another radius, brought to this one, often works too.
    scaled = siege.images[rows] + scale * (siege.changed[rows] - siege.images[rows])
    met = siege.fallen(ball.project(siege.images[rows], scaled), rows)
    falls[rows[met]] = ball.eps
    rows = rows[~met]
    for rung in ladder(ball, LEVELS[0], classes=classes, differentiable=siege.differentiable):
        if siege.differentiable and rung.name == WITHOUT:
            continue
        attacked, still = 0, []
        for part, _, logits in siege.stormed(rung, rows, key=("radius", rung.name), until=until):
            met = siege.met(logits, part)
            falls[part[met]] = ball.eps
            still.append(part[~met])
            attacked += len(part)
        if attacked < len(rows):
            return False
        rows = torch.cat(still) if still else rows
    return True
