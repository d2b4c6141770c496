"""A run that is killed goes on to the weights it would have had, and no two processes share one."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.core.errors import DataError, RunError
from striate.core.events import ignore
from striate.core.tensors import load_tensors
from striate.training import Run, train
from striate.training import loop as training_loop

SOURCE = Path(__file__).resolve().parents[2] / "src"
RECIPE = {"model": "compact-small", "batch": 64, "epochs": 12}
STEPS = 12 * 19

# Checkpoints after every few steps, so that a kill falls between, before and within them.
SCRIPT = """
import sys
import striate
from striate.training import loop
loop.CHECKPOINT_SECONDS = float(sys.argv[2])
loop.STEP_EVENT_SECONDS = 0.0
say = lambda event: print(event.kind, event.data.get("step", ""), flush=True)
striate.train(**eval(sys.argv[1]), device="cpu", on_event=say)
"""


def _start(*, checkpoint_seconds: float = 0.05, **arguments) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, repr(arguments), str(checkpoint_seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _wait_for(process: subprocess.Popen, wanted: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == wanted:
            return
    raise AssertionError(f"the training ended before '{wanted}'")


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    tensors, _ = load_tensors(path)
    return tensors


@pytest.fixture(scope="module", params=[0.0, 0.5], ids=["all-images", "pruned"])
def whole(request, tmp_path_factory) -> Path:
    """The run that was never killed."""
    path = tmp_path_factory.mktemp("whole") / "run"
    process = _start(data="digits", out=str(path), prune=request.param, **RECIPE)
    process.communicate(timeout=120)
    assert process.returncode == 0
    return path


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_killed_run_ends_with_the_same_weights_bit_for_bit(whole, tmp_path, seed) -> None:
    path = tmp_path / "run"
    moments = random.Random(seed)
    arguments: dict = {"data": "digits", "out": str(path), "prune": Run(whole).recipe.prune, **RECIPE}
    # Killed while resumed as well: a checkpoint is never far behind.
    for first, last in ((1, STEPS // 2), (STEPS // 2 + 30, STEPS - 40)):
        process = _start(**arguments)
        _wait_for(process, f"step {moments.randrange(first, last)}")
        time.sleep(moments.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        arguments = {"resume": str(path)}
    assert not Run(path).is_finished
    process = _start(**arguments)
    process.communicate(timeout=120)
    assert process.returncode == 0
    for name in ("last.safetensors", "model.safetensors"):
        expected, found = _tensors(whole / name), _tensors(path / name)
        assert expected.keys() == found.keys()
        for key in expected:
            assert expected[key].equal(found[key]), key
            assert expected[key].stride() == found[key].stride(), key
    timeless = [name for name in Run(whole).rows[0] if name not in ("seconds", "images_per_second")]
    assert [[row[name] for name in timeless] for row in Run(path).rows] == [
        [row[name] for name in timeless] for row in Run(whole).rows
    ]
    assert Run(path).evaluation == Run(whole).evaluation


def test_a_run_in_minutes_goes_on_with_the_time_it_had_left(tmp_path, monkeypatch, digits) -> None:
    monkeypatch.setattr(training_loop, "CHECKPOINT_SECONDS", 0.05)
    seconds = 5.0

    class Stop(Exception):
        pass

    def stop_half_way(event) -> None:
        if event.kind == "epoch" and event.data["seconds"] > seconds / 2:
            raise Stop

    fields = {"model": "compact-small", "minutes": seconds / 60}
    with pytest.raises(Stop):
        train(digits, out=tmp_path / "run", on_event=stop_half_way, **fields)
    left = Run(tmp_path / "run")
    steps = left.rows[-1]["step"]
    events = []
    run = train(digits, resume=tmp_path / "run", on_event=events.append)
    (done,) = [event.data for event in events if event.kind == "done"]
    # A whole budget more would be 1.5 times as long; the time of a stalled machine is not ours.
    assert 0.95 * seconds < done["training_seconds"] < 1.25 * seconds
    assert run.rows[-1]["share"] > 0.95
    assert run.rows[-1]["step"] > steps


def test_a_run_in_minutes_that_had_ended_trains_no_further(tmp_path, digits) -> None:
    fields = {"model": "compact-small", "minutes": 2 / 60}
    run = train(digits, out=tmp_path / "run", on_event=ignore, **fields)
    weights = _tensors(run.path / "last.safetensors")
    rows = run.rows
    (run.path / "evaluation.json").unlink()  # as if killed while it was measured
    again = train(digits, resume=tmp_path / "run", on_event=ignore)
    assert again.rows == rows
    found = _tensors(run.path / "last.safetensors")
    assert all(found[key].equal(weights[key]) for key in weights)


def test_sigterm_saves_at_the_next_step(tmp_path) -> None:
    path = tmp_path / "run"
    process = _start(checkpoint_seconds=1e9, data="digits", out=str(path), **{**RECIPE, "epochs": 500})
    _wait_for(process, "step 30")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode not in (0, -signal.SIGTERM)
    _, texts = load_tensors(path / "checkpoint" / "state.safetensors")
    assert json.loads(texts["state"])["step"] >= 30


def test_what_a_killed_process_left_is_cleared(tmp_path, digits) -> None:
    def stop(event) -> None:
        if event.kind == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(digits, out=tmp_path / "run", model="compact-small", epochs=2, on_event=stop)
    part = tmp_path / "run" / "checkpoint" / ".state.safetensors.abc.part"
    part.write_bytes(b"half")
    train(resume=tmp_path / "run", on_event=ignore)
    assert not part.exists()


def test_moved_data_can_be_named_to_resume(tmp_path) -> None:
    random_numbers = np.random.default_rng(0)
    images = random_numbers.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(60) % 2)

    def stop(event) -> None:
        if event.kind == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "a.npz", out=tmp_path / "run", model="compact-small", epochs=3, on_event=stop)
    assert Run(tmp_path / "run").source == str(tmp_path / "a.npz")
    (tmp_path / "a.npz").rename(tmp_path / "b.npz")
    with pytest.raises(DataError, match="no file or folder"):
        train(resume=tmp_path / "run", on_event=ignore)
    assert len(train(tmp_path / "b.npz", resume=tmp_path / "run", on_event=ignore).rows) == 3


def test_two_processes_never_train_one_run(tmp_path) -> None:
    path = tmp_path / "run"
    process = _start(data="digits", out=str(path), **{**RECIPE, "epochs": 500})
    try:
        _wait_for(process, "step 1")
        with pytest.raises(RunError, match="another process is training"):
            train(resume=path, on_event=ignore)
    finally:
        process.kill()
        process.communicate()
    with Run(path).locked():  # a dead process holds no lock
        pass


def test_arrays_are_asked_for_again_and_other_data_are_refused(tmp_path) -> None:
    random_numbers = np.random.default_rng(0)
    images = random_numbers.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 2

    def stop(event) -> None:
        if event.kind == "epoch":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train((images, labels), out=tmp_path / "run", model="compact-small", epochs=3, on_event=stop)
    with pytest.raises(RunError, match="give the same data again"):
        train(resume=tmp_path / "run", on_event=ignore)
    with pytest.raises(RunError, match="have changed"):
        train((255 - images, labels), resume=tmp_path / "run", on_event=ignore)
    run = train((images, labels), resume=tmp_path / "run", on_event=ignore)
    assert len(run.rows) == 3


def test_what_cannot_be_resumed_says_so(tmp_path, fit, digits) -> None:
    with pytest.raises(RunError, match="no run directory"):
        train(resume=tmp_path / "absent", on_event=ignore)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no checkpoint"):
        train(resume=tmp_path / "empty", on_event=ignore)
    run, _ = fit(digits, epochs=0.1)
    with pytest.raises(RunError, match="is finished"):
        train(resume=run.path, on_event=ignore)
    with pytest.raises(RunError, match="keeps its recipe"):
        train(resume=run.path, epochs=3, on_event=ignore)


@pytest.mark.parametrize("damage", ["cut", "random", "other"])
def test_a_damaged_checkpoint_is_one_sentence(fit, digits, damage) -> None:
    run, _ = fit(digits, epochs=0.1)
    (run.path / "evaluation.json").unlink()
    content = run.checkpoint.read_bytes()
    if damage == "cut":
        run.checkpoint.write_bytes(content[: len(content) // 2])
    elif damage == "random":
        run.checkpoint.write_bytes(os.urandom(1000))
    else:
        run.checkpoint.write_bytes((run.path / "model.safetensors").read_bytes())
    with pytest.raises(RunError, match="checkpoint"):
        train(resume=run.path, on_event=ignore)


def test_a_full_disk_stops_the_run_in_one_sentence_and_keeps_what_was_there(tmp_path, digits) -> None:
    out = tmp_path / "run"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    checkpoint = Run(out).checkpoint
    kept: list[bytes] = []

    def fill_the_disk(event) -> None:
        if event.kind == "epoch" and not kept:
            kept.append(checkpoint.read_bytes())
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept[0]) // 2, limits[1]))

    try:
        with pytest.raises(RunError, match=r"cannot write to .*run.*intact"):
            train(digits, out=out, model="compact-small", epochs=2, on_event=fill_the_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert checkpoint.read_bytes() == kept[0]
    assert not list(out.rglob("*.part"))
    run = train(resume=out, on_event=ignore)
    assert run.is_finished


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path, digits) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot make the run directory"):
        train(digits, out=tmp_path / "file" / "run", on_event=ignore)
