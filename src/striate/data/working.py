"""Do the same work for many images, in threads on all cores where that pays, with progress."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from striate.core.events import OnEvent
from striate.data.progress import Progress

SAMPLE = 8
SECONDS_WORTH_A_THREAD = 0.001
"""Images that take less are worked on in one thread: several would mostly wait for Python's lock."""

BLOCK = 16
"""Images handed to a thread at once."""

MOST_THREADS = 16

Work = Callable[[int], None]


def each(work: Work, positions: Sequence[int], what: str, on_event: OnEvent) -> None:
    """Do work for each position, in no certain order.

    Args:
        work: is given a position; it keeps its result by itself, where no other position's is.
        positions: what to work on.
        what: the work in words, for the progress.
        on_event: told of the progress.
    """
    progress = Progress(on_event, what, len(positions), "images")
    start = time.perf_counter()
    for position in positions[:SAMPLE]:
        work(position)
        progress.advance()
    seconds = (time.perf_counter() - start) / SAMPLE
    rest = positions[SAMPLE:]
    if seconds < SECONDS_WORTH_A_THREAD:
        for position in rest:
            work(position)
            progress.advance()
    else:
        blocks = [rest[first : first + BLOCK] for first in range(0, len(rest), BLOCK)]
        for block in in_threads(work, blocks):
            progress.advance(len(block))
    progress.finish()


def in_threads(work: Work, blocks: Sequence[Sequence[int]]) -> Iterator[Sequence[int]]:
    """Do work for blocks of positions in threads.

    Args:
        work: as for `each`.
        blocks: each is done by one thread.

    Yields:
        Each block when it is done, in order.
    """

    def run(block: Sequence[int]) -> None:
        for position in block:
            work(position)

    threads = min(cores(), len(blocks)) or 1
    with ThreadPoolExecutor(threads, thread_name_prefix="striate-decode") as pool:
        # Few at a time, so that an interrupt has little to wait for.
        running: deque[tuple[Sequence[int], Future[None]]] = deque()
        for block in blocks:
            running.append((block, pool.submit(run, block)))
            if len(running) > 2 * threads:
                done, future = running.popleft()
                future.result()
                yield done
        for done, future in running:
            future.result()
            yield done


def cores() -> int:
    """Count the cores that this process may use.

    Returns:
        At least 1, at most 16.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, MOST_THREADS)
