"""A process of a benchmark: what it tells, what it waits, what it may use, and how it fails."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from striate.studies.bench_machine import available_cores, busy_share, describe_machine, measure_products
from striate.studies.bench_process import ProcessFailed, run_alone


def program(text: str) -> list[str]:
    return [sys.executable, "-c", f"import json, os, sys, time\n{text}"]


def test_a_user_does_not_wait_for_earlier_evaluations_nor_for_what_is_counted_aside() -> None:
    text = (
        "def tell(**line): print(json.dumps(line), flush=True)\n"
        "time.sleep(0.3)\n"
        "tell(epochs=1, evaluation_seconds=0.2, aside_seconds=0.1)\n"
        "time.sleep(0.2)\n"
        "print('a word in between')\n"
        "tell(epochs=2, evaluation_seconds=0.1, aside_seconds=0.05)\n"
        "time.sleep(0.4)\n"
    )
    began = time.perf_counter()
    first, last = run_alone(program(text), threads=1)
    whole = time.perf_counter() - began
    assert (first["epochs"], last["epochs"]) == (1, 2)
    # All of it, but the first evaluation and what was counted after both.
    assert last["process_seconds"] == pytest.approx(whole - 0.2 - 0.15, abs=0.15)
    # Had the first line been the last, the process would have ended just as long after it.
    assert last["process_seconds"] - first["process_seconds"] == pytest.approx(0.2 - 0.2 - 0.05, abs=0.15)


def test_all_sides_are_told_the_same_threads_and_bound_to_as_many_processors() -> None:
    text = "print(json.dumps({'threads': os.environ['OMP_NUM_THREADS'], 'more': os.environ['MORE'], "
    text += "'cores': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1}))"
    before = available_cores()
    (line,) = run_alone(program(text), threads=1, environment={"MORE": "x"})
    assert (line["threads"], line["more"], line["cores"]) == ("1", "x", 1)
    assert available_cores() == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("print('{}'); sys.exit('first\\nthe memory is full\\n\\n')", "^the memory is full$"),
        ("sys.exit(3)", "status 3 and no word"),
        ("print('nothing of ours')", "status 0 and no word"),
        ("os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_process_that_fails_says_why(text, why) -> None:
    with pytest.raises(ProcessFailed, match=why):
        run_alone(program(text), threads=1)


def test_a_command_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        run_alone(["/no/such/interpreter"], threads=1)


def test_the_machine_is_described_and_multiplies() -> None:
    machine = describe_machine(1)
    assert machine["processors"] == len(available_cores())
    assert machine["threads"] == 1
    assert machine["processor"]
    rates = measure_products(size=256)
    assert set(rates) == {"bfloat16", "float32"}
    assert all(1e7 < rate < 1e15 for rate in rates.values())


def test_work_of_others_is_seen() -> None:
    busy = busy_share()
    if busy is None:
        pytest.skip("this system does not tell")
    assert 0 <= busy <= 1
    spinning = [run_spinning() for _ in available_cores()]
    try:
        time.sleep(0.3)
        assert busy_share() > 0.5
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def run_spinning() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])
