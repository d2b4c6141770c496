"""A process knows its place, and one that is alone exchanges nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from striate.core.errors import RunError
from striate.engine.world import Place, World, is_first_to_say, place

NUMBERS = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "29500"}
VARIABLES = {**NUMBERS, "MASTER_ADDR": "here"}


@given(st.integers(0, 1000), st.integers(1, 40))
def test_shares_are_everything_once_and_differ_by_at_most_one(count, size) -> None:
    shares = [World(Place(rank, size)).share(count) for rank in range(size)]
    taken = [row for share in shares for row in range(count)[share]]
    assert taken == list(range(count))
    lengths = [len(range(count)[share]) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_the_place_is_what_torchrun_says(monkeypatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert place() == Place(rank=3, size=4, local_rank=1, local_size=2)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in NUMBERS for value in ("", "-1", "one")]
)
def test_a_process_that_was_told_nonsense_is_alone(monkeypatch, name, value) -> None:
    for each in VARIABLES:
        monkeypatch.setenv(each, VARIABLES[each])
    monkeypatch.setenv(name, value)
    assert place() == Place()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_process_that_was_told_half_of_it_is_alone(monkeypatch, name) -> None:
    for each in VARIABLES:
        monkeypatch.setenv(each, VARIABLES[each])
    monkeypatch.delenv(name)
    assert place() == Place()


def test_seeds_differ_between_processes_and_are_the_usual_ones_in_the_first() -> None:
    streams = [World(Place(rank, 3)).stream for rank in range(3)]
    assert streams == [(), (1,), (2,)]


def test_alone_everything_is_as_it_was() -> None:
    world = World()
    tensor = torch.randn(3)
    before = tensor.clone()
    world.add_up(tensor)
    world.copy_from_writer([tensor])
    assert tensor.equal(before)
    assert world.is_writer
    assert world.sum([1.5, 2]) == [1.5, 2]
    assert world.told(7.0) == 7.0
    assert world.share(5) == slice(0, 5)
    assert world.in_shares(3, lambda rows: before[rows]).equal(before)
    assert world.own_device("cuda:7") == "cuda:7"
    assert is_first_to_say("anything")
    with world.machine_first(), world.file_of_writer(Path("a")) as path:
        assert path == Path("a")


def test_alone_the_writer_is_this_process() -> None:
    world = World()
    assert world.by_writer(lambda: b"told") == b"told"
    assert world.by_writer(lambda: None) == b""

    def fail() -> None:
        raise RunError("full")

    with pytest.raises(RunError, match="full"):
        world.by_writer(fail)
