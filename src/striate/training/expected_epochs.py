"""How many epochs a budget in minutes will hold, from a few steps of a network that is thrown away."""

from __future__ import annotations

import math
import time

from striate.core.device import Policy
from striate.core.recipe import Recipe
from striate.data import Dataset
from striate.data.batches import as_numbers, as_tensor
from striate.engine.memory import keep_freed_memory
from striate.engine.optimizers import make_optimizers
from striate.engine.randomness import borrowed_generators
from striate.engine.world import World
from striate.training.building import new_classifier
from striate.training.objective import objective_of

MOST_STEPS = 4
"""How many are taken at most; the fastest counts, since the first pays for what later ones find prepared."""

MOST_OF_BUDGET = 0.02
"""The share of the budget after which no further step is begun. On two cores four steps on Fashion-MNIST take
0.6 s, and 1.4 s in a new process, most of which the training is then spared."""


def expected_epochs(dataset: Dataset, recipe: Recipe, policy: Policy, *, world: World) -> float | None:
    """Estimate how many epochs a training will have.

    Args:
        dataset: what will be trained on.
        recipe: with everything decided as far as it can be without this.
        policy: where and how it computes.
        world: the processes that train together; the writer's clock counts.

    Returns:
        The estimate; ``None`` where nothing is decided by it: where the recipe counts epochs, where a network
        is pre-trained or its images attacked, and for series and volumes.
    """
    if recipe.minutes is None or recipe.pretrained or recipe.robust or dataset.dims != 2:
        return None
    budget = recipe.minutes * 60
    seconds = world.told(_seconds_a_step(dataset, recipe, policy, world=world, most=MOST_OF_BUDGET * budget))
    return budget / seconds * (recipe.batch or 1) / len(dataset.train)


def _seconds_a_step(dataset: Dataset, recipe: Recipe, policy: Policy, *, world: World, most: float) -> float:
    if policy.device == "cpu":
        keep_freed_memory()  # as in the training itself
    rows = slice(math.ceil((recipe.batch or 1) / world.size))
    taken: list[float] = []
    with borrowed_generators(policy.device):
        classifier = new_classifier(dataset, recipe, policy).train()
        objective = objective_of(recipe, dataset, device=policy.device)
        optimizers = make_optimizers(classifier.network, recipe)
        labels = as_tensor(dataset.train.labels[rows]).to(policy.device)
        while not taken or (len(taken) < MOST_STEPS and sum(taken) < most):
            began = time.perf_counter()
            pixels = as_numbers(as_tensor(dataset.train.images[rows]).to(policy.device))
            with policy.autocast():
                logits = classifier(
                    pixels.contiguous(memory_format=policy.memory_format_of(dataset.dims))
                ).float()
            loss = objective.loss(logits, labels, None)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            loss.item()  # waits for a GPU
            taken.append(time.perf_counter() - began)
    return min(taken)
