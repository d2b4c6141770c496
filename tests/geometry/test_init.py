"""What the room offers is there, and asking for its arithmetic loads no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

import striate.geometry


def test_the_arithmetic_needs_no_torch() -> None:
    program = (
        "from striate.geometry import Window, Trace, compare_connectivity, grouped, receptive_field\n"
        "import sys; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_everything_offered_is_there() -> None:
    assert all(getattr(striate.geometry, name) is not None for name in striate.geometry.__all__)
    with pytest.raises(AttributeError, match="no attribute 'tracer'"):
        striate.geometry.tracer  # noqa: B018
