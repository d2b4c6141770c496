"""Measure striate beside other libraries: same data, same threads, fixed budgets, fresh seeds, in turns.

Every training is a process of its own, so that warm-up is in its time, and nothing else runs beside it. The
figures are written after each, so that a benchmark that was broken off goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from striate.core.errors import DataError, RecipeError, RunError
from striate.core.events import OnEvent, ignore
from striate.core.recipe import Recipe
from striate.core.version import VERSION
from striate.data import Dataset, open_dataset
from striate.data.label_sets import refuse_several
from striate.recipes import resolve
from striate.studies.bench_export import PREFIX
from striate.studies.bench_machine import available_cores, describe_machine
from striate.studies.bench_peers import PEERS, Chosen, choose_peers
from striate.studies.bench_results import Benchmark
from striate.studies.bench_turns import FIGURES, Turns

BUDGETS: dict[str, tuple[float, ...]] = {"fashion-mnist": (1.2, 2, 3.2, 8.5)}
"""Named set -> epochs, fixed before the seeds from `FIRST_SEED` on were ever run: for 91, 92, 93 and 94 %."""

FIRST_SEED = 400
SEEDS = 5


def run_benchmark(
    source: str | PathLike[str] = "fashion-mnist",
    *,
    peers: Iterable[str] | Chosen = ("all",),
    seeds: int = SEEDS,
    first_seed: int = FIRST_SEED,
    budgets: Sequence[float] | None = None,
    threads: int | None = None,
    out: Path | str | None = None,
    on_event: OnEvent = ignore,
) -> Benchmark:
    """Train on a CPU with striate and with other libraries, side by side, and measure both.

    For each seed every side trains once with each of its budgets, in turns: striate by `striate.train` with
    all but the epochs left open, the peers by the recipe of their own documentation on the same training
    images (the validation part held out by that seed is left to striate's choices), each in an environment of
    its own. The accuracy is that on the test part after the whole budget.

    Args:
        source: what `striate.open_dataset` takes, but arrays; it must have a test part.
        peers: their names, ``all`` or ``none`` alone; or a mapping of names to Python interpreters that have
            what the peers need.
        seeds: how many, at least 1; under 5 the intervals are wide.
        first_seed: the first of them, at least 0; the others follow it.
        budgets: epochs of striate, each over 0; ``None``: those in `BUDGETS`, else what the recipe decides.
        threads: processors and threads of every side, at least 1; ``None``: all that there are.
        out: the folder for ``bench.json`` and ``bench.md``; ``None``: ``runs/bench-NAME``. One that holds the
            same benchmark is gone on with.
        on_event: is told of the progress.

    Returns:
        The benchmark.

    Raises:
        RecipeError: where a number is out of range or there is no such peer.
        DataError: where the data cannot be used or have no test part.
        RunError: where ``out`` holds another benchmark, is used by another process, or cannot be written; or
            where striate's own training fails.
    """
    _check(seeds=seeds, first_seed=first_seed, budgets=budgets, threads=threads)
    chosen = choose_peers(peers)
    if not isinstance(source, str | PathLike):
        raise DataError(
            "every training opens the data anew, so a benchmark takes a name or a path, no arrays"
        )
    threads = threads or len(available_cores())
    dataset = open_dataset(source, seed=first_seed, on_event=on_event)
    refuse_several(dataset.train.labels, what="a benchmark")
    if dataset.test is None or not len(dataset.test):
        raise DataError(
            f"{source} has no test part to measure all sides on; a folder of train/ and test/ has one"
        )
    settings = _settings(dataset, chosen, range(first_seed, first_seed + seeds), budgets, threads)
    folder = Path(out) if out is not None else Path("runs", f"bench-{dataset.name}")
    del dataset  # its memory is not for the time of the measurement
    with _locked(folder):
        found = _begun(folder, settings, describe_machine(threads))
        return Turns(os.fspath(source), folder, found, on_event).take_all(chosen)


def _check(*, seeds: int, first_seed: int, budgets: Sequence[float] | None, threads: int | None) -> None:
    for name, value, least in (("seeds", seeds, 1), ("first_seed", first_seed, 0), ("threads", threads, 1)):
        if value is not None and value < least:
            raise RecipeError(f"{name} is {value}, where at least {least} is wanted")
    most = len(available_cores())
    if threads is not None and threads > most:
        raise RecipeError(
            f"threads is {threads}, but there are {most} processors to be had; up to {most} works"
        )
    if budgets is not None and not budgets:
        raise RecipeError("budgets names none; give epochs such as 2, 3.5")
    for epochs in budgets or ():
        Recipe(epochs=epochs)  # which refuses what is out of range


def _settings(
    dataset: Dataset, chosen: Chosen, seeds: Sequence[int], budgets: Sequence[float] | None, threads: int
) -> dict[str, Any]:
    import torch

    if budgets is None:
        budgets = BUDGETS.get(dataset.name) or (_decided_epochs(dataset),)
    assert dataset.test is not None
    return {
        "data": dataset.name,
        "fingerprint": dataset.fingerprint,
        "images": {"train": len(dataset.train), "test": len(dataset.test)},
        "seeds": list(seeds),
        "budgets": sorted({float(epochs) for epochs in budgets}),
        "peers": {name: [list(epochs) for epochs in PEERS[name].budgets] for name in chosen},
        "threads": threads,
        "versions": {"striate": VERSION, "torch": str(torch.__version__)},
    }


def _decided_epochs(dataset: Dataset) -> float:
    decided = resolve(
        Recipe(), images=len(dataset.train), size=dataset.size, flip=dataset.flip, precision="float32"
    )
    assert decided.epochs is not None
    return decided.epochs


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder of a benchmark for this process alone, and clear what a killed one has left."""
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(f"another benchmark runs in {folder}; wait for it or name another --out") from error
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        for left in (*folder.glob(f"{PREFIX}*"), *folder.glob(".*.part")):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _begun(folder: Path, settings: dict[str, Any], machine: dict[str, Any]) -> Benchmark:
    """Give what a folder holds of the same benchmark, or a new one."""
    path = folder / FIGURES
    if not path.exists():
        return Benchmark(settings=settings, machine=machine)
    try:
        found = Benchmark.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is no benchmark of ours ({error!r}); name another --out") from error
    for what, was, wanted in (("setting", found.settings, settings), ("machine", found.machine, machine)):
        for name in sorted({*was, *wanted}):
            if was.get(name) != wanted.get(name):
                raise RunError(
                    f"{folder} holds a benchmark of another {what}: its {name} is {was.get(name)}, and "
                    f"{wanted.get(name)} is wanted now; name another --out"
                )
    return found
