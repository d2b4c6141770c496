"""How many epochs a budget in minutes will hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import striate
from striate.core.device import choose_policy
from striate.core.events import ignore
from striate.core.recipe import Recipe
from striate.engine.world import World
from striate.recipes import resolve
from striate.training.expected_epochs import expected_epochs


def estimate(dataset, **fields):
    policy = choose_policy("cpu", None)
    facts = {"images": len(dataset.train), "size": dataset.size, "flip": False, "precision": "float32"}
    return expected_epochs(dataset, resolve(Recipe(**fields), **facts), policy, world=World())


def test_as_many_as_a_training_then_has(fit, digits) -> None:
    run, _ = fit(digits, minutes=4 / 60, validate_every=1000)
    steps = np.genfromtxt(run.path / "results.csv", delimiter=",", names=True)["step"].item()
    epochs = steps * run.recipe.batch / len(digits.train)
    assert epochs / 4 < estimate(digits, minutes=4 / 60, model=run.recipe.model) < 4 * epochs


def test_twenty_times_the_time_holds_many_times_as_many(digits) -> None:
    short, long = (estimate(digits, minutes=minutes, model="compact-small") for minutes in (1, 20))
    assert 5 < long / short < 80


@pytest.mark.parametrize(
    "fields", [{"epochs": 3}, {"minutes": 1, "robust": "linf:0.1"}, {"minutes": 1, "freeze": "none"}]
)
def test_none_where_nothing_is_decided_by_it(digits, fields) -> None:
    if "freeze" in fields:
        fields = {**fields, "pretrained": "efficientnet-lite0", "model": "efficientnet-lite0"}
    assert estimate(digits, **fields) is None


def test_the_generators_are_left_as_they_were(digits) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert estimate(digits, minutes=1 / 60) > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_brief_training_is_decided_as_one(tmp_path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (3000, 1, 28, 28), dtype=np.uint8)
    run = striate.train((images, np.arange(3000) % 3), out=tmp_path / "run", minutes=1e-3, on_event=ignore)
    assert run.recipe.shift == 0
    assert run.recipe.average_shifted == 0
    assert run.recipe.model == "compact-light"
