"""Where the trials of a search are kept: an Optuna storage that others may share, and a file of our own.

The file has every trial that this folder made before the storage is told of it, so that a storage that is
gone costs nothing that was found: the next storage is given the trials again.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from striate.core.errors import RunError
from striate.core.files import write_text
from striate.core.seeds import derive
from striate.studies.search_parameters import Choice, Parameter, Value, Whole
from striate.studies.search_results import Trial
from striate.studies.search_storage import (
    DATABASE,
    StorageGone,
    distribution,
    hidden,
    import_optuna,
    open_storage,
    reaching,
    sqlite_url,
    writing,
)
from striate.studies.search_trial import Outcome

if TYPE_CHECKING:
    import optuna

TRIALS = "trials.jsonl"

UNGUIDED_TRIALS = 8
"""So many trials are drawn evenly before the sampler follows what was good."""

UNPRUNED_TRIALS = 4
"""So many trials come to their end before any is ended early."""


class Store:
    """The trials of one search.

    Args:
        study: in the storage.
        folder: of this process's own file.
        url: of the storage, for errors, without a password.
        database: the SQLite file that the storage is, where it is one.
    """

    def __init__(self, study: optuna.Study, folder: Path, *, url: str, database: Path | None) -> None:
        self._study, self._folder, self._url, self._database = study, folder, url, database
        self._own = _read_trials(folder / TRIALS)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        name: str,
        storage: str | None,
        parameters: Sequence[Parameter],
        starts: Sequence[Mapping[str, Value]],
        seed: int,
    ) -> Store:
        """Open the trials of a search, or begin.

        Args:
            folder: of this process's own file, and of the storage where no other is named.
            name: of the study in the storage; processes that give the same join each other.
            storage: the URL of a database; ``None``: an SQLite file in the folder.
            parameters: all that are searched.
            starts: values that are tried first.
            seed: what is drawn follows from it, the folder and the number of trials so far.

        Returns:
            The store; trials in this folder's file that the storage lacks have been added to it.

        Raises:
            StorageGone: where the storage cannot be reached.
            RunError: where Optuna is not installed, or the folder's own file is damaged.
        """
        optuna = import_optuna()
        url = sqlite_url(folder / DATABASE) if storage is None else storage
        with reaching(hidden(url)):
            study = optuna.create_study(
                storage=open_storage(url),
                study_name=name,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS),
            )
            store = cls(
                study, folder, url=hidden(url), database=folder / DATABASE if storage is None else None
            )
            store._give_back({parameter.name: parameter for parameter in parameters})
            store._put_first(starts)
            study.sampler = optuna.samplers.TPESampler(
                n_startup_trials=UNGUIDED_TRIALS,
                # The parameters of a network are only there where one is drawn.
                multivariate=False,
                seed=derive(seed, "sampler", _owner(folder), len(study.trials)) % 2**32,
            )
        return store

    @property
    def facts(self) -> dict[str, Any]:
        """What all processes of the search have agreed on."""
        with reaching(self._url):
            return dict(self._study.user_attrs)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Keep facts for this process and those that join it.

        Args:
            facts: as JSON can hold them.
        """
        with reaching(self._url):
            for name, value in facts.items():
                self._study.set_user_attr(name, value)

    def ask(self) -> Asked:
        """Begin a trial.

        Returns:
            The trial.

        Raises:
            StorageGone: where the storage cannot be reached.
        """
        if self._database is not None and not self._database.exists():
            # An open file can be written to after it was deleted, and nobody would ever read it.
            raise StorageGone(f"the storage {self._url} is gone: its file was removed")
        with reaching(self._url):
            trial = self._study.ask()
            trial.set_user_attr("owner", _owner(self._folder))
            return Asked(trial, self._url)

    def tell(self, asked: Asked, outcome: Outcome) -> Trial:
        """Keep how far a trial came: in this folder's file first, then in the storage.

        Args:
            asked: the trial.
            outcome: how far it came.

        Returns:
            The trial as it is kept.

        Raises:
            StorageGone: where the storage cannot be reached; the trial is then in the file.
        """
        from optuna.trial import TrialState

        trial = Trial(
            key=uuid4().hex,
            number=asked.number,
            values=asked.values,
            state=outcome.state,
            accuracy=outcome.accuracy,
            reached=outcome.reached,
            seconds=round(outcome.seconds, 3),
            epochs=outcome.epochs,
        )
        self._own.append(trial)
        lines = [json.dumps(each.to_dict(), allow_nan=False) for each in self._own]
        with writing(self._folder):
            write_text(self._folder / TRIALS, "\n".join(lines) + "\n")
        with reaching(self._url):
            asked.trial.set_user_attr("striate", trial.to_dict())
            if trial.state == "complete":
                self._study.tell(asked.trial, trial.accuracy)
            else:
                if not asked.has_reported:
                    asked.trial.report(trial.accuracy, 0)
                self._study.tell(asked.trial, state=TrialState.PRUNED)
        return trial

    def drop(self, asked: Asked) -> None:
        """Give a trial up that was interrupted.

        Args:
            asked: the trial.
        """
        from optuna.trial import TrialState

        with reaching(self._url):
            self._study.tell(asked.trial, state=TrialState.FAIL)

    def trials(self) -> tuple[Trial, ...]:
        """Give all trials, those of other processes included.

        Returns:
            Trials in the order in which they began; those of this folder alone, where the storage is gone.
        """
        own = {trial.key: trial for trial in self._own}
        try:
            with reaching(self._url):
                found = self._study.get_trials(deepcopy=False)
        except StorageGone:
            return tuple(own.values())
        for each in found:
            if "striate" in each.user_attrs and each.state.is_finished():
                trial = Trial.from_dict(each.user_attrs["striate"])
                own[trial.key] = replace(trial, number=each.number)
        return tuple(sorted(own.values(), key=lambda trial: trial.number))

    def _put_first(self, starts: Sequence[Mapping[str, Value]]) -> None:
        """Queue the values that are tried first, but for those of trials that were not given up."""
        from optuna.trial import TrialState

        known = [
            each.system_attrs.get("fixed_params", each.params)
            for each in self._study.get_trials(deepcopy=False)
            if each.state != TrialState.FAIL
        ]
        for values in starts:
            if dict(values) not in known:
                self._study.enqueue_trial(dict(values))

    def _give_back(self, parameters: Mapping[str, Parameter]) -> None:
        """Tell the storage of this folder's trials that it lacks, and end those of a killed process."""
        from optuna.trial import TrialState, create_trial

        here = _owner(self._folder)
        known = set()
        for each in self._study.get_trials(deepcopy=False):
            known.add(each.user_attrs.get("striate", {}).get("key"))
            if each.state == TrialState.RUNNING and each.user_attrs.get("owner") == here:
                self._study.tell(each.number, state=TrialState.FAIL)
        for trial in self._own:
            if trial.key in known:
                continue
            is_complete = trial.state == "complete"
            self._study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE if is_complete else TrialState.PRUNED,
                    value=trial.accuracy,
                    params=dict(trial.values),
                    distributions={name: distribution(parameters[name]) for name in trial.values},
                    intermediate_values=dict(trial.reached) or {0: trial.accuracy},
                    user_attrs={"striate": trial.to_dict(), "owner": here},
                )
            )


