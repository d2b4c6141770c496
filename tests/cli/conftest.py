"""A run that the command line made, once for all tests, and a way to call it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from PIL import Image

from striate import open_dataset
from striate.cli import app, errors

Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def invoke(capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Call the command line in this process: status, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = errors.run(typer.main.get_command(app), [str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run on the real digits, of the fewest steps that teach something."""
    path = tmp_path_factory.mktemp("runs") / "digits run"
    words = "train digits --epochs 1 --model compact-small --quiet --out"
    assert errors.run(typer.main.get_command(app), [*words.split(), str(path)]) == 0
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A real digit as a picture file."""
    path = tmp_path / "digit.png"
    Image.fromarray(open_dataset("digits").test.images[3, 0]).save(path)
    return path
