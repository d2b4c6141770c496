"""The size laws bite: each is broken once, in a small package, and found."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "size_laws.py"

GOOD = '''"""Do one thing."""


def double(number: int) -> int:
    """Double a number.

    Args:
        number: any.

    Returns:
        Twice as much.
    """
    return 2 * number
'''

ROOM = '''"""A room."""

from striate.room.module import double

__all__ = ["double"]
'''


def laws(folder: Path, module: str = GOOD, *, name: str = "module.py") -> list[str]:
    """Write a package with this module and give the lines that the script prints about it."""
    room = folder / "striate" / "room"
    room.mkdir(parents=True)
    (folder / "striate" / "__init__.py").write_text('"""A package."""\n')
    (room / "__init__.py").write_text(ROOM)
    (room / name).write_text(module)
    command = [sys.executable, str(SCRIPT), str(folder / "striate")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stderr == ""
    lines = found.stdout.splitlines()
    assert found.returncode == any("warning" not in line for line in lines)
    return lines


def test_a_good_package_breaks_none(tmp_path):
    assert laws(tmp_path) == []


def test_our_own_package_breaks_none(capsys):
    specification = importlib.util.spec_from_file_location("size_laws", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    broken = script.main(SCRIPT.parents[1] / "src" / "striate")
    assert not broken, capsys.readouterr().out


def test_a_long_module_is_warned_of_and_a_longer_one_refused(tmp_path):
    assert "warning: 310 lines" in laws(tmp_path / "a", GOOD + "\n" * (310 - GOOD.count("\n")))[0]
    assert "401 lines, where 400" in laws(tmp_path / "b", GOOD + "\n" * (401 - GOOD.count("\n")))[0]


@pytest.mark.parametrize(
    ("module", "breach"),
    [
        (GOOD.replace("    return 2", "    number += 0\n" * 60 + "    return 2"), "double has 62 lines"),
        (GOOD.replace("number: int", ", ".join(f"a{i}: int" for i in range(9))), "double has 9 parameters"),
        (GOOD.removeprefix('"""Do one thing."""'), "what the module is for"),
        (GOOD.replace("one thing.", "one thing"), "what the module is for"),
        (GOOD.replace("Double a number.", ""), "no docstring that begins with a sentence"),
        (GOOD.replace("Args:", "With"), "under Args"),
        (GOOD.replace("Returns:", "Gives"), "under Returns"),
        (GOOD + "\n\nimport pickle\n", "pickle may not be imported"),
        (GOOD + "\n\nfrom torchvision.models import resnet18\n", "torchvision.models may not be imported"),
        (GOOD + "\n\ndef read():\n    import torchvision.io\n", "torchvision.io may not be imported"),
        (GOOD + "\n\nimport torch\n\ntorch.load('a')\n", "torch.load unpickles"),
        (GOOD + "\n\nimport torch\n\ntorch.load('a', weights_only=True)\n", "torch.load unpickles"),
        (GOOD + "\n\nimport numpy as np\n\nnp.load('a', allow_pickle=True)\n", "with allow_pickle"),
        (GOOD + "\n\nimport numpy as np\n\nnp.load('a', allow_pickle=bool(1))\n", "with allow_pickle"),
    ],
)
def test_each_law_bites(tmp_path, module, breach):
    (line,) = laws(tmp_path, module)
    assert breach in line


def test_what_is_allowed_is_let_through(tmp_path):
    assert laws(tmp_path, GOOD + "\n\nimport numpy as np\n\nnp.load('a', allow_pickle=False)\n") == []


def test_a_file_called_utils_is_refused(tmp_path):
    assert "not utils.py" in laws(tmp_path, name="utils.py")[0]


def test_methods_of_what_is_exported_are_looked_at_and_private_ones_are_not(tmp_path):
    module = '''"""Do one thing."""


class double:
    """Double."""

    def shown(self, number: int) -> None:
        """Show."""

    def _hidden(self, number: int) -> int:
        return number

    @property
    def plain(self) -> int:
        """Give it."""
        return 1
'''
    (line,) = laws(tmp_path, module)
    assert "double.shown takes arguments" in line


def test_an_empty_folder_is_no_package(tmp_path):
    found = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "no Python file" in found.stdout
