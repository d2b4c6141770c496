"""Logistic regression: scikit-learn's solution, its gradient at 0, chosen strengths, and odd features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate.core.errors import ShapeError
from striate.engine.logistic import (
    STRENGTHS,
    fit_chosen,
    fit_logistic,
    held_out_logits,
    stratified_folds,
)


def blobs(
    count: int, *, width: int = 6, classes: int = 3, apart: float = 1.5, seed: int = 0
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centres = apart * torch.randn(classes, width, generator=torch.Generator().manual_seed(7))
    labels = torch.arange(count) % classes
    return centres[labels] + torch.randn(count, width, generator=generator), labels


@pytest.mark.parametrize("strength", [1.0, 0.03, 0.001])
def test_the_solution_is_that_of_scikit_learn(strength) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="the extra 'test' has scikit-learn")
    features, labels = blobs(90)
    features = 5 * features + 3
    centred = features.double() - features.double().mean(dim=0)
    scale = centred.square().mean().sqrt()
    # Its C weighs the sum of the losses, ours the mean.
    theirs = linear_model.LogisticRegression(C=1 / (strength * len(labels)), tol=1e-10, max_iter=10_000)
    theirs.fit((centred / scale).numpy(), labels.numpy())
    expected = theirs.predict_proba((centred / scale).numpy())
    found = F.softmax(fit_logistic(features, labels, classes=3, strength=strength)(features), dim=1)
    assert np.allclose(found.numpy(), expected, atol=2e-4)


def test_the_gradient_at_the_solution_is_zero() -> None:
    features, labels = blobs(40)
    strength = 0.01
    head = fit_logistic(features, labels, classes=3, strength=strength)
    centred = features.double() - features.double().mean(dim=0)
    scale = centred.square().mean().sqrt()
    weight = (head.weight.double() * scale).requires_grad_()
    bias = (head.bias.double() + head.weight.double() @ features.double().mean(dim=0)).requires_grad_()
    loss = (
        F.cross_entropy(F.linear(centred / scale, weight, bias), labels)
        + strength / 2 * weight.square().sum()
    )
    for gradient in torch.autograd.grad(loss, [weight, bias]):
        assert gradient.abs().max() < 1e-5


@settings(max_examples=15)
@given(shift=st.floats(-100, 100), factor=st.floats(0.01, 100))
def test_the_scale_and_place_of_features_do_not_matter(shift, factor) -> None:
    features, labels = blobs(30)
    plain = fit_logistic(features, labels, classes=3, strength=0.01)(features)
    moved = features.double() * factor + shift
    found = fit_logistic(moved, labels, classes=3, strength=0.01)(moved.float())
    assert torch.allclose(F.softmax(found, dim=1), F.softmax(plain, dim=1), atol=0.01)


def test_the_chosen_strength_is_nearly_as_good_as_any_on_other_images() -> None:
    features, labels = blobs(60, width=80, apart=0.3)
    others, others_labels = blobs(3000, width=80, apart=0.3, seed=1)
    losses = {
        strength: F.cross_entropy(
            fit_logistic(features, labels, classes=3, strength=strength)(others), others_labels
        ).item()
        for strength in STRENGTHS
    }
    head = fit_chosen(features, labels, classes=3)
    assert losses[head.strength] < min(losses.values()) + 0.1 * (max(losses.values()) - min(losses.values()))
    assert head.strength > min(STRENGTHS)


def test_without_a_bias_there_is_none_and_the_origin_is_undecided() -> None:
    features, labels = blobs(60)
    head = fit_chosen(features, labels, classes=3, biased=False)
    assert head.bias.eq(0).all()
    assert head(torch.zeros(1, 6)).eq(0).all()
    assert head(features).argmax(dim=1).eq(labels).float().mean() > 0.8


def test_one_seed_gives_one_head() -> None:
    features, labels = blobs(60)
    one, same = (fit_chosen(features, labels, classes=3, seed=4) for _ in range(2))
    assert one.weight.equal(same.weight)
    assert one.bias.equal(same.bias)


def test_held_out_logits_are_those_of_fits_without_the_image() -> None:
    features, labels = blobs(20)
    found = held_out_logits(features, labels, classes=3, strength=0.1, seed=2)
    fold = stratified_folds(labels, folds=5, seed=2)
    centred = features.double() - features.double().mean(dim=0)
    scaled = centred / centred.square().mean().sqrt()
    for number in range(5):
        kept = fold != number
        weight = torch.zeros(3, 6, dtype=torch.double, requires_grad=True)
        bias = torch.zeros(3, dtype=torch.double, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

        def loss(weight=weight, bias=bias, kept=kept, optimizer=optimizer) -> Tensor:
            optimizer.zero_grad()
            fitted = F.cross_entropy(F.linear(scaled[kept], weight, bias), labels[kept])
            total = fitted + 0.05 * weight.square().sum()
            total.backward()
            return total

        optimizer.step(loss)
        expected = F.linear(scaled[~kept], weight, bias).detach()
        assert torch.allclose(F.softmax(found[~kept].double(), 1), F.softmax(expected, 1), atol=1e-3)


@settings(max_examples=40)
@given(counts=st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any), folds=st.integers(2, 6))
def test_folds_are_even_in_every_class(counts, folds) -> None:
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    fold = stratified_folds(labels, folds=folds, seed=1)
    sizes = torch.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label in range(len(counts)):
        inside = torch.bincount(fold[labels == label], minlength=folds)
        assert inside.max() - inside.min() <= 1


def test_few_images_missing_classes_and_constant_features_work() -> None:
    for features, labels in (
        (torch.tensor([[1.0], [2.0]]), torch.tensor([0, 2])),
        (torch.ones(6, 3), torch.tensor([0, 0, 0, 0, 1, 1])),
        (torch.rand(1, 2), torch.tensor([1])),
    ):
        head = fit_chosen(features, labels, classes=3)
        assert torch.isfinite(head(features)).all()
    constant = F.softmax(
        fit_logistic(torch.ones(6, 3), torch.tensor([0, 0, 0, 0, 1, 1]), classes=2, strength=1)(
            torch.ones(1, 3)
        ),
        1,
    )
    assert constant[0].tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-4)


def test_more_images_than_folds_take_are_tried_with_one(monkeypatch) -> None:
    monkeypatch.setattr("striate.engine.logistic.MOST_IN_FOLDS", 30)
    features, labels = blobs(60)
    assert fit_chosen(features, labels, classes=3)(features).argmax(dim=1).eq(labels).float().mean() > 0.8


def test_single_precision_gives_nearly_the_same(monkeypatch) -> None:
    features, labels = blobs(60)
    double = fit_logistic(features, labels, classes=3, strength=0.01)(features)
    monkeypatch.setattr("striate.engine.logistic.MOST_DOUBLE", 0)
    single = fit_logistic(features, labels, classes=3, strength=0.01)(features)
    assert torch.allclose(F.softmax(single, 1), F.softmax(double, 1), atol=0.01)


@pytest.mark.parametrize(("shape", "count"), [((0, 3), 0), ((4, 3), 5), ((4,), 4)])
def test_features_without_a_label_each_are_refused(shape, count) -> None:
    with pytest.raises(ShapeError, match=f"{count} labels do not fit features"):
        fit_chosen(torch.zeros(shape), torch.zeros(count, dtype=torch.long), classes=2)


def test_weighted_fits_are_those_of_scikit_learn() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="the extra 'test' has scikit-learn")
    features, labels = blobs(40)
    strength = 0.02
    weights = torch.tensor([0.5, 2.0, 0.1])[labels]
    weights = weights / weights.mean()
    centred = features.double() - features.double().mean(dim=0)
    scale = centred.square().mean().sqrt()
    theirs = linear_model.LogisticRegression(C=1 / (strength * len(labels)), tol=1e-10, max_iter=10_000)
    theirs.fit((centred / scale).numpy(), labels.numpy(), sample_weight=weights.numpy())
    expected = theirs.predict_proba((centred / scale).numpy())
    head = fit_logistic(features, labels, classes=3, strength=strength, weights=weights)
    assert np.allclose(F.softmax(head(features), dim=1).numpy(), expected, atol=2e-4)


def test_weights_of_one_change_nothing_and_others_reach_the_choice_too() -> None:
    features, labels = blobs(60)
    plain = fit_chosen(features, labels, classes=3)
    alike = fit_chosen(features, labels, classes=3, weights=torch.ones(len(labels)))
    assert alike.weight.equal(plain.weight)
    # An image that counts nothing might as well not be there, whichever fold it is in.
    absent = torch.where(labels == 0, 0.0, 1.5)
    head = fit_chosen(features, labels, classes=3, weights=absent)
    assert (head(features).argmax(dim=1) != 0).all()


def several(count: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Blobs of which each has a set of labels, every one of them decided by one feature."""
    features = torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))
    noise = 0.7 * torch.randn(count, 3, generator=torch.Generator().manual_seed(seed + 1))
    return 4 * features + 2, (features[:, :3] + noise > torch.tensor([0.0, 0.5, 1.5])).to(torch.uint8)


