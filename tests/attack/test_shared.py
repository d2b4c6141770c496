"""What attacks with one change for all images share: batches, a bounded loss, and learning it alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.attack.balls import Linf
from striate.attack.draws import Draws
from striate.attack.goals import Targeted, Untargeted
from striate.attack.shared import CEILING, batches, bounded_loss
from striate.attack.universal import Universal
from striate.core.errors import AttackError


@given(count=st.integers(1, 9), size=st.integers(1, 12), steps=st.integers(1, 30))
def test_every_image_comes_as_often(count, size, steps) -> None:
    taken = list(batches(Draws(torch.arange(count)), size, steps))
    assert [len(rows) for rows in taken] == [min(size, count)] * steps
    flat = torch.cat(taken)
    often = flat.bincount(minlength=count)
    assert often.max() - often.min() <= 1
    whole = flat[: len(flat) // count * count].view(-1, count)
    assert (whole.sort(dim=1).values == torch.arange(count)).all()


def test_orders_differ_from_time_to_time() -> None:
    first, second = batches(Draws(torch.arange(50)), 50, 2)
    assert not first.equal(second)


def test_no_image_counts_more_than_the_ceiling() -> None:
    logits = torch.tensor([[0.0, 50.0], [0.0, 1.0]], requires_grad=True)
    labels = torch.zeros(2, dtype=torch.long)
    losses = bounded_loss(Untargeted(), labels)(logits)
    assert losses[0] == CEILING
    losses.sum().backward()
    assert not logits.grad[0].any()
    assert logits.grad[1].any()
    towards = bounded_loss(Targeted(1), labels)(logits)
    assert (towards <= 0).all()
    assert towards[0] > towards[1]


def test_what_was_learnt_is_what_calling_adds(digits) -> None:
    network, images, labels = digits
    kept = images.clone()
    attack = Universal(Linf(0.1), steps=10)
    events = []
    change = attack.learn(network, images, labels, on_event=events.append)
    found = attack(network, images, labels)
    unmet = network(images).argmax(dim=1) == labels
    assert found[unmet].allclose((images[unmet] + change).clamp(0, 1), atol=1e-6)
    assert found[~unmet].equal(images[~unmet])
    assert images.equal(kept)
    assert [event.data["done"] for event in events] == list(range(1, 11))
    assert events[-1].data["total"] == 10


def test_the_same_generator_teaches_the_same(digits) -> None:
    network, images, labels = digits
    attack = Universal(Linf(0.1), steps=5, batch=20)
    first, second, other = (
        attack.learn(network, images, labels, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert first.equal(second)
    assert not first.equal(other)


def test_what_is_checked_when_called_is_checked_when_learning(digits) -> None:
    network, images, labels = digits
    attack = Universal(Linf(0.1), steps=2)
    with pytest.raises(AttackError, match="normalised"):
        attack.learn(network, images - 2, labels)
    answers = network(images).argmax(dim=1)
    with pytest.raises(AttackError, match="all 200 images meet the goal as they are"):
        attack.learn(network, images, (answers + 1) % 10)
