"""What importing costs and says, and what the rooms offer to each other."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import striate

ROOMS = sorted(f"striate.{room.name}" for room in pkgutil.iter_modules(striate.__path__) if room.ispkg)
HEAVY = ("torch", "numpy", "matplotlib", "scipy", "PIL", "safetensors", "rich", "typer")
SOURCE = Path(striate.__path__[0])


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, check=True
    )


def loaded_by(statement: str) -> set[str]:
    return set(run(f"{statement}\nimport sys\nprint(*sys.modules)").stdout.split())


def in_order(names: list[str]) -> list[str]:
    """Sort as ruff does: constants, then classes, then functions; numbers in names by their value."""

    def place(name: str) -> tuple[bool, bool, list[str | int]]:
        parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
        return not name.isupper(), not name[0].isupper(), parts

    return sorted(names, key=place)


def test_there_are_rooms():
    assert {"striate.core", "striate.metrics", "striate.plots"} <= set(ROOMS)


def test_importing_striate_loads_nothing_heavy():
    assert loaded_by("import striate").isdisjoint(HEAVY)


def test_importing_the_core_loads_nothing_heavy():
    modules = [f"striate.core.{file.stem}" for file in (SOURCE / "core").glob("[a-z]*.py")]
    assert loaded_by(f"import {', '.join(modules)}").isdisjoint(HEAVY)


def test_importing_the_command_line_loads_no_torch_and_no_pictures():
    assert loaded_by("import striate.cli").isdisjoint({"torch", "numpy", "matplotlib", "scipy", "PIL"})


def test_importing_says_nothing_and_loads_no_optional_package():
    program = f"import {', '.join(ROOMS)}, sys; print(*sys.modules)"
    found = run(program)
    assert found.stderr == ""
    assert set(found.stdout.split()).isdisjoint(
        {"torchvision", "sklearn", "torchmetrics", "matplotlib.pyplot"}
    )


def test_nothing_of_ours_is_deprecated():
    found = run(
        f"import {', '.join(ROOMS)}", "-W", "default::DeprecationWarning", "-W", "default::FutureWarning"
    )
    assert [line for line in found.stderr.splitlines() if line.startswith(str(SOURCE))] == []


@pytest.mark.parametrize("name", ["striate", *ROOMS])
def test_what_a_room_offers_is_sorted_and_there(name):
    room = importlib.import_module(name)
    offered = getattr(room, "__all__", None)
    if offered is None:
        pytest.skip("this room is used by its modules")
    assert offered == in_order(offered)
    assert len(set(offered)) == len(offered)
    assert [one for one in offered if not hasattr(room, one)] == []


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_offers_all_that_it_takes_from_its_modules(name):
    room = importlib.import_module(name)
    offered = getattr(room, "__all__", None)
    if offered is None:
        pytest.skip("this room is used by its modules")
    taken = {
        one
        for one, value in vars(room).items()
        if not one.startswith("_")
        and not isinstance(value, ModuleType)
        and str(getattr(value, "__module__", "")).startswith(f"{name}.")
    }
    assert taken - set(offered) == set()


def test_everything_striate_exports_can_be_had():
    assert all(getattr(striate, name) is not None for name in striate.__all__)
    assert set(striate.__all__) <= set(dir(striate))


def test_what_striate_does_not_export_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        striate.trian  # noqa: B018


def test_no_room_bears_the_name_of_what_striate_exports():
    assert {room.removeprefix("striate.") for room in ROOMS}.isdisjoint(striate.__all__)
