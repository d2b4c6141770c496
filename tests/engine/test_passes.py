"""As many images pass at once as memory holds for their derivatives."""

from __future__ import annotations

import torch
from torch import nn

from striate.engine.borrowing import borrowed_for_gradients
from striate.engine.passes import images_at_once


def test_what_layers_keep_is_measured_and_weights_are_not_counted() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4096), nn.Sigmoid(), nn.Linear(4096, 2))
    with borrowed_for_gradients(network):
        at_once = images_at_once(network, torch.ones(1, 1, 8, 8), network, wanted=10**9)
        share = images_at_once(network, torch.ones(1, 1, 8, 8), network, wanted=10**9, keeps=4)
    # The sigmoid keeps its 4096 outputs, 16 KiB an image; the image is 1 KiB four times over.
    assert 2**28 / (3 * 2**14) < at_once <= 2**28 / 2**14
    assert at_once / 4.1 < share < at_once / 3