class Asked:
    """A trial that is under way.

    Args:
        trial: in the storage.
        url: of the storage, for errors.
    """

    def __init__(self, trial: optuna.Trial, url: str) -> None:
        self.trial, self._url = trial, url
        self.number = trial.number
        self.values: dict[str, Value] = {}
        self.has_reported = False
        self._is_cut_off = False

    def draw(self, parameter: Parameter) -> Value:
        """Give the value of a parameter.

        Args:
            parameter: what is drawn.

        Returns:
            Its value.

        Raises:
            StorageGone: where the storage cannot be reached.
        """
        name = parameter.name
        value: Value
        with reaching(self._url):
            if isinstance(parameter, Choice):
                value = str(self.trial.suggest_categorical(name, parameter.options))
            elif isinstance(parameter, Whole):
                value = self.trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step)
            else:
                value = self.trial.suggest_float(
                    name, parameter.low, parameter.high, step=parameter.step, log=parameter.step is None
                )
        self.values[name] = value
        return value

    def is_hopeless(self, quarter: int, accuracy: float) -> bool:
        """Report how far the trial is, and say whether others were better by then.

        A storage that cannot be reached ends no training: the trial goes on, and is kept.

        Args:
            quarter: of its time that is over, from 1.
            accuracy: the best so far.

        Returns:
            Whether it is to end.
        """
        if self._is_cut_off:
            return False
        try:
            with reaching(self._url):
                self.trial.report(accuracy, quarter)
                self.has_reported = True
                return self.trial.should_prune()
        except StorageGone:
            self._is_cut_off = True
            return False


def _read_trials(path: Path) -> list[Trial]:
    if not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Trial.from_dict(json.loads(line)) for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the trials of a search in {path} are damaged: {error}; name another --out"
        ) from error


def _owner(folder: Path) -> str:
    """Name this folder among those of all machines that share a storage."""
    return f"{platform.node()}:{folder.resolve()}"
