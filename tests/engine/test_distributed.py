"""Three processes that really run exchange what they should; see in_processes.py for the checks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("in_processes.py")
CHECKS = re.findall(r"^def check_(\w+)", SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def found(torchrun, tmp_path_factory) -> list[dict[str, str]]:
    folder = tmp_path_factory.mktemp("found")
    process = torchrun(3, str(SCRIPT), str(folder), log=folder / "said")
    assert process.wait(timeout=120) == 0, (folder / "said").read_text()
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(3)]


@pytest.mark.parametrize("name", CHECKS)
def test_in_three_processes(found, name) -> None:
    wrong = [f"process {rank}: {each[f'check_{name}']}" for rank, each in enumerate(found)]
    assert all(each.endswith(": ") for each in wrong), "\n".join(wrong)
