"""Networks that a search draws: all fit their images, and the compact ones are among them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.models import compact_medium, stacked
from striate.studies.search_networks import SMALLEST, Networks
from striate.studies.search_parameters import Choice, Parameter, Value, Whole


def value_of(parameter: Parameter) -> st.SearchStrategy[Value]:
    """Any value that a parameter may have."""
    if isinstance(parameter, Choice):
        return st.sampled_from(parameter.options)
    if isinstance(parameter, Whole):
        return st.sampled_from(range(parameter.low, parameter.high + 1, parameter.step))
    if parameter.step is None:
        return st.floats(parameter.low, parameter.high)
    steps = round((parameter.high - parameter.low) / parameter.step)
    return st.integers(0, steps).map(lambda number: parameter.low + number * parameter.step)


@settings(max_examples=40)
@given(st.data(), st.tuples(st.integers(SMALLEST, 300), st.integers(SMALLEST, 300)))
def test_every_network_fits_its_images(data, size) -> None:
    networks = Networks(size)
    text = networks.text(lambda parameter: data.draw(value_of(parameter)))
    with torch.device("meta"):
        network = stacked(classes=3, channels=3, size=size, layers=text)
        assert network(torch.empty(2, 3, *size)).shape == (2, 3)


@pytest.mark.parametrize("side", [4, 8, 12, 19, 20, 28, 32, 55, 56, 64, 96, 128])
def test_it_starts_at_the_compact_network(side) -> None:
    networks = Networks((side, side))
    start = networks.start()
    by_name = {parameter.name: parameter for parameter in networks.parameters}
    for name, value in start.items():
        parameter = by_name[name]
        if isinstance(parameter, Choice):
            assert value in parameter.options
        else:
            assert parameter.low <= value <= parameter.high
    with torch.device("meta"):
        text = networks.text(lambda parameter: start[parameter.name])
        drawn = stacked(classes=5, channels=3, size=(side, side), layers=text)
        compact = compact_medium(classes=5, channels=3, size=(side, side))
    shapes = [tensor.shape for tensor in drawn.state_dict().values()]
    assert shapes == [tensor.shape for tensor in compact.state_dict().values()]


def test_only_what_a_network_has_is_asked_for() -> None:
    networks = Networks((28, 28))
    asked: list[str] = []

    def draw(parameter: Parameter) -> Value:
        asked.append(parameter.name)
        return networks.start()[parameter.name]

    networks.text(draw)
    assert "hidden_units" not in asked
    assert sorted(asked) == sorted(networks.start())


def test_words_of_a_network_with_everything() -> None:
    values = {
        **Networks((28, 28)).start(),
        "stem": "conv",
        "stride": "1",
        "kernel": 5,
        "convolutions": 1,
        "poolings": 3,
        "pooling": "mean",
        "end": "flatten",
        "dropout": 0.30000000000000004,
        "hidden_layers": 2,
        "hidden_units": 64,
    }
    text = Networks((28, 28)).text(lambda parameter: values[parameter.name])
    assert text == (
        "conv32k5s1,conv64k5,mean2,conv128k5,mean2,conv128k5,mean2,drop0.3,dense64,drop0.3,dense64,drop0.3"
    )
