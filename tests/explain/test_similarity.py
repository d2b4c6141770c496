"""CKA equals its formulas written out, has the invariances it promises, and no bias where it says so."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from striate.core.errors import LayerError, ShapeError
from striate.explain import layer_similarity, linear_cka, similarity


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hsic(one: np.ndarray, other: np.ndarray) -> float:
    """HSIC with the centring matrix, as Kornblith et al. have it."""
    centring = np.eye(len(one)) - 1 / len(one)
    return float(np.trace(one @ centring @ other @ centring)) / (len(one) - 1) ** 2


def unbiased_hsic(one: np.ndarray, other: np.ndarray) -> float:
    """Equation 5 of Song et al., term by term."""
    n = len(one)
    k, m = one - np.diag(np.diag(one)), other - np.diag(np.diag(other))
    ones = np.ones(n)
    whole = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return float((np.trace(k @ m) + whole - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3)))


@given(count=st.integers(3, 20), width=st.integers(1, 25), other=st.integers(1, 25), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_it_is_the_formula_from_whichever_side_it_is_computed(count, width, other, seed) -> None:
    one, two = random(count, width, seed=seed), random(count, other, seed=seed + 100) + 3
    kernels = [(each @ each.T).double().numpy() for each in (one.double(), two.double())]
    expected = hsic(*kernels) / math.sqrt(hsic(kernels[0], kernels[0]) * hsic(kernels[1], kernels[1]))
    assert linear_cka(one, two) == pytest.approx(expected, abs=1e-9)
    assert linear_cka(two, one) == pytest.approx(expected, abs=1e-9)
    assert -1e-9 <= expected <= 1 + 1e-9


def test_neither_rotations_nor_scales_nor_shifts_change_it() -> None:
    one, other = random(30, 8), random(30, 5, seed=1) + random(30, 8)[:, :5]
    rotation = torch.linalg.qr(random(8, 8, seed=2))[0]
    assert linear_cka(one, one) == pytest.approx(1)
    assert linear_cka(4 * one @ rotation + 2, other) == pytest.approx(linear_cka(one, other), abs=1e-6)
    stretched = one * torch.tensor([100.0, 1, 1, 1, 1, 1, 1, 1])
    assert linear_cka(stretched, one) < 0.9


@pytest.mark.parametrize("count", [4, 5, 12])
def test_u_centring_gives_the_estimate_without_bias(count) -> None:
    kernels = [each @ each.T for each in (random(count, 6).double(), random(count, 3, seed=1).double())]
    one, other = (similarity.u_centred(kernel) for kernel in kernels)
    found = float((one * other).sum()) / (count * (count - 3))
    assert found == pytest.approx(unbiased_hsic(*(kernel.numpy() for kernel in kernels)))


def networks() -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    one = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(96, 3))
    return one, nn.Sequential(nn.Conv2d(1, 5, 5, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(20, 2))


def test_layers_are_compared_as_the_formula_says_batch_by_batch() -> None:
    one, other = networks()
    images = random(13, 1, 8, 8)
    found = layer_similarity(one, other, images, batch=6)
    assert (found.layers, found.other_layers) == (("0", "2", "4"), ("0", "3"))
    assert (found.images, found.batch) == (12, 6)
    order = torch.randperm(13, generator=torch.Generator().manual_seed(similarity.derive(0, "similarity")))
    sums = np.zeros((3, 5, 5))
    for part in (sorted(order[:6].tolist()), sorted(order[6:12].tolist())):
        with torch.no_grad():
            values = images[part]
            layers = [one[0](values), one[:3](values), one(values), other[0](values), other(values)]
        flat = [layer.flatten(1).double() for layer in layers]
        kernels = [(layer @ layer.T).numpy() for layer in flat]
        sums[0] += [[unbiased_hsic(a, b) for b in kernels] for a in kernels]
    norms = np.sqrt(np.diag(sums[0]))
    expected = (sums[0] / np.outer(norms, norms))[:3, 3:]
    assert found.values.numpy() == pytest.approx(expected, abs=1e-4)


def test_unrelated_layers_are_near_0_where_the_plain_estimate_is_not() -> None:
    class Noise(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 500)
            nn.init.normal_(self.layer.weight, generator=torch.Generator().manual_seed(seed))
            self.seed = seed

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            # Each half of the image is its own noise, of which each network sees one.
            half = images.flatten(1)[:, 64 * self.seed : 64 * self.seed + 64]
            return self.layer(half)

    images = random(256, 1, 8, 16)
    found = layer_similarity(Noise(0), Noise(1), images, batch=32)
    assert abs(found.values.item()) < 0.1
    with torch.no_grad():
        plain = linear_cka(Noise(0)(images[:32]), Noise(1)(images[:32]))
    assert plain > 0.4


def test_a_network_is_alike_itself_and_a_dead_layer_has_no_figure() -> None:
    one, _ = networks()
    found = layer_similarity(one, one, random(20, 1, 8, 8), layers=(["0", "4"], None))
    assert found.values[0, 0].item() == pytest.approx(1, abs=1e-5)
    assert found.values[1, 2].item() == pytest.approx(1, abs=1e-5)
    nn.init.zeros_(one[2].weight)
    dead = layer_similarity(one, one, random(20, 1, 8, 8))
    assert dead.values[1].isnan().all()
    assert dead.to_dict()["values"][1] == [None] * 3
    assert dead.values[0, 0].item() == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_compared_is_refused() -> None:
    one, other = networks()
    with pytest.raises(ShapeError, match="3 images in batches of 3"):
        layer_similarity(one, other, random(3, 1, 8, 8))
    with pytest.raises(ShapeError, match="in batches of 2"):
        layer_similarity(one, other, random(9, 1, 8, 8), batch=2)
    with pytest.raises(LayerError, match="no layer '9'"):
        layer_similarity(one, other, random(9, 1, 8, 8), layers=(["9"], None))
    with pytest.raises(ShapeError, match="of 3 and of 4 images"):
        linear_cka(random(3, 2), random(4, 2))
    nn.init.constant_(other[0].bias, torch.inf)
    with pytest.raises(LayerError, match="layer '0' gives inf or NaN"):
        layer_similarity(one, other, random(9, 1, 8, 8), layers=(None, ["0"]))
