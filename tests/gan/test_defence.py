"""Defense-GAN before a linear generator is a projection, whose answers and slopes are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.attack import FGSM, PGD, Linf, Victim
from striate.core.errors import AttackError, ShapeError
from striate.gan import Descent, draw_latents, projected
from striate.gan.latent import images_of

QUICK = Descent(starts=2, steps=60)


@pytest.fixture
def classifier():
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4))


@pytest.fixture
def network(linear_generator):
    return linear_generator((0.6, 0.5))


@pytest.fixture
def clean(network):
    return images_of(network, draw_latents(6, 2, seed=8))


def test_what_the_generator_cannot_make_changes_no_answer(network, classifier, clean):
    added = 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    flat, span = added.flatten(1), nn.functional.normalize(network.matrix, dim=1)
    added = (flat - flat @ span.T @ span).view_as(clean)
    defended = projected(network, classifier, descent=QUICK)
    with torch.no_grad():
        answers = defended(clean + added)
        assert torch.allclose(answers, classifier(clean), atol=2e-3)
        assert not torch.allclose(classifier(clean + added), classifier(clean), atol=2e-2)
        assert torch.equal(answers, defended(clean + added))
        assert torch.allclose(defended(clean[2:3]), defended(clean)[2:3], atol=1e-4)


def test_slopes_pass_straight_through_or_not_at_all(network, classifier, clean):
    with Victim(projected(network, classifier, descent=QUICK)) as victim:
        slopes = victim.gradient(clean, lambda logits: logits[:, 1])[2]
    assert torch.allclose(slopes.flatten(1), classifier[1].weight[1].expand(6, -1))
    blind = projected(network, classifier, descent=QUICK, straight_through=False)
    with pytest.raises(AttackError, match="no gradient comes back"):
        FGSM(Linf(0.1))(blind, clean, classifier(clean).argmax(dim=1))


def test_an_attack_straight_through_goes_where_the_generator_can(network, classifier, clean):
    labels = classifier(clean).argmax(dim=1)
    defended = projected(network, classifier, descent=Descent(starts=1, steps=20))
    changed = PGD(Linf(0.2), steps=5)(defended, clean, labels)
    assert (changed - clean).abs().max() <= 0.2 + 1e-6
    with torch.no_grad():
        margins = [torch.nn.functional.cross_entropy(defended(each), labels) for each in (clean, changed)]
    assert margins[1] > margins[0]


def test_the_classifier_and_the_generator_are_left_as_they_were(network, clean):
    classifier = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36), nn.Linear(36, 4)).train()
    before = classifier[1].running_mean.clone()
    projected(network.train(), classifier, descent=QUICK)(clean)
    assert classifier.training
    assert network.training
    assert torch.equal(classifier[1].running_mean, before)
    assert all(weight.requires_grad for weight in classifier.parameters())
    with torch.inference_mode():
        assert projected(network, lambda images: images.flatten(1), descent=QUICK)(clean).shape == (6, 36)


def test_images_of_another_size_are_refused(network, classifier):
    with pytest.raises(ShapeError, match="what this generator makes"):
        projected(network, classifier, descent=QUICK)(torch.rand(1, 1, 5, 5))
