"""Linear probes are scikit-learn's ridge classifier on images that they were not fitted on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.core.intervals import wilson
from striate.explain import linear_probe, probe_layers, probes


def groups(
    count: int = 240, width: int = 6, classes: int = 3, apart: float = 1.0
) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % classes
    centres = apart * torch.randn(classes, width, generator=generator)
    scales = 10.0 ** torch.arange(width)
    return (centres[labels] + torch.randn(count, width, generator=generator)) * scales, labels


@pytest.mark.parametrize(("count", "width"), [(240, 6), (40, 60)])
@pytest.mark.parametrize("penalty", [1e-3, 1.0])
def test_the_rule_is_scikit_learns(count, width, penalty) -> None:
    features, labels = groups(count, min(width, 8), apart=0.7)
    features = features[:, torch.arange(width) % 8 % features.shape[1]]
    noise = torch.randn(count, width, generator=torch.Generator().manual_seed(5)) * features.std(dim=0)
    features = features + noise
    kept, apart = probes._parts(labels, 0.25, 3)
    scaler = StandardScaler().fit(features[kept].double().numpy())
    oracle = RidgeClassifier(alpha=penalty * len(kept), solver="svd").fit(
        scaler.transform(features[kept].double().numpy()), labels[kept].numpy()
    )
    expected = oracle.score(scaler.transform(features[apart].double().numpy()), labels[apart].numpy())
    found = linear_probe(features, labels, penalty=penalty, seed=3, layer="x")
    assert found.accuracy == pytest.approx(expected)
    assert found.interval == wilson(round(expected * len(apart)), len(apart))
    assert (found.fitted, found.held_out, found.features) == (len(kept), len(apart), width)
    assert found.to_dict()["layer"] == "x"


def test_each_class_is_held_out_in_its_share_and_no_image_is_on_both_sides() -> None:
    labels = torch.tensor([0] * 80 + [1] * 16 + [2] * 2 + [3])
    kept, apart = probes._parts(labels, 0.25, 0)
    assert sorted([*kept.tolist(), *apart.tolist()]) == list(range(99))
    assert labels[apart].bincount(minlength=4).tolist() == [20, 4, 1, 0]
    other = probes._parts(labels, 0.25, 1)[1]
    assert apart.tolist() != other.tolist()


def test_separable_classes_are_told_apart_and_noise_is_not() -> None:
    features, labels = groups(apart=20.0)
    assert linear_probe(features, labels).accuracy == 1.0
    noise = torch.randn(600, 5, generator=torch.Generator().manual_seed(1))
    found = linear_probe(noise, torch.arange(600) % 3)
    assert found.interval[0] < 1 / 3 < found.interval[1] + 0.05
    assert found.chance == pytest.approx(1 / 3, abs=0.01)
    constant = linear_probe(torch.ones(40, 3), torch.arange(40) % 2)
    assert constant.accuracy == pytest.approx(0.5)


def test_where_the_classes_part_is_seen_layer_by_layer() -> None:
    # The class is in the size of the values, which no linear rule on them sees, and the rectifier shows.
    generator = torch.Generator().manual_seed(0)
    labels = np.arange(200) % 2
    images = (
        torch.randn(200, 1, 6, 6, generator=generator) * torch.from_numpy(1 + 4 * labels)[:, None, None, None]
    )
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    nn.init.ones_(network[0].weight)
    found = probe_layers(network, images.float(), torch.from_numpy(labels), layers=["0", "1"])
    assert found[0].accuracy < 0.75
    assert found[1].accuracy > 0.95
    usual = probe_layers(network, images.float(), torch.from_numpy(labels))
    assert [probe.layer for probe in usual] == ["0", "3"]


@pytest.mark.parametrize(
    ("labels", "options", "error", "sentence"),
    [
        (torch.zeros(3).long(), {}, ShapeError, r"\(3,\); to 240 images"),
        (torch.zeros(240).long(), {}, ShapeError, "1 classes of at least two"),
        (torch.zeros(240), {}, ShapeError, "float32"),
        (torch.arange(240) % 2, {"penalty": 0.0}, LayerError, "penalty 0.0"),
        (torch.arange(240) % 2, {"held_out": 1.0}, LayerError, "1.0 held out"),
    ],
)
def test_what_does_not_fit_is_refused(labels, options, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        linear_probe(groups()[0], labels, **options)
