"""The Fréchet distance against torchmetrics, SciPy, closed forms and its own bias."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from striate.core.errors import ShapeError, TrainingError
from striate.metrics import frechet, frechet_distance, frechet_estimates, frechet_infinite


def drawn(seed, images, features, *, scale=1.0, shift=0.0):
    """Correlated features that are not normal."""
    source = torch.Generator().manual_seed(seed)
    mixing = torch.randn(features, features, generator=torch.Generator().manual_seed(99)) / features**0.5
    values = torch.randn(images, features, generator=source) @ mixing
    return (values.exp().clamp(max=20) * scale + shift).float()


def torchmetrics_distance(real, generated):
    """Give FID by torchmetrics, whose images are the features themselves."""
    module = nn.Flatten()
    module.num_features = real.shape[1]
    metric = FrechetInceptionDistance(feature=module)
    metric.set_dtype(torch.float64)
    metric.update(real[:, :, None, None].double(), real=True)
    metric.update(generated[:, :, None, None].double(), real=False)
    return float(metric.compute())


def scipy_distance(real, generated):
    real, generated = real.double().numpy(), generated.double().numpy()
    ours, theirs = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    root = scipy.linalg.sqrtm(ours @ theirs).real
    means = real.mean(axis=0) - generated.mean(axis=0)
    return means @ means + np.trace(ours + theirs - 2 * root)


@pytest.mark.parametrize(("images", "others", "features"), [(300, 300, 5), (500, 200, 16), (400, 900, 48)])
def test_it_is_torchmetrics_and_scipys(images, others, features):
    real, generated = drawn(0, images, features), drawn(1, others, features, scale=1.3, shift=0.4)
    found = frechet_distance(real, generated)
    assert found == pytest.approx(torchmetrics_distance(real, generated), rel=1e-6)
    assert found == pytest.approx(scipy_distance(real, generated), rel=1e-6)


@given(
    images=st.integers(2, 40),
    others=st.integers(2, 40),
    features=st.integers(1, 30),
    seed=st.integers(0, 1000),
)
def test_singular_covariances_lose_nothing(images, others, features, seed):
    source = np.random.default_rng(seed)
    real = source.normal(0, 1, (images, features)) * source.uniform(0.01, 100, features)
    generated = source.normal(0.5, 2, (others, features))
    # The trace of the root is the nuclear norm of the centred features' products.
    ours = (real - real.mean(axis=0)) / math.sqrt(images - 1)
    theirs = (generated - generated.mean(axis=0)) / math.sqrt(others - 1)
    means = real.mean(axis=0) - generated.mean(axis=0)
    expected = (
        means @ means
        + (ours**2).sum()
        + (theirs**2).sum()
        - 2 * np.linalg.svd(ours @ theirs.T, compute_uv=False).sum()
    )
    found = frechet_distance(torch.from_numpy(real), torch.from_numpy(generated))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9 * (ours**2).sum())


@pytest.mark.parametrize(("images", "features"), [(1000, 64), (20, 64), (2, 3)])
def test_a_set_is_at_no_distance_from_itself(images, features):
    real = drawn(3, images, features, scale=5)
    assert 0 <= frechet_distance(real, real) < 1e-6
    shuffled = real[torch.randperm(images, generator=torch.Generator().manual_seed(0))]
    assert 0 <= frechet_distance(real, shuffled) < 1e-6


def test_a_constant_feature_and_a_shift_far_away():
    real = torch.zeros(50, 4)
    assert frechet_distance(real, real + 1) == pytest.approx(4)
    far = drawn(1, 200, 6).double() + 1e6
    assert frechet_distance(far, far + 1) == pytest.approx(6, rel=1e-6)


@given(seed=st.integers(0, 1000))
def test_it_is_symmetric_and_does_not_depend_on_the_axes(seed):
    real, generated = drawn(seed, 60, 5).double(), drawn(seed + 1, 80, 5, scale=2).double()
    found = frechet_distance(real, generated)
    assert found == pytest.approx(frechet_distance(generated, real), rel=1e-9)
    axes = torch.linalg.qr(
        torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    )[0]
    assert found == pytest.approx(frechet_distance(real @ axes + 3, generated @ axes + 3), rel=1e-8)


def test_halves_of_one_set_are_as_far_apart_as_the_bias_says():
    # To first order, of two sets of n standard normal images: (2 D + (D^2 + D) / 2) / n.
    images, features = 1500, 10
    source = torch.Generator().manual_seed(5)
    halves = [torch.randn(2, images, features, generator=source) for _ in range(12)]
    mean = np.mean([frechet_distance(*pair) for pair in halves])
    assert mean == pytest.approx((2 * features + (features**2 + features) / 2) / images, rel=0.1)
    extrapolated = np.mean([frechet_infinite(*pair) for pair in halves])
    assert abs(extrapolated) < 0.2 * mean


def test_the_extrapolated_distance_is_the_true_one():
    # Of normal distributions: |m|^2 + sum (s - 1)^2.
    features = 12
    scales = torch.linspace(0.5, 1.5, features)
    true = features * 0.01 + float((scales - 1).square().sum())
    found, plain = [], []
    for seed in range(6):
        source = torch.Generator().manual_seed(seed)
        real = torch.randn(1000, features, generator=source)
        generated = torch.randn(1000, features, generator=source) * scales + 0.1
        found.append(frechet_infinite(real, generated, seed=seed))
        plain.append(frechet_distance(real, generated))
    assert np.mean(plain) > true + 0.05
    assert np.mean(found) == pytest.approx(true, abs=0.03)


def test_an_interval_holds_what_other_samples_give():
    def sets(seed):
        source = torch.Generator().manual_seed(seed)
        return torch.randn(300, 4, generator=source), torch.randn(300, 4, generator=source) + 0.5

    mean = np.mean([frechet_distance(*sets(seed)) for seed in range(1000, 1200)])
    estimates = [frechet_estimates(*sets(seed), resamples=40, seed=seed) for seed in range(40)]
    inside = [each.interval[0] <= mean <= each.interval[1] for each, _ in estimates]
    assert sum(inside) >= 34
    inside = [each.interval[0] <= 1.0 <= each.interval[1] for _, each in estimates if each]
    assert len(inside) == 40
    assert sum(inside) >= 34


def test_estimates_hold_the_plain_figures_and_the_seed_decides_the_rest():
    real, generated = drawn(0, 120, 6), drawn(1, 90, 6, shift=0.2)
    distance, infinite = frechet_estimates(real, generated, resamples=10, seed=3)
    assert distance.value == frechet_distance(real, generated)
    assert infinite is not None
    assert infinite.value == frechet_infinite(real, generated, seed=3)
    assert infinite.interval[1] - infinite.interval[0] > distance.interval[1] - distance.interval[0]
    assert frechet_estimates(real, generated, resamples=10, seed=3) == (distance, infinite)
    assert frechet_estimates(real, generated, resamples=10, seed=4)[0].interval != distance.interval


@pytest.mark.parametrize("features", [4, 30])  # of 30 the covariances are singular
def test_a_resample_is_the_distance_between_what_was_drawn(features):
    real, generated = drawn(0, 25, features).double(), drawn(1, 20, features, shift=0.3).double()
    source = torch.Generator().manual_seed(2)
    rows, others = torch.randint(25, (25,), generator=source), torch.randint(20, (20,), generator=source)
    counts = rows.bincount(minlength=25).double()[None], others.bincount(minlength=20).double()[None]
    found = frechet._resampled(real, generated, *counts)
    assert float(found) == pytest.approx(frechet_distance(real[rows], generated[others]), rel=1e-5)


def test_too_few_images_to_extrapolate_are_refused_with_the_arithmetic():
    few, many = torch.randn(50, 16), torch.randn(500, 16)
    with pytest.raises(ShapeError, match=r"50 images are too few .* 16 features, .* 2\.5 / 0\.7 .*: 58$"):
        frechet_infinite(many, few)
    distance, infinite = frechet_estimates(few, many, resamples=4)
    assert infinite is None
    assert distance.value > 0
    with pytest.raises(ShapeError, match="2 points"):
        frechet_infinite(many, many, points=2)


@pytest.mark.parametrize(
    ("real", "generated", "error", "sentence"),
    [
        (torch.zeros(5, 3), torch.zeros(5, 4), ShapeError, "have 3 features and generated ones 4"),
        (torch.zeros(5), torch.zeros(5, 4), ShapeError, r"real images are float32 of the shape \(5,\)"),
        (torch.zeros(5, 4), torch.zeros(5, 4, dtype=torch.int64), ShapeError, "generated images are int64"),
        (torch.zeros(5, 0), torch.zeros(5, 0), ShapeError, r"\(5, 0\)"),
        (torch.zeros(5, 4), torch.zeros(1, 4), ShapeError, "1 generated images are too few; .* least 2"),
        (
            torch.zeros(5, 4),
            torch.full((3, 4), torch.nan),
            TrainingError,
            "3 of 3 generated images are not fin",
        ),
        (
            torch.full((3, 4), torch.inf),
            torch.zeros(5, 4),
            TrainingError,
            "3 of 3 real images are not finite",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(real, generated, error, sentence):
    with pytest.raises(error, match=sentence):
        frechet_distance(real, generated)
