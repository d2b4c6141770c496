"""Images that are learnt already are left out without a bias, and a pruned training is as long as another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import striate
from striate.data import Split
from striate.data.augmentation import Augmentation
from striate.data.batches import Batches
from striate.training.pruning import WHOLE_FROM, Pruning


def noted(losses: list[float], *, share: float = 0.5, least: int = 1) -> Pruning:
    pruning = Pruning(len(losses), share=share, seed=0, least=least, device="cpu")
    pruning.note(torch.arange(len(losses)), torch.tensor(losses))
    return pruning


def weights(pruning: Pruning, epoch: int, *, done: float = 0.5) -> torch.Tensor:
    pruning.begin(epoch, done=done)
    found = pruning.weights(torch.arange(len(pruning.kept)))
    assert pruning.kept.equal(found > 0)
    return found


@given(
    losses=st.lists(st.floats(0, 100), min_size=1, max_size=30),
    share=st.floats(0.05, 0.95),
    epoch=st.integers(0, 1000),
)
def test_only_images_under_the_mean_are_left_out_and_their_fellows_count_for_more(
    losses, share, epoch
) -> None:
    found = weights(noted(losses, share=share, least=0), epoch)
    values = torch.tensor(losses)
    hard = values >= values.mean() + 1e-4
    assert (found[hard] == 1).all()
    allowed = torch.tensor([0.0, 1.0, 1 / (1 - share)])
    assert ((found[:, None] - allowed).abs().min(dim=1).values < 1e-6).all()


def test_on_the_average_every_image_counts_once() -> None:
    pruning = noted([0.1] * 20 + [5.0] * 3, share=0.7)
    mean = torch.stack([weights(pruning, epoch) for epoch in range(4000)]).mean(dim=0)
    # The deviation of one mean is sqrt(0.7 / 0.3 / 4000) = 0.024.
    assert (mean[:20] - 1).abs().max() < 0.1
    assert (mean[20:] == 1).all()
    assert abs(mean[:20].mean() - 1) < 0.025


def test_first_and_last_passes_and_unseen_images_are_whole() -> None:
    fresh = Pruning(5, share=0.9, seed=0, least=1, device="cpu")
    assert weights(fresh, 0, done=0.0).tolist() == [1] * 5
    fresh.note(torch.tensor([0, 1, 2]), torch.tensor([0.0, 0.0, 9.0]))
    found = weights(fresh, 1)
    assert found[2:].tolist() == [1] * 3
    assert all(each == 0 or each == pytest.approx(10) for each in found[:2].tolist())
    assert weights(fresh, 2, done=WHOLE_FROM).tolist() == [1] * 5


def test_what_a_pass_has_seen_counts_from_the_next_one_on() -> None:
    pruning = noted([0.0] * 50 + [1.0])
    assert weights(pruning, 1)[:50].min() == 0
    pruning.note(torch.arange(50), torch.full((50,), 8.0))
    assert weights(pruning, 2)[:50].min() == 1  # now all but the last one are over the mean


def test_a_pass_never_gets_shorter_than_a_batch() -> None:
    assert weights(noted([0.0] * 9 + [1.0], share=0.99, least=8), 1).tolist() == [1] * 10


def test_it_goes_on_as_it_was() -> None:
    first = noted([0.0, 0.1, 0.2, 3.0])
    expected = weights(first, 3)
    second = Pruning(4, share=0.5, seed=0, least=1, device="cpu")
    second.restore(first.tensors())
    assert second.weights(torch.arange(4)).equal(expected)
    assert weights(first, 4).equal(weights(second, 4))


def test_without_a_share_nothing_is_kept_in_mind() -> None:
    pruning = Pruning(10**9, share=0.0, seed=0, least=1, device="cpu")
    pruning.begin(1, done=0.5)
    pruning.gather()
    assert pruning.kept is None
    assert pruning.tensors() == {}


def test_batches_go_through_the_kept_images_only() -> None:
    images = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 4, 4), np.uint8)
    batches = Batches(
        Split(images, np.arange(50)),
        batch=8,
        device="cpu",
        seed=0,
        augmentation=Augmentation(flip=False, shift=0),
    )
    kept = torch.arange(50) % 3 > 0
    chosen = batches.chosen(2, kept=kept)
    assert [len(each) for each in chosen] == [8] * 4
    assert kept[torch.cat(chosen)].all()
    assert len(torch.cat(chosen).unique()) == 32
    for start in (0, 3):
        found = list(batches.epoch(2, start=start, kept=kept))
        assert len(found) == 4 - start
        for (pixels, labels), index in zip(found, chosen[start:], strict=True):
            assert labels.equal(index)
            assert pixels[:, 0, 0, 0].long().equal(index)


def test_a_pruned_training_takes_as_many_steps_in_more_passes(fit, tmp_path) -> None:
    digits = striate.open_dataset("digits")
    plain, _ = fit(digits, epochs=8, prune=0.0, out=tmp_path / "plain")
    pruned, _ = fit(digits, epochs=8, prune=0.5, out=tmp_path / "pruned")
    assert pruned.rows[-1]["step"] == plain.rows[-1]["step"]
    assert len(plain.rows) == 8
    assert 9 <= len(pruned.rows) <= 16
    # Figures count the left-out images by those that stand for them, so they are those of the whole set.
    for run in (plain, pruned):
        assert abs(run.rows[-1]["train_accuracy"] - run.rows[-2]["train_accuracy"]) < 0.03
    assert pruned.evaluation["validation"].accuracy > 0.93
