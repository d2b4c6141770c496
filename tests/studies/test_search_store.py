"""Where trials are kept: shared by processes, given to a new storage, one sentence where it is gone."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from striate.core.errors import RunError
from striate.studies.search_parameters import Choice, Real, Whole
from striate.studies.search_storage import StorageGone, sqlite_url
from striate.studies.search_store import TRIALS, UNPRUNED_TRIALS, Store
from striate.studies.search_trial import Outcome

PARAMETERS = (
    Choice("network", ("a", "b")),
    Whole("maps", 8, 32, 8),
    Real("rate", 0.1, 10.0),
    Real("drop", 0, 0.5, 0.1),
)
START = {"network": "a", "rate": 1.0}


def opened(folder: Path, storage: str | None = None) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    return Store.open(folder, name="digits 1", storage=storage, parameters=PARAMETERS, starts=[START], seed=0)


def draw_all(asked) -> None:
    network = asked.draw(PARAMETERS[0])
    asked.draw(PARAMETERS[2])
    if network == "b":
        asked.draw(PARAMETERS[1])
        asked.draw(PARAMETERS[3])


def outcome(accuracy: float, state: str = "complete") -> Outcome:
    return Outcome(state, accuracy, {1: accuracy / 2}, 1.5, 2.0)


def tried(store: Store, accuracy: float, state: str = "complete"):
    asked = store.ask()
    draw_all(asked)
    asked.is_hopeless(1, accuracy / 2)
    return store.tell(asked, outcome(accuracy, state))


def test_the_start_comes_first_and_trials_come_back_as_they_were_told(tmp_path) -> None:
    store = opened(tmp_path)
    told = [tried(store, 0.5), tried(store, 0.25, "pruned"), tried(store, 0.0, "diverged")]
    assert told[0].values == START
    assert [trial.number for trial in told] == [0, 1, 2]
    assert store.trials() == tuple(told)
    assert opened(tmp_path).trials() == tuple(told)
    lines = (tmp_path / TRIALS).read_text().splitlines()
    assert [json.loads(line)["accuracy"] for line in lines] == [0.5, 0.25, 0.0]


def test_what_is_worse_than_half_of_the_others_is_hopeless(tmp_path) -> None:
    store = opened(tmp_path)
    for _ in range(UNPRUNED_TRIALS):
        tried(store, 0.8)
    asked = store.ask()
    draw_all(asked)
    assert asked.is_hopeless(1, 0.3)
    asked = store.ask()
    draw_all(asked)
    assert not asked.is_hopeless(1, 0.5)


def test_processes_share_trials_and_what_they_agreed_on(tmp_path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    one, other = opened(tmp_path / "one", url), opened(tmp_path / "other", url)
    one.agree({"plan": {"minutes": 2}})
    first = tried(one, 0.5)
    second = tried(other, 0.6)
    assert other.facts["plan"] == {"minutes": 2}
    assert one.trials() == other.trials() == (first, second)
    assert second.values != START  # it was tried already
    assert not (tmp_path / "one" / "search.db").exists()


def test_processes_that_begin_at_one_moment_make_one_search(tmp_path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda number: opened(tmp_path / str(number), url), range(4)))
    told = tried(stores[0], 0.5)
    assert all(store.trials() == (told,) for store in stores)


def test_a_trial_that_a_killed_process_left_is_given_up_by_the_next_one_of_its_folder(tmp_path) -> None:
    url = sqlite_url(tmp_path / "shared.db")
    opened(tmp_path / "one", url).ask()
    other = opened(tmp_path / "other", url)
    running = other.ask()
    again = opened(tmp_path / "one", url)
    assert again.trials() == ()
    draw_all(running)
    other.tell(running, outcome(0.5))  # that of the other folder is still under way
    assert len(again.trials()) == 1
    assert tried(again, 0.4).values == START  # which was given up before it was tried


def test_a_new_storage_is_given_all_trials_of_the_folder(tmp_path) -> None:
    store = opened(tmp_path)
    told = [tried(store, 0.5), tried(store, 0.4), tried(store, 0.3, "pruned"), tried(store, 0, "too large")]
    (tmp_path / "search.db").unlink()
    again = opened(tmp_path)
    assert [trial.key for trial in again.trials()] == [trial.key for trial in told]
    assert [trial.values for trial in again.trials()] == [trial.values for trial in told]
    more = tried(again, 0.9)
    assert more.number == 4
    assert len(opened(tmp_path).trials()) == 5
    assert more.values != START


def test_a_file_that_was_removed_is_noticed_before_the_next_trial(tmp_path) -> None:
    store = opened(tmp_path / "a")
    tried(store, 0.5)
    (tmp_path / "a" / "search.db").unlink()
    with pytest.raises(
        StorageGone, match=r"the storage sqlite:///.*search\.db is gone: its file was removed"
    ):
        store.ask()


def test_a_storage_that_goes_during_a_trial_costs_nothing(tmp_path) -> None:
    url = sqlite_url(tmp_path / "there" / "shared.db")
    (tmp_path / "there").mkdir()
    store = opened(tmp_path / "own", url)
    tried(store, 0.5)
    asked = store.ask()
    draw_all(asked)
    shutil.rmtree(tmp_path / "there")
    assert not asked.is_hopeless(1, 0.1)
    assert not asked.is_hopeless(2, 0.1)
    with pytest.raises(StorageGone, match=r"^the storage sqlite:///\S+shared\.db cannot be used: "):
        store.tell(asked, outcome(0.9))
    assert [trial.accuracy for trial in store.trials()] == [0.5, 0.9]
    assert [trial.accuracy for trial in opened(tmp_path / "own").trials()] == [0.5, 0.9]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:////no/such/folder/search.db", "cannot be used: unable to open database file"),
        ("nonsense", "the storage nonsense cannot be used: "),
        ("no-such-database://host/name", "cannot be used: "),
        (
            "oracle+cx_oracle://me:secret@host/name",
            r"the storage oracle\+cx_oracle://me:\*\*\*@host/name cannot be",
        ),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_sentence_without_the_password(
    tmp_path, url, sentence
) -> None:
    with pytest.raises(StorageGone, match=sentence) as raised:
        opened(tmp_path, url)
    assert "\n" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path) -> None:
    (tmp_path / "search.db").write_bytes(b"no database at all, though it is long enough to be one" * 40)
    with pytest.raises(StorageGone, match="file is not a database"):
        opened(tmp_path)


def test_a_damaged_file_of_trials_is_refused(tmp_path) -> None:
    (tmp_path / TRIALS).write_text('{"key": 1}\n')
    with pytest.raises(RunError, match="are damaged"):
        opened(tmp_path)


def test_folders_with_braces_and_blanks_work_and_a_question_mark_is_refused(tmp_path) -> None:
    store = opened(tmp_path / "a {b} 100%")
    tried(store, 0.5)
    assert (tmp_path / "a {b} 100%" / "search.db").exists()
    with pytest.raises(RunError, match="cannot have a '\\?' in its path"):
        opened(tmp_path / "what?")


def test_without_optuna_there_is_a_sentence(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(RunError, match=r"pip install 'striate\[search\]'"):
        opened(tmp_path)
