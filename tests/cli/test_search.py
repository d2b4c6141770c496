"""``striate search`` finds a recipe, prints a table or JSON, and refuses in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from striate.cli import output
from striate.core.events import Event
from striate.core.recipe import Recipe
from striate.engine.progress import PlainLines

TINY = ("digits", "--minutes", "0.001", "--model", "compact-small", "--device", "cpu", "--batch", "32")


def test_it_finds_a_recipe_and_says_how_to_train_with_it(invoke, tmp_path: Path) -> None:
    out = tmp_path / "my search"
    status, said, err = invoke("search", *TINY, "--finalists", 0, "--out", out)
    assert status == 0, err
    assert said.startswith("1 trial (1 complete), each of at most")
    assert f"striate train digits --recipe '{out}/recipe.toml'" in said
    assert "trial 0: complete" in err
    assert Recipe.load(out / "recipe.toml").model == "compact-small"  # it was given, so it is not searched
    status, said, _ = invoke("search", *TINY, "--finalists", 0, "--out", out, "--json")
    assert status == 0
    figures = json.loads(said)
    assert figures["source"] == "digits"
    assert [parameter["name"] for parameter in figures["parameters"]] == [
        "optimizer",
        "rate_factor",
        "augment",
    ]


class CtrlC(PlainLines):
    """Is pressed after the first trial."""

    def __call__(self, event: Event) -> None:
        if event.kind == "note" and "trial 0" in event.data["message"]:
            raise KeyboardInterrupt


def test_ctrl_c_says_how_to_go_on(invoke, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(output, "progress", lambda: CtrlC(sys.stderr))
    status, said, err = invoke("search", *TINY, "--finalists", 0, "--out", tmp_path / "out")
    assert (status, said) == (130, "")
    assert err == "interrupted; the same command goes on with what was found\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("digit",), "did you mean 'digits'"),
        (("digits", "--minutes", "0"), "minutes is 0"),
        (("digits", "--epochs", "3"), "give it minutes instead"),
        (("digits", "--finalists", "1"), "finalists is 1"),
        (("digits", "--model", "lenett"), "did you mean 'lenet'"),
        (("digits", "--recipe", "none.toml"), "cannot read the recipe none.toml"),
        (("digits", "--storage", "sqlite:////no/such/folder/a.db"), "unable to open database file"),
    ],
)
def test_wrong_input_gets_one_sentence(invoke, tmp_path: Path, monkeypatch, arguments, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    status, said, err = invoke("search", *arguments)
    assert (status, said) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_minutes_are_those_of_the_search_and_other_fields_are_options(invoke) -> None:
    _, said, _ = invoke("search", "--help")
    assert said.count("  --minutes") == 1
    assert "How long the search may take" in said
    assert "--optimizer" in said
