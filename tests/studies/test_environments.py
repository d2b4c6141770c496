"""Environments for peers: read from headers, made once with real pip, and refused with pip's own word."""

from __future__ import annotations

import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from striate.core.events import Event
from striate.studies import environments
from striate.studies.environments import Unusable, prepare, requirements_of

WHEEL = {
    "tiny.py": "VALUE = 7\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "tiny.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\n",
}


def silent(event: object) -> None:
    """Read nothing."""
    del event


def _never(*given: object, **more: object) -> None:
    pytest.fail(f"run again: {given}, {more}")


@dataclass(frozen=True)
class Made:
    """An environment with one small distribution, and what was told while it was made."""

    cache: Path
    requirement: str
    python: Path
    events: list[Event]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, events = tmp_path_factory.mktemp("environments"), []
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in WHEEL.items():
            archive.writestr(name, text)
    requirement = f"tiny @ {path.as_uri()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(folder / "cache"))
        patch.setenv("PIP_NO_INDEX", "1")
        python = prepare([requirement], name="somebody", on_event=events.append)
    return Made(folder / "cache", requirement, python, events)


def test_an_environment_has_what_is_required_and_nothing_else(made: Made) -> None:
    program = "import tiny; print(tiny.VALUE)\nimport torch"
    found = subprocess.run([made.python, "-c", program], capture_output=True, text=True, check=False)
    assert found.stdout == "7\n"
    assert "No module named 'torch'" in found.stderr
    said = [event.data["message"] for event in made.events if event.kind == "note"]
    assert said[0].startswith(f"installing {made.requirement} for somebody into ")
    assert said[1].startswith("the environment of somebody takes ")


def test_an_environment_is_made_once_and_shared(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(made.cache))
    monkeypatch.setattr(environments, "_run", _never)
    assert prepare([made.requirement], name="another", on_event=silent) == made.python
    with pytest.raises(pytest.fail.Exception, match="run again"):
        prepare([made.requirement, "other==1"], name="another", on_event=silent)


def test_what_cannot_be_installed_says_so_in_pips_words(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Unusable, match=r"^No matching distribution found for no-such-distribution==1\.0$"):
        environments._install(made.python, ["no-such-distribution==1.0"], "somebody", silent)


def test_an_environment_that_was_not_finished_is_made_anew(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path))
    words: list[list[str]] = []
    monkeypatch.setattr(environments, "_run", lambda given, **_: words.append(list(given)))
    monkeypatch.setattr(environments, "_install", _fail)
    for _ in range(2):
        with pytest.raises(Unusable, match="no space"):
            prepare(["tiny==1"], name="somebody", on_event=silent)
    assert [each[1:4] for each in words] == [["-m", "venv", "--clear"]] * 2
    assert not list(tmp_path.rglob(environments.READY))


def _fail(*given: object) -> None:
    raise Unusable(f"there is no space left for {given[1]}")


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "file"))
    with pytest.raises(Unusable, match="cannot write"):
        prepare(["tiny==1"], name="somebody", on_event=silent)


def test_requirements_stand_in_the_header(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#   "a==1",\n#   "b==2.0",\n# ]\n'
        '# ///\n\n"""Do nothing."""\n'
    )
    assert requirements_of(script) == ("a==1", "b==2.0")
    script.write_text('"""Do nothing."""\n')
    with pytest.raises(ValueError, match=r"script\.py has no inline script metadata"):
        requirements_of(script)
