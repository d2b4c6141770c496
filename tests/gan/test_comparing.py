"""Scores of images against images: equal to torchmetrics', named, and left out where they mean nothing."""

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

import striate
from striate.core.errors import LayerError, ShapeError, TrainingError
from striate.gan import FeatureNetwork, comparing, find_feature_network, score_images
from striate.metrics import frechet_distance, frechet_infinite

PIXELS = FeatureNetwork("pixels", nn.Sequential(nn.AvgPool2d(2), nn.Flatten()), size=6)


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return striate.open_dataset("digits").train.images


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return find_feature_network("striate-digits-v1", device="cpu")


class First(nn.Module):
    """What a network gives first, its features; or second, its logits."""

    def __init__(self, module: nn.Module, number: int) -> None:
        super().__init__()
        self.module = module
        self.number = number
        self.num_features = 64

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.module(images)[self.number]


@pytest.mark.filterwarnings("ignore:Metric `", "ignore:std")
def test_they_are_torchmetrics_by_the_same_network(real, network):
    ours = torch.from_numpy(real[:600])
    theirs = (
        ours.float() * 0.8 + torch.randn(ours.shape, generator=torch.Generator().manual_seed(0)) * 20
    ).clamp(0, 255)
    theirs = theirs.to(torch.uint8)
    found = score_images(ours, theirs, network)
    fid = FrechetInceptionDistance(feature=First(network.module, 0))
    kid = KernelInceptionDistance(feature=First(network.module, 0), subsets=1, subset_size=600)
    for metric in (fid, kid):
        metric.update(ours / 255, real=True)
        metric.update(theirs / 255, real=False)
    inception = InceptionScore(feature=First(network.module, 1), splits=1)
    inception.update(theirs / 255)
    assert found["fid"].value == pytest.approx(float(fid.compute()), rel=1e-4)
    assert found["kid"].value == pytest.approx(float(kid.compute()[0]), rel=1e-4)
    assert found["inception_score"].value == pytest.approx(float(inception.compute()[0]), rel=1e-4)


def test_names_say_by_which_network_and_every_score_has_its_interval(real, network):
    found = score_images(real[:400], real[400:800], network)
    assert [score.name for score in found.scores.values()] == [
        f"{what}[striate-digits-v1]"
        for what in ("FID", "FID∞", "KID", "IS", "precision", "recall", "density", "coverage")
    ]
    for score in found.scores.values():
        low, high = score.interval
        assert low <= score.value <= high
        assert low < high
        assert score.bias
    assert found["fid"].better == "lower"
    assert sum(found.class_shares.values()) == pytest.approx(1)
    assert set(found.class_shares) == {str(digit) for digit in range(10)}


def test_a_set_is_at_no_distance_from_itself_and_halves_at_about_their_bias(real, network):
    features = network.features(real).features.double()
    assert frechet_distance(features, features) < 1e-6
    images = len(features) // 2
    found, extrapolated = [], []
    for seed in range(4):
        rows = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
        halves = features[rows[:images]], features[rows[images : 2 * images]]
        found.append(frechet_distance(*halves))
        extrapolated.append(frechet_infinite(*halves, seed=seed))
    # To first order, as if features were normal: of the means 2 tr S / n, of the covariances the second term.
    spread = torch.linalg.eigvalsh(features.T.cov()).clamp(min=0)
    pairs = spread[:, None] * spread[None] / (spread[:, None] + spread[None]).clamp(min=1e-12)
    expected = float(2 * spread.sum() + pairs.sum() + spread.sum() / 2) / images
    assert np.mean(found) == pytest.approx(expected, rel=0.3)
    assert abs(np.mean(extrapolated)) < 0.35 * np.mean(found)


