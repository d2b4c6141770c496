"""The peers of a benchmark by name: what they train, at which budgets, and the environments they run in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

from striate.core.errors import RecipeError, unknown_name
from striate.core.events import OnEvent
from striate.studies import environments
from striate.studies.bench_process import ProcessFailed, run_alone

FOLDER = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Peer:
    """One peer.

    Args:
        name: as it is called.
        script: its module in `striate.studies.peers`, which says all else.
    """

    name: str
    script: str

    @property
    def about(self) -> str:
        """What it trains, in a line."""
        return str(self._module.ABOUT)

    @property
    def budgets(self) -> tuple[tuple[float, ...], ...]:
        """For each process the epochs after which it is measured."""
        return tuple(tuple(map(float, budgets)) for budgets in self._module.BUDGETS)

    @property
    def reads_folder(self) -> bool:
        """Whether it reads images as files."""
        return bool(self._module.FOLDER)

    @property
    def requirements(self) -> tuple[str, ...]:
        """What its environment needs, as pip takes it."""
        return environments.requirements_of(FOLDER / f"{self.script}.py")

    @property
    def _module(self) -> ModuleType:
        return import_module(f"striate.studies.peers.{self.script}")

    def words(self, python: Path | str, *options: object) -> list[str]:
        """Give the command that runs it.

        Args:
            python: an interpreter that has what it needs.
            options: of ``peers/run.py``.

        Returns:
            The words of the command.
        """
        return [str(python), str(FOLDER / "run.py"), self.script, *map(str, options)]


PEERS = {
    peer.name: peer
    for peer in (
        Peer("pytorch-mnist", "pytorch_mnist"),
        Peer("keras-mnist", "keras_mnist"),
        Peer("fastai", "fastai_strided"),
        Peer("fastai-resnet18", "fastai_resnet18"),
        Peer("timm", "timm_resnet18"),
        Peer("ultralytics", "ultralytics_cls"),
    )
}
"""Name -> peer, in the order in which they take turns."""

ALL, NONE = "all", "none"

Chosen = Mapping[str, Path | str | None]
"""Name of a peer -> the Python interpreter to run it with; ``None``: that of an environment of its own."""


def choose_peers(names: Iterable[str] | Chosen) -> dict[str, Path | str | None]:
    """Find the peers that are named.

    Args:
        names: of peers, one or several; ``all`` or ``none`` alone; or a mapping of names to interpreters that
            have what the peers need.

    Returns:
        Name -> interpreter, in the order of `PEERS`.

    Raises:
        RecipeError: where there is no such peer, naming the nearest.

    >>> list(choose_peers(["timm", "pytorch-mnist"])), choose_peers(["none"])
    (['pytorch-mnist', 'timm'], {})
    """
    if isinstance(names, str):
        names = [names]
    chosen: dict[str, Path | str | None] = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names)
    if list(chosen) == [ALL]:
        return dict.fromkeys(PEERS)
    if list(chosen) == [NONE]:
        return {}
    for name in chosen:
        if name not in PEERS:
            raise RecipeError(unknown_name("peer", name, (*PEERS, ALL, NONE)))
    return {name: chosen[name] for name in PEERS if name in chosen}


def set_up(peer: Peer, python: Path | str | None, *, threads: int, on_event: OnEvent) -> Path | str:
    """Give an interpreter in which a peer really imports what it needs.

    Args:
        peer: who is to run.
        python: one that has everything; ``None``: that of an environment which is made where missing.
        threads: how many it may use.
        on_event: is told of the progress.

    Returns:
        The interpreter.

    Raises:
        Unusable: where there is none, with the reason in one line.
    """
    if python is None:
        try:
            python = environments.prepare(peer.requirements, name=peer.name, on_event=on_event)
        except environments.Unusable as error:
            raise environments.Unusable(f"it cannot be installed: {error}") from error
    try:
        run_alone(peer.words(python, "--check"), threads=threads, environment=isolated())
    except (ProcessFailed, OSError) as error:
        raise environments.Unusable(f"it cannot be imported where it is installed: {error}") from error
    return python


def isolated() -> dict[str, str]:
    """Give the variables that keep a peer's environment apart from this process's.

    Returns:
        Variables for its processes; an empty one is as good as none.
    """
    return {"PYTHONPATH": "", "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore"}
