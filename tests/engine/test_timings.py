"""Times add up by name, also of a part that fails."""

from __future__ import annotations

import time

import pytest

from striate.engine.timings import Timings


def test_parts_add_up_by_name_also_where_they_fail() -> None:
    timings = Timings()

    def fail() -> None:
        with timings.of("failing"):
            time.sleep(0.01)
            raise KeyError

    for _ in range(2):
        with pytest.raises(KeyError):
            fail()
    timings.add("other", 1.5)
    assert timings.seconds["failing"] >= 0.02
    assert timings.seconds["other"] == 1.5
    assert list(timings.seconds) == ["failing", "other"]
