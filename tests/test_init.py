"""What ``import striate`` gives, and that it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import striate


def test_all_is_sorted_and_there() -> None:
    assert striate.__all__ == sorted(striate.__all__)
    for name in striate.__all__:
        assert getattr(striate, name) is not None
        assert name in dir(striate)


def test_what_is_exported_is_the_thing_itself() -> None:
    from striate.classifier.file import load
    from striate.core.errors import StriateError
    from striate.training import train

    assert striate.load is load
    assert striate.StriateError is StriateError
    assert striate.train is train


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = striate.trian


def test_importing_loads_no_torch_and_warns_of_nothing() -> None:
    code = "import sys, striate; print([n for n in ('torch', 'numpy', 'typer', 'rich') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert done.stderr == ""
