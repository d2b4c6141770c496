"""Record work on fixed tensors once as a CUDA graph and replay it; on other devices, call it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from striate.core.errors import TrainingError

WARM_UPS = 3
"""How often work runs before it is recorded, so that every choice and allocation has been made."""

SECONDS_BETWEEN_LOOKS = 0.0002
"""How often a mark is looked at that is waited for."""


def replayable(
    function: Callable[[], None], *, device: str, before: Callable[[], object] = lambda: None
) -> Callable[[], None]:
    """Make work repeatable without the host: on CUDA it runs a few times, is recorded, and then replayed.

    Args:
        function: reads and writes tensors that stay where they are, always in the same way.
        device: where it computes.
        before: called before each run that is not recorded, such as what sets a counter back.

    Returns:
        What repeats the work; the function itself where the device is no GPU.

    Raises:
        TrainingError: where the work makes the host wait for the device, which no recording can hold, or the
            device cannot record it.

    >>> total = torch.zeros(1)
    >>> repeat = replayable(lambda: total.add_(2), device="cpu")
    >>> _ = repeat(), repeat()
    >>> total.item()
    4.0
    """
    if not device.startswith("cuda"):
        return function
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            before()
            function()
        before()
        with waiting_refused():
            function()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    try:
        # Other threads of the process may allocate and copy meanwhile.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            function()
    except RuntimeError as error:
        raise TrainingError(f"a step cannot be recorded: {first_line(error)}") from error
    return graph.replay


@contextmanager
def waiting_refused() -> Iterator[None]:
    """Refuse, within its block, all that makes the host wait for the current CUDA device.

    Raises:
        TrainingError: where something did.
    """
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        raise TrainingError(f"a step makes the host wait for the device: {first_line(error)}") from error
    finally:
        torch.cuda.set_sync_debug_mode(mode)


def first_line(error: BaseException) -> str:
    """Give the first line of what an error says, which for those of compilers and devices is the reason.

    Args:
        error: any.

    Returns:
        The line, or the name of the error where it says nothing.

    >>> first_line(RuntimeError("no memory\\nat line 3"))
    'no memory'
    """
    return next(iter(str(error).splitlines()), type(error).__name__)


class Mark:
    """A place in a device's queue of work, of which can be said later whether all before it is done.

    Args:
        device: whose queue; on other devices than CUDA everything is done at once.

    >>> Mark("cpu").is_past()
    True
    """

    def __init__(self, device: str) -> None:
        self._event: torch.cuda.Event | None = None
        if device.startswith("cuda"):
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def is_past(self) -> bool:
        """Say whether all work before the mark is done, without waiting."""
        return self._event is None or bool(self._event.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Return when all work before the mark is done."""
        while not self.is_past():
            time.sleep(SECONDS_BETWEEN_LOOKS)


def on_device(device: str) -> AbstractContextManager[object]:
    """Give the context in which a device is the current one of its kind.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        A context manager, which changes nothing but for CUDA.
    """
    return torch.cuda.device(device) if device.startswith("cuda") else nullcontext()


def host_tensor(*shape: int, dtype: torch.dtype, device: str) -> Tensor:
    """Make a tensor on the host that a device can copy from and to while the host goes on.

    Args:
        shape: of the tensor.
        dtype: its type.
        device: which is to copy.

    Returns:
        A tensor of zeros, in page-locked memory where the device is a GPU.
    """
    return torch.zeros(shape, dtype=dtype, pin_memory=device.startswith("cuda"))