@pytest.mark.parametrize("strength", [0.3, 0.01])
def test_several_labels_are_fitted_as_scikit_learn_fits_each(strength) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model", reason="the extra 'test' has scikit-learn")
    features, labels = several(120)
    centred = features.double() - features.double().mean(dim=0)
    scaled = (centred / centred.square().mean().sqrt()).numpy()
    found = fit_logistic(features, labels, classes=3, strength=strength)(features).sigmoid()
    for label in range(3):
        theirs = linear_model.LogisticRegression(C=1 / (strength * len(labels)), tol=1e-10, max_iter=10_000)
        theirs.fit(scaled, labels[:, label].numpy())
        assert np.allclose(found[:, label].numpy(), theirs.predict_proba(scaled)[:, 1], atol=2e-4)


def test_labels_of_all_images_and_of_none_spoil_no_other() -> None:
    features, labels = several(80)
    odd = torch.cat([labels, torch.ones(80, 1), torch.zeros(80, 1)], dim=1)
    fitted = fit_chosen(features, odd, classes=5)
    expected = fit_logistic(features, labels, classes=3, strength=fitted.strength)(features)
    found = fitted(features)
    assert torch.isfinite(found).all()
    assert torch.allclose(found[:, :3], expected, atol=5e-3)
    assert (found[:, 3] > 3).all()
    assert (found[:, 4] < -3).all()


def test_the_error_is_that_of_fits_without_the_image() -> None:
    features, labels = blobs(200, apart=0.7)
    head = fit_chosen(features, labels, classes=3, seed=2)
    logits = held_out_logits(features, labels, classes=3, strength=head.strength, seed=2)
    expected = (logits.argmax(dim=1) != labels).float().mean().item()
    assert 0.05 < expected < 0.5
    assert head.error == pytest.approx(expected, abs=1.5 / len(labels))  # of fits that began elsewhere
    assert fit_chosen(features[:3], labels[:3], classes=3).error is None
    assert fit_chosen(features, F.one_hot(labels), classes=3).error is None


def test_several_labels_are_held_out_and_folds_share_their_sets() -> None:
    features, labels = several(200)
    fold = stratified_folds(labels, folds=5, seed=0)
    counts = torch.stack([labels[fold == number].sum(dim=0) for number in range(5)])
    assert (counts.amax(dim=0) - counts.amin(dim=0)).max() <= 4
    logits = held_out_logits(features, labels, classes=3, strength=0.01)
    agreed = (logits > 0) == (labels > 0)
    assert agreed.double().mean() > 0.75
    assert fit_chosen(features, labels, classes=3).strength in STRENGTHS