def test_worse_images_score_worse(real, network):
    ours, theirs = torch.from_numpy(real[:500]), torch.from_numpy(real[500:1000])
    noise = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(0)) * 60
    noisy = (theirs + noise).clamp(0, 255).to(torch.uint8)
    one_class = theirs[:1].repeat(500, 1, 1, 1)
    same, worse, collapsed = (score_images(ours, images, network) for images in (theirs, noisy, one_class))
    for name in ("fid", "fid_infinite", "kid"):
        assert same[name].interval[1] < worse[name].interval[0]
        assert same[name].interval[1] < collapsed[name].interval[0]
    for name in ("precision", "density", "coverage"):
        assert same[name].value > worse[name].value
    assert collapsed["inception_score"].value == pytest.approx(1, abs=1e-6)
    assert collapsed["recall"].value < 0.1 < same["recall"].value
    assert max(collapsed.class_shares.values()) == 1


def test_fid_is_left_out_where_there_are_no_more_images_than_features(real, network):
    found = score_images(real[:64], real[64:400], network)
    assert "fid" not in found.scores
    assert "kid" in found.scores
    assert "no FID: 64 images are no more than the 64 features of striate-digits-v1" in found.warnings[0]
    assert "2,000 and more give one" in found.warnings[0]
    found = score_images(real[:65], real[65:400], network)
    assert "fid" in found.scores
    assert "fid_infinite" not in found.scores
    assert "FID of 65 images and 64 features is too high for so few images, by how much" in found.warnings[0]


def test_few_images_are_warned_of_and_enough_are_not(real, network, monkeypatch):
    warned = score_images(real[:500], real[500:1000], network).warnings
    assert len(warned) == 2
    assert "FID of 500 images and 64 features is too high by about" in warned[0]
    assert "the Inception Score of 500 images is too low" in warned[1]
    monkeypatch.setattr(comparing, "LEAST_FOR_FRECHET", 400)
    monkeypatch.setattr(comparing, "SPLIT", 250)
    assert score_images(real[:500], real[500:1000], network).warnings == ()


def test_the_inception_score_needs_classes_and_as_many_images(real):
    found = score_images(real[:40], real[40:80], PIXELS)
    assert "inception_score" not in found.scores
    assert "no Inception Score: pixels names no classes" in found.warnings
    assert found.class_shares == {}
    many = FeatureNetwork("many", TwoGiven())
    found = score_images(real[:40], real[40:80], many)
    assert any("40 images cannot show the 64 classes of many" in warning for warning in found.warnings)


class TwoGiven(nn.Module):
    """Pixels as features, and as logits."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.flatten(1), images.flatten(1)


def test_neighbours_are_counted_among_as_many_of_each_kind(real):
    few, many = score_images(real[:50], real[50:100], PIXELS), score_images(real[:50], real[50:1000], PIXELS)
    assert "50 of each" in few["precision"].bias
    assert "50 of each" in many["precision"].bias
    assert (
        many["recall"].value < 0.99
    )  # of 950 generated images, nearly all real ones would have some around them


def test_the_seed_decides_and_the_result_is_plain(real):
    found = score_images(real[:60], real[60:120], PIXELS, seed=3)
    again = score_images(real[:60], real[60:120], PIXELS, seed=3)
    assert found.scores == again.scores
    plain = found.to_dict()
    assert plain["scores"]["kid"]["interval"] == list(found["kid"].interval)
    assert plain["network"] == "pixels"
    assert (plain["real"], plain["generated"], plain["features"]) == (60, 60, 9)


def test_what_watches_may_not_judge(real):
    watcher = find_feature_network("striate-fashion-watch-v1", device="cpu")
    with pytest.raises(LayerError, match=r"striate-fashion-watch-v1 watches trainings .* striate-fashion-v1"):
        score_images(real[:40], real[40:80], watcher)


def test_too_few_images_and_images_without_numbers_are_refused(real, network):
    with pytest.raises(ShapeError, match="9 images are too few to be scored; 10 work, and 10,000 are usual"):
        score_images(real[:9], real[:100], network)
    broken = torch.rand(20, 1, 8, 8)
    broken[3:5] = torch.nan
    with pytest.raises(TrainingError, match="2 of 20 generated images are not finite numbers"):
        score_images(real[:20], broken, network)
