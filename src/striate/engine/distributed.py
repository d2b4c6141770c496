"""What processes that train together tell each other: collectives, over gloo and, between GPUs, NCCL.

A process that dies closes its connections, so that the others notice at their next exchange; the timeouts are
for machines that vanish without a word.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from striate.core import errors
from striate.core.errors import DeviceError, ProcessError, StriateError, TrainingError
from striate.engine.world import Place, World

STEP_TIMEOUT = timedelta(minutes=10)
"""How long processes wait for each other within the training, where all do the same."""

PATIENCE = timedelta(days=2)
"""How long they wait for what only some do: fetching data, writing to a disk."""

_DONE, _FAILED = b"+", b"-"
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def join_others(place: Place) -> World:
    """Connect to the other processes that torchrun started; returns when all are there.

    Args:
        place: which of them this one is.

    Returns:
        The world of all of them.

    Raises:
        ProcessError: where they cannot be reached, or something else connected them already.
    """
    if dist.is_initialized():
        raise ProcessError(
            "torch.distributed is initialised already, where striate connects the processes itself; leave "
            "init_process_group out"
        )
    # Each kind of tensor goes its own way: figures of this process over gloo, those of a GPU over NCCL.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    try:
        store, _, _ = next(iter(rendezvous("env://", timeout=STEP_TIMEOUT)))
        dist.init_process_group(
            backend, store=store, rank=place.rank, world_size=place.size, timeout=STEP_TIMEOUT
        )
        patient = dist.new_group(backend="gloo", timeout=PATIENCE)
    except RuntimeError as error:
        raise ProcessError(
            f"the {place.size} processes cannot reach each other ({_reason(error)}); GLOO_SOCKET_IFNAME and "
            "NCCL_SOCKET_IFNAME name the network interface to use"
        ) from error
    world = JoinedWorld(place, store, patient)
    atexit.register(world.leave)
    return world


class JoinedWorld(World):
    """Processes that are connected; see `World` for what its methods do.

    Args:
        place: which of them this one is.
        store: where each can leave words for all.
        patient: the group of all of them that waits long.
    """

    def __init__(self, place: Place, store: Any, patient: dist.ProcessGroup) -> None:
        super().__init__(place)
        self._store = store
        self._patient: dist.ProcessGroup | None = patient

    def sum(self, values: Sequence[float]) -> list[float]:
        """Add up figures over all processes."""
        figures = torch.tensor([float(value) for value in values], dtype=torch.float64)
        self.add_up(figures)
        return [float(value) for value in figures.tolist()]

    def start_adding(self, tensor: Tensor) -> Callable[[], None]:
        """Begin to add up a tensor over all processes, in place."""
        with self._noticing():
            work = dist.all_reduce(tensor, async_op=True)

        def wait() -> None:
            with self._noticing():
                work.wait()

        return wait

    def in_shares(self, count: int, compute: Callable[[slice], Tensor]) -> Tensor:
        """Compute the rows of a tensor, each in one process."""
        rows = self.share(count)
        part = compute(rows)
        whole = part.new_zeros((count, *part.shape[1:]))
        whole[rows] = part
        self.add_up(whole)  # every other process adds zeros to a row, so nothing is rounded
        return whole

    @torch.no_grad()
    def copy_from_writer(self, tensors: Iterable[Tensor]) -> None:
        """Set tensors to what they hold in the writer."""
        for tensor in tensors:
            content = tensor.detach().contiguous()
            with self._noticing():
                dist.broadcast(content, src=0)
            tensor.copy_(content)

    def by_writer(self, act: Callable[[], bytes | None]) -> bytes:
        """Let the writer do something, however long it takes, while the others wait."""
        if self.is_writer:
            try:
                content = act() or b""
            except StriateError as error:
                self._tell(_FAILED + json.dumps([type(error).__name__, str(error)]).encode())
                raise
            self._tell(_DONE + content)
            return content
        heard = self._tell(b"")
        if heard[:1] == _DONE:
            return heard[1:]
        kind, sentence = json.loads(heard[1:])
        raise getattr(errors, kind, StriateError)(sentence)

    @contextmanager
    def file_of_writer(self, path: Path) -> Iterator[Path]:
        """Give every process a file that the writer has."""
        content = self.by_writer(path.read_bytes)
        if self.is_writer:
            yield path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, path.name)
            copy.write_bytes(content)
            yield copy

    @contextmanager
    def machine_first(self) -> Iterator[None]:
        """Let the first process of each machine run the block before the others there do."""
        if self.place.local_rank:
            self._meet()
        try:
            yield
        finally:
            # Even where it failed, which the others are to find out by themselves.
            if not self.place.local_rank:
                self._meet()

    def check_same(self, what: Mapping[str, str]) -> None:
        """Refuse to go on where texts differ between the processes."""
        first = json.loads(self.by_writer(lambda: json.dumps(dict(what)).encode()))
        counts = self.sum([what[name] != first[name] for name in what])
        for name, count in zip(what, counts, strict=True):
            if count:
                raise ProcessError(
                    f"{name} of {count:.0f} of the {self.size} processes differ from those of the first; "
                    "every machine needs the same command, the same data and the same installation"
                )

    def check_alike(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse to go on where tensors have not the same bits in all processes."""
        sums = torch.stack([_sum_of_bits(tensor) for tensor in tensors.values()])
        extremes = torch.stack([sums, -sums])
        with self._noticing():
            dist.all_reduce(extremes, op=dist.ReduceOp.MAX)
        different = (extremes[0] != -extremes[1]).nonzero()
        if len(different):
            raise TrainingError(
                f"the {self.size} processes no longer compute the same: {list(tensors)[int(different[0])]} "
                "differs between them, as it does where processors are not of one kind; use equal machines, "
                "or one of them"
            )

    def is_first_to_say(self, sentence: str) -> bool:
        """Say whether no other process has asked for this sentence before."""
        try:
            key = hashlib.sha256(sentence.encode("utf-8", "backslashreplace")).hexdigest()
            return bool(self._store.add(f"said {key}", 1) == 1)
        except RuntimeError:  # nobody keeps the words any more; better twice than never
            return True

    def own_device(self, name: str) -> str:
        """Give the device of this process: every process of a machine takes the GPU of its number."""
        kind, _, index = name.partition(":")
        if kind == "cpu":
            return name
        if kind != "cuda" or index:
            raise DeviceError(
                f"{self.size} processes cannot share the device '{name}'; without --device each takes a GPU "
                "of its own, and 'cpu' works"
            )
        count = torch.cuda.device_count()
        if count < self.place.local_size:
            raise DeviceError(
                f"there are {self.place.local_size} processes on this machine and {count} CUDA devices; "
                f"--nproc-per-node {count} works, or the device 'cpu'"
            )
        torch.cuda.set_device(self.place.local_rank)
        return f"cuda:{self.place.local_rank}"

    def leave(self) -> None:
        """Close the connections, unless one is broken: closing would then wait for the dead."""
        if not self.is_broken:
            # With nothing left that holds the groups, their threads end now: one that still wanted Python's
            # lock when Python itself ends would take the process down.
            self._patient = None
            dist.destroy_process_group()

    def _tell(self, content: bytes) -> bytes:
        """Give the writer's bytes to all; `content` counts in the writer only."""
        size = torch.tensor([len(content)])
        with self._noticing():
            dist.broadcast(size, src=0, group=self._patient)
            told = torch.empty(int(size), dtype=torch.uint8)
            if self.is_writer:
                told = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            dist.broadcast(told, src=0, group=self._patient)
        return told.numpy().tobytes()

    def _meet(self) -> None:
        with self._noticing():
            dist.all_reduce(torch.zeros(1), group=self._patient)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Turn what torch says of a connection that closed, or of a timeout, into an error of the input."""
        try:
            yield
        except RuntimeError as error:
            self.is_broken = True
            raise ProcessError(
                f"another of the {self.size} processes has ended or cannot be reached any more "
                f"({_reason(error)})"
            ) from error


def _sum_of_bits(tensor: Tensor) -> Tensor:
    # Whole numbers add up to the same in any order, and a NaN equals itself.
    return tensor.detach().view(_INTEGERS[tensor.element_size()]).sum(dtype=torch.int64).cpu()


def _reason(error: RuntimeError) -> str:
    """Bring torch's message to a clause that is the same in every process, without addresses and advice."""
    if re.search(r"(closed|reset) by peer|broken pipe", str(error), re.IGNORECASE):
        return "its connection closed"
    first = re.split(r"\n|\. ", str(error).strip())[0]
    return re.sub(r"\[[^\]]*\](:\d+)?\s*", "", first).strip(" .:") or type(error).__name__
