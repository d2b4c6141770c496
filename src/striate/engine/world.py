"""The processes that train together, as one of them sees it: alone, unless torchrun started several."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Which of the processes that torchrun started this one is.

    Args:
        rank: its number among all, from 0; the first one writes everything that is written.
        size: how many there are.
        local_rank: its number on its machine, from 0.
        local_size: how many there are on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def place() -> Place:
    """Read from the environment where this process stands.

    Returns:
        What torchrun said, or the place of a process that is alone where it did not say all of it.

    >>> place()
    Place(rank=0, size=1, local_rank=0, local_size=1)
    """
    named = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
    values = [os.environ.get(name, "") for name in named]
    if not all(value.isdecimal() for value in values) or "MASTER_ADDR" not in os.environ:
        return Place()
    return Place(*map(int, values[:4]))


@cache
def join() -> World:
    """Join the processes that torchrun started, once and for as long as this process lives.

    Returns:
        The world; of this process alone, where torchrun did not start it or started no other.

    Raises:
        ProcessError: where the processes cannot reach each other.
    """
    here = place()
    if here.size == 1:
        return World()
    from striate.engine.distributed import join_others

    return join_others(here)


def is_first_to_say(sentence: str) -> bool:
    """Say whether no other process has said a sentence, so that what concerns all is read once.

    Args:
        sentence: what is to be said.

    Returns:
        Whether this process should say it. Before the processes know each other, what goes wrong is the same
        for all of a machine, and the first of them says it.
    """
    if join.cache_info().currsize:
        return join().is_first_to_say(sentence)
    return place().local_rank == 0


def end(status: int) -> NoReturn:
    """End this process; where others are lost, at once, without waiting for what they will never say.

    Args:
        status: the exit status.
    """
    if join.cache_info().currsize and join().is_broken:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


class World:
    """The processes that train together; this base is the world of one process that is alone.

    All processes must call the methods that exchange something in the same order. Once one of them is lost,
    ``is_broken`` says so.

    Args:
        place: which of them this process is.

    >>> World(Place(rank=1, size=3)).share(8)
    slice(3, 6, None)
    """

    def __init__(self, place: Place = Place()) -> None:
        self.place = place
        self.is_broken = False

    def __deepcopy__(self, _: object) -> World:
        return self  # a copy of a network computes with the same processes

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.place.size

    @property
    def is_writer(self) -> bool:
        """Whether this is the one process that writes and shows anything."""
        return self.place.rank == 0

    @property
    def stream(self) -> tuple[int, ...]:
        """What a seed is derived with, besides its other names, where each process draws by itself."""
        return () if self.is_writer else (self.place.rank,)

    def share(self, count: int) -> slice:
        """Give this process's share of a number of things; shares differ by at most one.

        Args:
            count: how many things there are, at least 0.

        Returns:
            Which of them are this process's: none, where there are fewer things than processes before it.
        """
        each, over = divmod(count, self.size)
        start = self.place.rank * each + min(self.place.rank, over)
        return slice(start, start + each + (self.place.rank < over))

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add up figures over all processes.

        Args:
            values: as many in every process.

        Returns:
            The sums, the same in every process.
        """
        return list(values)

    def told(self, value: float) -> float:
        """Give the writer's figure to all processes.

        Args:
            value: a finite number, which counts where this process is the writer.

        Returns:
            The writer's.
        """
        return self.sum([value if self.is_writer else 0.0])[0]

    def start_adding(self, tensor: Tensor) -> Callable[[], None]:  # noqa: ARG002
        """Begin to add up a tensor over all processes, in place, while this one goes on.

        Args:
            tensor: contiguous; not to be touched before the sum is there.

        Returns:
            What waits for the sum.
        """
        return lambda: None

    def add_up(self, tensor: Tensor) -> None:
        """Add up a tensor over all processes, in place.

        Args:
            tensor: contiguous.
        """
        self.start_adding(tensor)()

    def in_shares(self, count: int, compute: Callable[[slice], Tensor]) -> Tensor:
        """Compute the rows of a tensor, each in one process.

        Args:
            count: how many rows there are.
            compute: gives the rows of a share, on the CPU.

        Returns:
            All rows, in every process.
        """
        return compute(self.share(count))

    def copy_from_writer(self, tensors: Iterable[Tensor]) -> None:
        """Set tensors to what they hold in the writer.

        Args:
            tensors: of the same shapes in every process; changed in place.
        """

    def by_writer(self, act: Callable[[], bytes | None]) -> bytes:
        """Let the writer do something, however long it takes, while the others wait.

        Args:
            act: what is to be done by the writer only; what it returns is told to all.

        Returns:
            What the act returned, in every process.

        Raises:
            StriateError: that of the act, in every process.
        """
        return act() or b""

    @contextmanager
    def file_of_writer(self, path: Path) -> Iterator[Path]:
        """Give every process a file that the writer has.

        Args:
            path: the file, where the writer has it.

        Yields:
            The file's path here; a copy is gone when the block ends.
        """
        yield path

    @contextmanager
    def machine_first(self) -> Iterator[None]:
        """Let the first process of each machine run the block before the others there do.

        What it fetches or prepares in the block, the others find.
        """
        yield

    def check_same(self, what: Mapping[str, str]) -> None:
        """Refuse to go on where texts differ between the processes.

        Args:
            what: what each text says, in the plural, such as ``the recipes`` -> the text.

        Raises:
            ProcessError: in every process, naming what differs.
        """

    def check_alike(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse to go on where tensors have not the same bits in all processes.

        Args:
            tensors: the same names and shapes in every process.

        Raises:
            TrainingError: in every process, naming a tensor.
        """

    def is_first_to_say(self, sentence: str) -> bool:  # noqa: ARG002
        """Say whether no other process has asked for this sentence before.

        Args:
            sentence: any text.

        Returns:
            True in exactly one process.
        """
        return True

    def own_device(self, name: str) -> str:
        """Give the device of this process.

        Args:
            name: the device that was chosen for all, such as ``cuda``.

        Returns:
            The device, such as ``cuda:3``.

        Raises:
            DeviceError: where there are not enough devices for the processes of this machine.
        """
        return name
