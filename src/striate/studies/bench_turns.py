"""The turns of a benchmark: every training as one process, seed by seed and side by side, kept one by one."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from striate.core.errors import RunError
from striate.core.events import Event, OnEvent
from striate.core.files import write_text
from striate.data import open_dataset
from striate.studies.bench_export import exported
from striate.studies.bench_machine import busy_share
from striate.studies.bench_peers import PEERS, Chosen, isolated, set_up
from striate.studies.bench_process import ProcessFailed, run_alone
from striate.studies.bench_results import OURS, Benchmark, Training
from striate.studies.environments import Unusable

FIGURES, PAGE = "bench.json", "bench.md"
"""The files of a benchmark."""

BUSY = 0.1
"""The share of the processors up to which other work is not worth a warning."""


@dataclass(frozen=True)
class Turn:
    """One process that is to run.

    Args:
        side: who trains.
        seed: of it.
        epochs: at which it is measured, ascending.
    """

    side: str
    seed: int
    epochs: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.side}, {self.epochs[-1]:g} epochs, seed {self.seed}"


class Turns:
    """A benchmark under way: what is found so far, where it is kept, and what is left to do.

    Args:
        source: the data, as every training opens them.
        folder: where the files of the benchmark lie.
        found: what was measured before; its settings say what there is to measure.
        on_event: is told of the progress.
    """

    def __init__(self, source: str, folder: Path, found: Benchmark, on_event: OnEvent) -> None:
        self._source, self._folder, self._on_event = source, folder, on_event
        self._threads: int = found.settings["threads"]
        self._pythons: dict[str, Path | str] = {}
        self.found = found

    def take_all(self, chosen: Chosen) -> Benchmark:
        """Set up the peers and take all turns that are left.

        Args:
            chosen: the peers, with their interpreters.

        Returns:
            What was found.

        Raises:
            RunError: where the folder cannot be written, or a process of ours fails.
        """
        about = {OURS: "striate.train with its defaults"} | {name: PEERS[name].about for name in chosen}
        self.found = replace(self.found, skipped={}, about=about)
        self._tell_start()
        for name, python in chosen.items():
            if any(turn.side == name for turn in self.left()):
                self._set_up(name, python)
        self._keep()
        for seed in self.found.settings["seeds"]:
            turns = [turn for turn in self.left() if turn.seed == seed]
            if turns:
                self._measure_products()
                with self._data(seed, turns) as files:
                    for turn in turns:
                        self._take(turn, files)
        self._tell_done()
        return self.found

    def planned(self) -> list[Turn]:
        """Give all turns in their order: seed by seed, side by side.

        Returns:
            Ours first, each of its budgets a process; none of peers that are left out.
        """
        settings, skipped = self.found.settings, self.found.skipped
        sides = [(OURS, (epochs,)) for epochs in settings["budgets"]]
        sides += [(name, tuple(epochs)) for name, each in settings["peers"].items() for epochs in each]
        sides = [(side, epochs) for side, epochs in sides if side not in skipped]
        return [Turn(side, seed, epochs) for seed in settings["seeds"] for side, epochs in sides]

    def left(self) -> list[Turn]:
        """Give the turns that are to be taken yet.

        Returns:
            Those without figures.
        """
        done = {(each.side, each.seed, each.epochs) for each in self.found.trainings}
        return [turn for turn in self.planned() if (turn.side, turn.seed, turn.epochs[-1]) not in done]

    def _set_up(self, name: str, python: Path | str | None) -> None:
        try:
            self._pythons[name] = set_up(PEERS[name], python, threads=self._threads, on_event=self._on_event)
        except Unusable as error:
            self._skip(name, str(error))

    def _skip(self, name: str, why: str) -> None:
        self.found = replace(self.found, skipped={**self.found.skipped, name: why})
        self._on_event(Event("warning", {"message": f"{name} is left out: {why}"}))

    def _measure_products(self) -> None:
        words = [sys.executable, "-m", "striate.studies.bench_machine"]
        try:
            (rates,) = run_alone(words, threads=self._threads)
        except (ProcessFailed, OSError) as error:
            raise RunError(f"the rate of matrix products cannot be measured: {error}") from error
        rates = {name: rate for name, rate in rates.items() if name != "process_seconds"}
        self.found = replace(self.found, products=(*self.found.products, rates))
        self._keep()

    @contextmanager
    def _data(self, seed: int, turns: Sequence[Turn]) -> Iterator[list[str]]:
        """Give the options that name the data of a seed to the peers, while a block runs."""
        peers = [PEERS[turn.side] for turn in turns if turn.side != OURS]
        if not peers:
            yield []
            return
        dataset = open_dataset(self._source, seed=seed, on_event=self._on_event)
        folder = any(peer.reads_folder for peer in peers)
        files = exported(dataset, within=self._folder, folder=folder, on_event=self._on_event)
        del dataset  # its memory is not for the time of the measurement
        with files as lying:
            options = ["--data", str(lying.file)]
            yield options if lying.folder is None else [*options, "--folder", str(lying.folder)]

    def _take(self, turn: Turn, files: Sequence[str]) -> None:
        if turn.side in self.found.skipped:  # since another of its turns
            return
        done, total = len(self.planned()) - len(self.left()), len(self.planned())
        figures = {"what": str(turn), "done": done, "total": total, "unit": "trainings"}
        self._on_event(Event("prepare", figures))
        busy = busy_share()
        if busy is not None and busy > BUSY:
            message = f"other work takes {busy:.0%} of the processors, which makes times longer"
            self._on_event(Event("warning", {"message": message.replace("%", " %")}))
        try:
            lines = self._run(turn, files)
        except (ProcessFailed, OSError) as error:
            if turn.side == OURS:
                raise RunError(f"the training of {turn} failed: {error}") from error
            self._skip(turn.side, f"its training with seed {turn.seed} failed: {error}")
            self._keep()
            return
        found = [_training(turn, line, busy) for line in lines]
        self.found = replace(self.found, trainings=(*self.found.trainings, *found))
        self._keep()
        last = found[-1]
        message = (
            f"{turn}: {100 * last.accuracy:.2f} % after {last.training_seconds:.1f} s of training, "
            f"the whole process {last.process_seconds:.1f} s"
        )
        self._on_event(Event("note", {"message": message}))

    def _run(self, turn: Turn, files: Sequence[str]) -> list[dict[str, Any]]:
        if turn.side == OURS:
            words = [sys.executable, "-m", "striate.studies.bench_ours", self._source]
            words += ["--epochs", f"{turn.epochs[-1]:g}", "--seed", str(turn.seed)]
            return run_alone(words, threads=self._threads)
        options = [*files, "--seed", turn.seed, "--threads", self._threads, "--epochs", *turn.epochs]
        words = PEERS[turn.side].words(self._pythons[turn.side], *options)
        return run_alone(words, threads=self._threads, environment=isolated())

    def _keep(self) -> None:
        try:
            write_text(self._folder / PAGE, self.found.markdown())
            # Last: what is gone on with.
            text = json.dumps(self.found.to_dict(), indent=1, allow_nan=False) + "\n"
            write_text(self._folder / FIGURES, text)
        except OSError as error:
            raise RunError(f"cannot write to {self._folder}: {error.strerror or error}") from error

    def _tell_start(self) -> None:
        settings, total = self.found.settings, len(self.planned())
        figures = {
            "data": settings["data"],
            "images": settings["images"],
            "processor": self.found.machine["processor"],
            "threads": settings["threads"],
            "sides": ", ".join([OURS, *settings["peers"]]),
            "budgets": ", ".join(f"{epochs:g}" for epochs in settings["budgets"]) + " epochs",
            "seeds": len(settings["seeds"]),
            "trainings": total,
            "measured_before": total - len(self.left()),
            "out": str(self._folder),
        }
        self._on_event(Event("start", figures))

    def _tell_done(self) -> None:
        total = len(self.planned())
        figures = {"what": "benchmark", "done": total, "total": total, "unit": "trainings"}
        self._on_event(Event("prepare", figures))
        for name in (FIGURES, PAGE):
            self._on_event(Event("saved", {"path": str(self._folder / name)}))


def _training(turn: Turn, line: Mapping[str, Any], busy: float | None) -> Training:
    taken = ("epochs", "accuracy", "training_seconds", "process_seconds", "images", "precision")
    figures = {name: line[name] for name in (*taken, "operations", "peak_bytes", "versions")}
    finished = time.strftime("%Y-%m-%d %H:%M:%S")
    return Training(side=turn.side, seed=turn.seed, busy=busy, finished=finished, **figures)
