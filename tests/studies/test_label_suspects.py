"""Label suspects: labels that were changed on purpose are found, by features and by a small network."""

import numpy as np
import pytest
import torch

from striate.core.device import choose_policy
from striate.core.errors import DataError
from striate.data import open_dataset
from striate.data.auditing import Audit
from striate.studies.label_suspects import by_features, by_network, find_label_suspects


def audited(images, labels, groups=None):
    names = tuple(f"{row}.png" for row in range(len(labels)))
    own = np.arange(len(labels)) if groups is None else groups
    return Audit("a set", (), {}, names, images, tuple(labels), own, 0.0)


@pytest.fixture(scope="module")
def digits():
    """Zeros, ones and fours of the real digits, eight of whose labels are wrong."""
    data = open_dataset("digits")
    chosen = np.flatnonzero(np.isin(data.train.labels, (0, 1, 4)))[:240]
    images, labels = data.train.images[chosen], data.train.labels[chosen].copy()
    wrong = np.random.default_rng(0).choice(240, 8, replace=False)
    labels[wrong] = np.array([1, 0, 0, 0, 0])[labels[wrong]]
    return images, labels, wrong


def test_wrong_digits_are_found_by_a_small_network(digits, monkeypatch):
    monkeypatch.setattr("striate.studies.label_suspects.EPOCHS", (8, 8))
    images, labels, wrong = digits
    events = []
    found = find_label_suspects(
        audited(images, [str(label) for label in labels]), folds=2, device="cpu", on_event=events.append
    )
    rows = [each.row for each in found.suspects]
    assert len(set(rows[:10]) & set(wrong.tolist())) >= 7
    assert len(rows) <= 16
    assert found.judge == "a small network"
    assert found.accuracy > 0.85
    assert (found.images, found.folds) == (240, 2)
    first = found.suspects[0]
    assert first.given != first.likely
    assert first.probability_given < first.probability_likely
    assert first.name == f"{first.row}.png"
    finding = found.finding()
    assert (finding.kind, finding.level) == ("label-suspects", "warning")
    assert finding.items[0].remark.startswith(f"labelled {first.given} (0.")
    assert events[-1].data["done"] == events[-1].data["total"] == 16


def test_features_judge_out_of_sample():
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    features = torch.from_numpy(random.normal(0, 1, (120, 200))).float()
    noise = by_features(features, labels, np.arange(120) // 24, classes=3)
    # So many features learn any labels by heart; of images that were not learnt they say nothing.
    assert (noise.argmax(dim=1).numpy() == labels).mean() < 0.5
    features[:, :3] += 4 * torch.eye(3)[labels]
    known = by_features(features, labels, np.arange(120) // 24, classes=3)
    assert (known.argmax(dim=1).numpy() == labels).mean() > 0.95
    np.testing.assert_allclose(known.sum(dim=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same(digits, monkeypatch):
    monkeypatch.setattr("striate.studies.label_suspects.EPOCHS", (1, 1))
    images, labels, _ = digits
    fold = np.arange(240) % 2
    policy = choose_policy("cpu", "float32")
    order = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    first, again = (by_network(images, order, fold, seed=3, policy=policy) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


def test_copies_are_judged_together(digits, monkeypatch):
    """A wrong label that a copy of the picture has too is only found where both are in one fold."""
    images, labels, _ = digits
    seen = []

    def judge(_, labels, fold, **__):
        seen.append(fold)
        return torch.nn.functional.one_hot(torch.from_numpy(labels)).float()

    monkeypatch.setattr("striate.studies.label_suspects.by_network", judge)
    groups = np.arange(240) // 2 * 2
    found = find_label_suspects(audited(images, [str(label) for label in labels], groups), device="cpu")
    assert (seen[0][::2] == seen[0][1::2]).all()
    assert len(np.unique(seen[0])) == 5
    assert found.suspects == ()
    assert found.finding() is None


def test_sets_that_cannot_be_judged_get_a_sentence():
    images = np.zeros((4, 1, 8, 8), np.uint8)
    with pytest.raises(DataError, match="fewer than two classes of two images each"):
        find_label_suspects(audited(images, ["a", "a", "a", "b"]), device="cpu")
    with pytest.raises(DataError, match="cannot be divided into folds"):
        find_label_suspects(audited(images, ["a", "a", "b", "b"], np.zeros(4, np.int64)), device="cpu")
