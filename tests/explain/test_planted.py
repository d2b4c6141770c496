"""The planted network looks at its region and nowhere else."""

from __future__ import annotations

import pytest
import torch

from striate.core.errors import LayerError
from striate.explain.planted import PlantedNetwork, edges_of_image, mass_inside


@pytest.mark.parametrize(
    ("region", "size"),
    [((slice(2, 5),), (9,)), ((slice(0, 3), slice(4, 6)), (5, 7)), ((slice(1, 2),) * 3, (3, 4, 2))],
)
def test_it_looks_at_its_region_only(region, size) -> None:
    network = PlantedNetwork(region, size=size, channels=2, classes=4)
    images = torch.rand(3, 2, *size)
    scores = network(images)
    elsewhere = torch.rand(3, 2, *size)
    elsewhere[(..., *region)] = images[(..., *region)]
    assert network(elsewhere).equal(scores)
    assert not torch.allclose(network(torch.rand(3, 2, *size)), scores)
    assert scores.amax(dim=1).min() > 0
    assert torch.allclose(scores[:, 0], -scores[:, 1])
    again = PlantedNetwork(region, size=size, channels=2, classes=4)
    assert again(images).equal(scores)


def test_what_cannot_be_planted_is_refused() -> None:
    with pytest.raises(LayerError, match="0 places and 3 classes cannot be planted in images of 4x4"):
        PlantedNetwork((slice(4, 9), slice(0, 1)), size=(4, 4))
    with pytest.raises(LayerError, match="1 classes cannot be planted"):
        PlantedNetwork((slice(0, 1),), size=(4,), classes=1)
    with pytest.raises(LayerError, match="region of 1 axes"):
        PlantedNetwork((slice(0, 1),), size=(4, 4))


def test_mass_counts_both_signs_and_is_0_for_nothing() -> None:
    heat = torch.tensor([[[1.0, -2.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert mass_inside(heat, (slice(0, 1), slice(0, 2))).tolist() == [0.75, 0.0]


def test_edges_are_distances_between_neighbours() -> None:
    images = torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])
    assert edges_of_image(PlantedNetwork((slice(0, 1),) * 2, size=(2, 2)), images).map.tolist() == [
        [[4.0, 2.0], [0.0, 0.0]]
    ]
