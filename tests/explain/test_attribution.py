"""What every way of explaining gives."""

import pytest
import torch

from striate.core.errors import LayerError
from striate.explain.attribution import Attribution


def test_heat_sums_channels_where_these_have_values_of_their_own() -> None:
    values = torch.arange(24.0).view(2, 3, 4)
    targets = torch.tensor([0, 1])
    assert Attribution("a", values, targets, per_channel=True).heat().equal(values.sum(dim=1))
    assert Attribution("a", values, targets).heat().equal(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_map_that_is_not_finite_is_no_explanation(value) -> None:
    values = torch.zeros(1, 2, 2)
    values[0, 0, 0] = value
    with pytest.raises(LayerError, match="1 of 4 values of the map of saliency are inf or NaN"):
        Attribution("saliency", values, torch.tensor([0]))


def test_it_cannot_be_changed() -> None:
    found = Attribution("a", torch.zeros(1, 2), torch.tensor([0]))
    with pytest.raises(AttributeError):
        found.method = "b"
