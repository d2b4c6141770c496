"""Work for many images is done once for each, in one thread or several, and what fails is not lost."""

from __future__ import annotations

import threading

import pytest

from striate.core.events import ignore
from striate.data import working
from striate.data.working import cores, each, in_threads


@pytest.mark.parametrize("seconds", [0, 1000])
@pytest.mark.parametrize("count", [0, 1, 8, 9, 300])
def test_each_position_is_worked_on_once(monkeypatch, seconds, count):
    monkeypatch.setattr(working, "SECONDS_WORTH_A_THREAD", seconds)
    done, events = [], []
    each(done.append, range(count), "working", events.append)
    assert sorted(done) == list(range(count))
    assert events[-1].data == {"what": "working", "done": count, "total": count, "unit": "images"}


@pytest.mark.parametrize("seconds", [0, 1000])
def test_an_error_in_the_work_ends_it(monkeypatch, seconds):
    monkeypatch.setattr(working, "SECONDS_WORTH_A_THREAD", seconds)

    def work(position: int) -> None:
        if position == 50:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        each(work, range(100), "working", ignore)


def test_blocks_are_worked_on_side_by_side_and_told_in_order():
    together = threading.Barrier(min(2, cores()))
    blocks = [range(start, start + 3) for start in range(0, 30, 3)]

    def work(position: int) -> None:
        if position in (0, 3):  # the first of the first two blocks
            together.wait(timeout=30)

    assert list(in_threads(work, blocks)) == blocks


def test_leaving_early_leaves_no_thread():
    before = threading.active_count()
    blocks = in_threads(lambda _: None, [[number] for number in range(100)])
    next(blocks)
    blocks.close()
    assert threading.active_count() == before
