"""How many images pass at once changes nothing but time and memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from striate.core.errors import LayerError, ShapeError
from striate.engine import passes as passing
from striate.explain.deep_lift import deep_lift
from striate.explain.differentiating import derivative, leaf_of, plain_scores
from striate.explain.integrated_gradients import integrated_gradients
from striate.explain.saliency import saliency, smooth_grad


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 4 * 4, 5)
    ).eval()


IMAGES = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("explain", [saliency, smooth_grad, integrated_gradients, deep_lift])
@pytest.mark.parametrize("bytes_", [1, 15_000, 2**30])
def test_maps_do_not_depend_on_how_many_pass_at_once(explain, bytes_, monkeypatch) -> None:
    network, targets = small(), torch.arange(7) % 5
    whole = explain(network, IMAGES, targets)
    monkeypatch.setattr(passing, "GRAPH_BYTES", bytes_)
    monkeypatch.setattr(passing, "FEW", 0)
    passes: list[int] = []
    handle = network.register_forward_hook(lambda *told: passes.append(len(told[2])))
    parts = explain(network, IMAGES, targets)
    handle.remove()
    assert torch.allclose(parts.map, whole.map, rtol=1e-4, atol=1e-6)
    assert parts.targets.equal(targets)
    most = {1: {1}, 15_000: range(1, 6), 2**30: {7, 7 * 50}}[bytes_]
    assert max(passes[-3:]) in most


def test_a_few_images_are_not_measured() -> None:
    passes: list[int] = []
    network = small()
    network.register_forward_hook(lambda *told: passes.append(len(told[2])))
    saliency(network, IMAGES[:4])
    assert passes == [4]


@pytest.mark.parametrize("count", [6, 8, 1])
def test_there_are_as_many_targets_as_images(count) -> None:
    with pytest.raises(ShapeError, match=rf"have the shape \({count},\); to 7 images fits \(7,\)"):
        saliency(small(), IMAGES, torch.zeros(count, dtype=torch.long))


def test_targets_stay_with_their_images_where_these_pass_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(passing, "GRAPH_BYTES", 1)
    network, targets = small(), torch.tensor([4, 3, 2, 1, 0, 4, 3])
    together = saliency(network, IMAGES, targets)
    for place, target in enumerate(targets):
        alone = saliency(network, IMAGES[place : place + 1], int(target))
        assert torch.allclose(together.map[place], alone.map[0], atol=1e-6)


def test_progress_is_told() -> None:
    events: list[tuple[int, int]] = []
    integrated_gradients(
        small(),
        IMAGES,
        steps=3,
        on_event=lambda event: events.append((event.data["done"], event.data["total"])),
    )
    assert events[-1] == (21, 21)


class Detached(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.detach().flatten(1)


class WithoutGradients(nn.Module):
    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return 2 * images.flatten(1)


@pytest.mark.parametrize("network", [Detached(), WithoutGradients()])
def test_scores_without_a_derivative_are_refused(network) -> None:
    with pytest.raises(LayerError, match="do not depend on what they are computed from by anything that has"):
        saliency(network, IMAGES)


class Spoiled(nn.Module):
    """Writes over what its derivative needs."""

    def forward(self, images: Tensor) -> Tensor:
        root = images.flatten(1).exp()
        scores = root * 2
        root.add_(1)
        return scores


def test_a_network_that_cannot_be_differentiated_is_refused_with_the_reason() -> None:
    with pytest.raises(LayerError, match=r"no gradient comes back through the network: .*inplace operation"):
        saliency(Spoiled(), IMAGES)


def test_plain_scores_have_no_graph_and_are_those_of_the_network() -> None:
    network = small()
    scores = plain_scores(network, IMAGES)
    assert not scores.requires_grad
    assert torch.allclose(scores, network(IMAGES), atol=1e-6)


def test_a_derivative_is_that_of_each_image() -> None:
    leaf = leaf_of(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    found = derivative(leaf**3, torch.tensor([1, 0]), leaf)
    assert found.tolist() == [[0.0, 12.0], [27.0, 0.0]]


def test_a_leaf_is_a_copy_in_any_layout() -> None:
    images = torch.arange(4.0).view(1, 1, 4).expand(2, 3, 4)
    leaf = leaf_of(images)
    assert leaf.equal(images)
    assert leaf.is_leaf
    with torch.no_grad():
        leaf[0, 0, 0] = 9
    assert images[0, 0, 0] == 0
