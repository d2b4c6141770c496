"""The running average halves in so many images, averages the statistics of norms, and starts quickly."""

from __future__ import annotations

import pytest
import torch

from striate.gan.averaging import RISE, AveragedGenerator
from striate.models import build_generator


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return build_generator("dcgan", size=8, latent_size=4, width=4)


def fill(network: torch.nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.fill_(value)


def test_after_a_half_life_half_is_new(generator) -> None:
    averaged = AveragedGenerator(generator, half_life=640)
    fill(averaged.network, 0.0)
    fill(generator, 1.0)
    for _ in range(10):
        averaged.update(generator, batch=64, images_seen=10**9)
    for tensor in (*averaged.network.parameters(), *averaged.network.buffers()):
        expected = 0.5 if tensor.is_floating_point() else 1  # counters of batches are copied
        assert torch.allclose(tensor.double(), torch.full_like(tensor, expected).double(), atol=1e-5)


def test_early_on_old_weights_are_forgotten_sooner(generator) -> None:
    averaged = AveragedGenerator(generator, half_life=1e6)
    assert averaged.kept(10, 1000) == pytest.approx(0.5 ** (10 / (RISE * 1000)))
    assert averaged.kept(10, 10**9) == pytest.approx(0.5 ** (10 / 1e6))


def test_without_an_average_it_is_the_generator(generator) -> None:
    averaged = AveragedGenerator(generator, half_life=0)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(torch.randn_like(parameter))
    averaged.update(generator, batch=2, images_seen=2)
    expected = generator.state_dict()
    for name, tensor in averaged.network.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-7), name


def test_it_follows_from_apart(generator) -> None:
    averaged = AveragedGenerator(generator, half_life=100)
    before = {name: tensor.clone() for name, tensor in averaged.network.state_dict().items()}
    generator(torch.randn(8, 4)).sum().backward()
    assert not averaged.network.training
    assert not any(parameter.requires_grad for parameter in averaged.network.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in averaged.network.state_dict().items())
