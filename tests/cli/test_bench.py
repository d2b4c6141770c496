"""``striate bench`` measures, prints a row for each side and budget, and refuses in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from striate.cli import output
from striate.core.events import Event
from striate.engine.progress import PlainLines
from striate.studies.bench import FIRST_SEED

TINY = ("digits", "--peers", "none", "--seeds", 1, "--budgets", "0.5", "--threads", 1)


def test_a_row_is_printed_and_a_second_call_gives_it_as_json(invoke, tmp_path: Path) -> None:
    status, out, err = invoke("bench", *TINY, "--out", tmp_path / "bench")
    assert status == 0
    title, row = [line for line in out.splitlines() if line.startswith(("side", "striate"))]
    assert "whole process s" in title
    assert row.split()[:2] == ["striate", "0.5"]
    assert f"striate, 0.5 epochs, seed {FIRST_SEED}: " in err
    assert f"saved {tmp_path / 'bench' / 'bench.md'}" in err
    status, out, _ = invoke("bench", *TINY, "--out", tmp_path / "bench", "--json")
    assert status == 0
    said = json.loads(out)
    assert [each["side"] for each in said["trainings"]] == ["striate"]
    assert said["settings"]["seeds"] == [FIRST_SEED]
    assert said["summaries"][0]["accuracy"]["count"] == 1


class CtrlC(PlainLines):
    """Is pressed when the benchmark starts."""

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            raise KeyboardInterrupt


def test_ctrl_c_says_how_to_go_on(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(output, "progress", lambda: CtrlC(sys.stderr))
    status, out, err = invoke("bench", *TINY, "--out", tmp_path / "bench")
    assert (status, out) == (130, "")
    assert err == "interrupted; the same command goes on with what was measured\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("digit",), "did you mean 'digits'"),
        (("digits", "--peers", "keras"), "there is no peer 'keras'; did you mean 'keras-mnist'?"),
        (("digits", "--peers", "none", "--budgets", "2,many"), "--budgets 2,many names no epochs"),
        (("digits", "--peers", "none", "--budgets", "0"), "epochs is 0"),
        (("digits", "--peers", "none", "--seeds", "0"), "seeds is 0"),
        (("digits", "--peers", "none", "--threads", "99999"), "threads is 99999"),
        (("digits", "--seed", "3"), "--seeds"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, tmp_path: Path, monkeypatch, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = invoke("bench", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
