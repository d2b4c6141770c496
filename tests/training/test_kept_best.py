"""The best weights are kept by accuracy, then by loss, and never those of a loss that is no number."""

from __future__ import annotations

import math

import torch
from torch import nn

from striate.training.kept_best import KeptBest


def test_what_is_kept_is_what_was_best() -> None:
    network = nn.BatchNorm1d(1)
    best = KeptBest(network)
    offers = [(1.0, 3), (0.9, 3), (math.nan, 9), (2.0, 4), (0.1, 3), (2.5, 4), (2.0, 4)]
    kept = []
    for number, (loss, right) in enumerate(offers):
        network.weight.data.fill_(number)
        network.num_batches_tracked.fill_(number)
        best.offer(loss=torch.tensor(loss), right=torch.tensor(right))
        assert best.tensors["num_batches_tracked"].item() == best.tensors["weight"].item()
        kept.append(int(best.tensors["weight"].item()))
    assert kept == [0, 1, 1, 3, 3, 3, 6]


def test_it_begins_where_another_training_stood() -> None:
    network = nn.Linear(1, 1, bias=False)
    best = KeptBest(network)
    best.begin({"weight": torch.full((1, 1), 7.0)}, loss=0.5, right=10)
    network.weight.data.fill_(1.0)
    best.offer(loss=torch.tensor(0.6), right=torch.tensor(10))
    assert best.tensors["weight"].item() == 7
    best.begin({}, loss=math.inf, right=-1)
    best.offer(loss=torch.tensor(9.0), right=torch.tensor(0))
    assert best.tensors["weight"].item() == 1
