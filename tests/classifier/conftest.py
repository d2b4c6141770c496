"""A small classifier of a real network, and pictures for it."""

from __future__ import annotations

import pytest
import torch

from striate.classifier import Classifier, Preprocessing
from striate.core.device import Policy
from striate.models import build

CLASSES = ("ant", "bee", "naïve\ncat")


@pytest.fixture
def classifier() -> Classifier:
    arguments = {"classes": len(CLASSES), "channels": 3, "size": [12, 10]}
    torch.manual_seed(0)
    network = build("compact-small", **arguments).to(memory_format=torch.channels_last)
    with torch.no_grad():  # running statistics and biases that a fresh network does not have
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor) * 0.02)
    return Classifier(
        network,
        model="compact-small",
        arguments=arguments,
        classes=CLASSES,
        preprocessing=Preprocessing((12, 10), 3, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), "pad", (10, 20, 30)),
        temperature=1.5,
        policy=Policy("cpu", "float32", True, "as the test asks"),
        details={"source": "pictures", "recipe": {"seed": 3}, "fingerprint": "abc"},
    )
