"""One training of a benchmark as a process of its own, with its clock read from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from striate.studies.bench_machine import available_cores

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

LONGEST_REASON = 300


class ProcessFailed(Exception):
    """A process that ended with an error; the message is the last line that it wrote."""


def run_alone(
    words: Sequence[str], *, threads: int, environment: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Run a command on some of the processors and read the lines of JSON that it tells.

    To each line ``process_seconds`` is added: what a user would wait from the start of the process to its
    end, were that line its last. Neither the evaluations of earlier lines are in it nor what is counted for
    the benchmark only.

    Args:
        words: the command.
        threads: how many processors it may use, and how many threads libraries are told to use.
        environment: variables to add to those of this process.

    Returns:
        The lines, in their order.

    Raises:
        ProcessFailed: where it ends with an error, or tells nothing.

    >>> import sys
    >>> run_alone([sys.executable, "-c", "print('{\\"accuracy\\": 0.5}')"], threads=1)[0]["accuracy"]
    0.5
    """
    variables = {name: str(threads) for name in THREAD_VARIABLES}
    given = {**os.environ, **variables, **(environment or {})}
    lines: list[dict[str, Any]] = []
    apart, told = 0.0, 0.0
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        with _on_processors(threads):
            process = subprocess.Popen(
                list(words), stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, env=given
            )
        try:
            assert process.stdout is not None
            for text in process.stdout:
                line = _parsed(text)
                if line is None:
                    continue
                told = time.perf_counter() - began
                apart += line.get("aside_seconds", 0.0)
                line["process_seconds"] = told - apart
                lines.append(line)
                apart += line.get("evaluation_seconds", 0.0)
            status = process.wait()
            ending = time.perf_counter() - began - told
        finally:
            if process.poll() is None:  # such as after Ctrl-C
                process.kill()
                process.wait()
        if status != 0 or not lines:
            raise ProcessFailed(_last_words(errors, status))
    for line in lines:
        line["process_seconds"] += ending
    return lines


@contextmanager
def _on_processors(count: int) -> Iterator[None]:
    """Let what is started in the block run on the first processors only."""
    cores = available_cores()
    if count >= len(cores) or not hasattr(os, "sched_setaffinity"):
        yield
        return
    os.sched_setaffinity(0, cores[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:  # something else that was printed
        return None
    return value if isinstance(value, dict) else None


def _last_words(errors: Any, status: int) -> str:
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - 10_000))
    text: str = errors.read().decode("utf-8", "replace")
    said = [line.strip() for line in text.splitlines() if line.strip()]
    if said:
        return said[-1][:LONGEST_REASON]
    return f"it was ended by signal {-status}" if status < 0 else f"it ended with status {status} and no word"
